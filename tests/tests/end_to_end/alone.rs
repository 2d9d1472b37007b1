//! Hosts of a lattice that need nobody: without the store of the desired state, with a disk that is full, with a
//! revision that does not start, and when another host is lost.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use weft_tests::{Files, Options, PATIENCE, Weft, eventually, start_nats};

use crate::lattice::{ADD, APART, host, host_with};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Waits until the row of the host that is asked is as it is to be.
fn wait_for_own_row(weft: &Weft, what: &str, is_so: impl Fn(&Value) -> bool) {
    eventually(what, PATIENCE, || {
        let row = weft.get("hosts").swap_remove(0);
        if is_so(&row) {
            return Ok(());
        }
        Err(row.to_string())
    });
}

fn notes(row: &Value) -> String {
    row["notes"].to_string()
}

#[test]
fn without_a_store_new_hosts_get_state_and_bytes_from_the_one_that_has_them() {
    let mut nats = start_nats();
    let first = host(&nats, "place=c");
    let files = Files::new();
    let manifest = files.app("apart", APART);
    first.run(&["deploy", text(&manifest)]).expect_code(0);
    let data = first.data();
    drop(first);
    nats.kill();
    nats.has_jetstream = false;
    nats.start().unwrap();
    let knows = Options {
        data: Some(data),
        ..Options::default()
    };
    let knows = host_with(&nats, "place=c", knows);
    let [a, b] = ["place=a", "place=b"].map(|place| host(&nats, place));
    a.wait_for_call("apart/importer", ADD);
    for weft in [&knows, &a, &b] {
        wait_for_own_row(weft, "it says that the store is away", |row| {
            notes(row).contains("the desired-state bucket is unavailable")
        });
    }
    let refused = b.run(&["undeploy", "apart"]);
    assert_ne!(refused.code, Some(0));
    refused.expect_stderr(&[
        "cannot reach the desired-state bucket",
        "no NATS server within reach offers JetStream",
    ]);
    // The store comes back, and changes are taken again.
    nats.kill();
    nats.has_jetstream = true;
    nats.start().unwrap();
    eventually("changes are taken again", PATIENCE, || {
        let removed = b.run(&["undeploy", "apart"]);
        match removed.code {
            Some(0) => Ok(()),
            _ => Err(removed.stderr),
        }
    });
}

#[test]
fn a_revision_that_does_not_start_takes_nothing_from_the_one_that_serves() {
    let nats = start_nats();
    let [a, b] = ["place=a", "place=b"].map(|place| host(&nats, place));
    a.wait_for_ready(2);
    let files = Files::new();
    // The directory that the provider of the new revision needs is a file on one of the hosts.
    let providers = b.folder().join("providers/apart");
    std::fs::create_dir_all(&providers).expect("a directory");
    std::fs::write(providers.join("disk"), "").expect("a file");
    let old = files.app("apart", APART);
    a.run(&["deploy", text(&old)]).expect_code(0);
    a.wait_for_call("apart/importer", ADD);
    let with_provider = format!("{APART}providers:\n- {{name: disk, type: keyvalue-redb}}\n");
    let new = files.app("apart", &with_provider);
    a.run(&["deploy", text(&new)]).expect_code(0);
    eventually("the host that cannot start it says so", PATIENCE, || {
        let rows = b.get("apps");
        let row = rows.first().cloned().unwrap_or_default();
        match (&row["status"], &row["revision"]) {
            (status, revision) if status == "behind" && *revision == 1 => Ok(()),
            _ => Err(row.to_string()),
        }
    });
    let named = "revision 2 of app `apart` does not start";
    wait_for_own_row(&b, "its inventory says why", |row| {
        notes(row).contains(named)
    });
    eventually("others see it", PATIENCE, || {
        let rows = a.get("hosts");
        match rows[1..].iter().any(|row| notes(row).contains(named)) {
            true => Ok(()),
            false => Err(format!("{rows:?}")),
        }
    });
    a.wait_for_call("apart/importer", ADD);
    // What was in the way is gone, and it starts by itself.
    std::fs::remove_file(providers.join("disk")).expect("it is there");
    eventually("it starts", PATIENCE, || {
        let row = b.get("apps").swap_remove(0);
        match (&row["status"], &row["revision"]) {
            (status, revision) if status == "ready" && *revision == 2 => Ok(()),
            _ => Err(row.to_string()),
        }
    });
    wait_for_own_row(&b, "it has nothing to complain of", |row| {
        notes(row) == "[]"
    });
    a.wait_for_call("apart/importer", ADD);
}

#[test]
fn a_host_that_takes_over_compiles_nothing() {
    let nats = start_nats();
    let a = host(&nats, "place=a");
    let mut others = vec![host(&nats, "place=b"), host(&nats, "place=b")];
    a.wait_for_ready(3);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    a.run(&["deploy", text(&manifest)]).expect_code(0);
    a.wait_for_call("apart/importer", ADD);
    let runs = |weft: &Weft| !weft.own("components").is_empty();
    let compilations = |weft: &Weft| weft.get("hosts")[0]["compilations"].as_u64();
    let running = eventually("one of two runs it", PATIENCE, || {
        let running: Vec<_> = others.iter().map(&runs).collect();
        match running[..] {
            [true, false] => Ok(0),
            [false, true] => Ok(1),
            _ => Err(format!("{running:?}")),
        }
    });
    let mut lost = others.swap_remove(running);
    let heir = &others[0];
    eventually("the other one has compiled it ahead", PATIENCE, || {
        match (compiled(heir.data().path()), runs(heir)) {
            (1.., false) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let before = compilations(heir);
    lost.kill();
    eventually("it takes over", PATIENCE, || {
        runs(heir).then_some(()).ok_or_else(|| "not yet".to_owned())
    });
    a.wait_for_call("apart/importer", ADD);
    assert_eq!(compilations(heir), before);
}

/// The entries of the compile cache in a data directory, each complete.
fn compiled(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let counts = paths.map(|path| match path.is_dir() {
        true => compiled(&path),
        false => usize::from(path.extension().is_some_and(|extension| extension == "mac")),
    });
    counts.sum()
}

/// A file system of a few megabytes, on the directory of a test.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// None if this process may not mount.
    fn mount(directory: &'a Path) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=64m", "weft-test"]);
        let mounted = command.arg(directory).output().ok()?;
        mounted.status.success().then_some(Self(directory))
    }

    /// Leaves no room.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.0.join("filler")).expect("a file");
        for block in [1 << 20, 1 << 12, 1] {
            let block = vec![0xff; block];
            while file.write_all(&block).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("it is there");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily: the host may still have files open.
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[test]
fn a_host_without_a_lattice_whose_disk_is_full_rejects_a_deploy_and_serves_the_old_revision() {
    let data = std::sync::Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let Some(disk) = SmallDisk::mount(data.path()) else {
        eprintln!("skipped: this process may not mount a file system");
        return;
    };
    let weft = Weft::start(&Options {
        data: Some(data.clone()),
        ..Options::default()
    });
    let files = Files::new();
    weft.deployed(&files.app("apart", APART));
    disk.fill();
    let manifest = files.app("apart", &long_app());
    let rejected = weft.deploy(&manifest).expect_code(1);
    rejected.expect_stderr(&["cannot change the desired-state database", "No space left"]);
    let row = weft.get("apps").swap_remove(0);
    assert_eq!(
        (&row["status"], &row["revision"]),
        (&"ready".into(), &1.into())
    );
    weft.wait_for_call("apart/importer", ADD);
    disk.empty();
    weft.deployed(&manifest);
    let weft = weft.restarted();
    assert_eq!(weft.get("apps")[0]["revision"], 2);
    drop(weft);
}

/// The app with more settings than the file of the desired state has room for on a full disk.
fn long_app() -> String {
    let values = (0..20).map(|name| format!("L{name}: {:?}", "x".repeat(20_000)));
    let env = values.collect::<Vec<_>>().join(", ");
    APART.replace(
        "{name: importer,",
        &format!("{{name: importer, env: {{{env}}},"),
    )
}

#[test]
fn a_host_whose_disk_is_full_goes_on_and_says_so() {
    let data = std::sync::Arc::new(tempfile::tempdir().expect("a temporary directory"));
    let Some(disk) = SmallDisk::mount(data.path()) else {
        eprintln!("skipped: this process may not mount a file system");
        return;
    };
    let nats = start_nats();
    let a = host(&nats, "place=a");
    let full = Options {
        data: Some(data.clone()),
        ..Options::default()
    };
    let full = host_with(&nats, "place=b", full);
    a.wait_for_ready(2);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    a.run(&["deploy", text(&manifest)]).expect_code(0);
    a.wait_for_call("apart/importer", ADD);
    disk.fill();
    let manifest = files.app("apart", &long_app());
    a.run(&["deploy", text(&manifest)]).expect_code(0);
    wait_for_own_row(&full, "it says that its disk is full", |row| {
        notes(row).contains("the disk rejects the desired state")
    });
    eventually("the app is ready on both", PATIENCE, || {
        let row = full.get("apps").swap_remove(0);
        match (&row["status"], &row["revision"]) {
            (status, revision) if status == "ready" && *revision == 2 => Ok(()),
            _ => Err(row.to_string()),
        }
    });
    a.wait_for_call("apart/importer", ADD);
    disk.empty();
    wait_for_own_row(&full, "its disk takes it again", |row| notes(row) == "[]");
    drop(full);
}
