//! Files and admin API of a host, as far as other users of the machine can reach them.

use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use weft_tests::{Files, Options, Probe, Weft, folder, probes};

/// Each file below a folder, with the bits of its mode by which others can open it.
fn open_files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        if metadata.mode() & 0o077 != 0 {
            found.push(format!("{}: {:o}", path.display(), metadata.mode()));
        }
        if metadata.is_dir() {
            open_files(&path, found);
        }
    }
}

/// A probe with a store in a file.
fn store() -> String {
    let probe = Probe {
        name: "web",
        settings: "",
        path: "/",
    };
    probes(&[probe]).replace("keyvalue-memory", "keyvalue-redb")
}

#[test]
fn no_file_of_a_host_is_open_to_other_users_in_a_directory_that_is_open_to_all() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    std::fs::set_permissions(data.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let files = Files::new();
    let weft = Weft::start(&Options {
        data: Some(data.clone()),
        ..Options::default()
    });
    weft.deployed(&files.app("stores", &store()));
    let mut found = Vec::new();
    open_files(&weft.folder(), &mut found);
    assert_eq!(found, [""; 0]);
    assert!(weft.folder().join("cache").is_dir());
    assert!(
        weft.folder()
            .join("providers/stores/kv/data.redb")
            .is_file()
    );
}

#[test]
fn a_folder_that_another_user_could_have_made_is_refused() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), folder(data.path())).unwrap();
    let refused = Weft::start_refused(&Options {
        data: Some(data),
        ..Options::default()
    });
    refused.expect_code(1).expect_stderr(&[
        "is not this host's own",
        "symbolic link",
        "--data-dir",
    ]);
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn the_files_of_an_earlier_release_are_in_use_after_an_update() {
    let files = Files::new();
    let mut weft = Weft::serving(&[files.app("stores", &store())]);
    weft.kill();
    let (data, folder) = (weft.data(), weft.folder());
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        std::fs::rename(entry.path(), data.path().join(entry.file_name())).unwrap();
    }
    std::fs::remove_dir(&folder).unwrap();
    let weft = weft.restarted();
    assert_eq!(weft.get("apps")[0]["app"], "stores");
    assert!(folder.join("providers/stores/kv/data.redb").is_file());
    assert!(!data.path().join("state.redb").exists());
}

#[test]
fn silent_connections_to_the_admin_address_keep_no_command_out() {
    let weft = Weft::empty();
    let hosts = weft.get("hosts");
    let admin = hosts[0]["admin"].as_str().unwrap();
    let silent: Vec<_> = (0..300)
        .map(|_| TcpStream::connect(admin).unwrap())
        .collect();
    // Over the socket, and over the address, where the oldest connections make room.
    weft.run(&["get", "hosts"]).expect_code(0);
    weft.run(&["get", "hosts", "--admin", admin]).expect_code(0);
    drop(silent);
}

#[test]
fn a_command_uses_the_address_if_the_socket_is_gone() {
    let weft = Weft::empty();
    let socket = weft.folder().join("admin.sock");
    let mode = std::fs::symlink_metadata(&socket).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::remove_file(&socket).unwrap();
    weft.run(&["get", "hosts"]).expect_code(0);
    // A socket without a listener, as a killed host leaves it.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    weft.run(&["get", "hosts"]).expect_code(0);
}
