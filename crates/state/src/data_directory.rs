//! The folder of a host in its data directory, which no other user can read or write.
//!
//! The data directory itself may be open to others: an `emptyDir` of Kubernetes has mode 0777. So
//! the host makes a folder of its own in it, [`PRIVATE`], and refuses one that another user has
//! made.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::store::{Store, StoreError};

/// The name of the host's folder in a data directory.
pub const PRIVATE: &str = "private";

/// The name of the database of the desired state.
pub const STATE_FILE: &str = "state.redb";

/// The name of the key of the compile cache.
pub const CACHE_KEY_FILE: &str = "cache.key";

/// The mode of folders: for the host's own user only.
const FOLDER_MODE: u32 = 0o700;

/// The bits of a mode by which others can read or write.
const OTHERS: u32 = 0o077;

/// The bits of a mode by which others can write.
const OTHERS_WRITE: u32 = 0o022;

/// The bit of a mode by which only the owner of a file in a folder can replace it.
const STICKY: u32 = 0o1000;

/// The files of earlier releases that are moved. The database is the last one: until it is moved,
/// the others are looked for again.
const MOVED: [&str; 6] = [
    "artifacts",
    "providers",
    "labels.json",
    "host.life",
    "host.key",
    STATE_FILE,
];

/// The files of earlier releases that are written anew. Machine code was readable for others, and
/// with some settings writable, so none of it is loaded again.
const DROPPED: [&str; 4] = ["cache", CACHE_KEY_FILE, "admin.token", "admin.address"];

/// The reasons why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirectoryError {
    /// The folder belongs to another user, or is not a folder.
    #[error(
        "the folder `{path}` in the data directory is not this host's own: expected a folder of user \
         {expected}, found {found}; remove it, or choose another `--data-dir`"
    )]
    NotOwn {
        /// The folder.
        path: PathBuf,
        /// The user of this process.
        expected: u32,
        /// The found file.
        found: String,
    },
    /// The files of an earlier release are in use, or cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file system failed.
    #[error("cannot use the data directory `{path}`")]
    Io {
        /// The directory or a file in it.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
}

/// The folder of a host in its data directory.
#[must_use]
pub fn private(data_directory: &Path) -> PathBuf {
    data_directory.join(PRIVATE)
}

/// Makes the folder of a host, moves the files of an earlier release into it, and returns its path.
/// Blocks.
///
/// # Errors
/// A [`DataDirectoryError`].
pub fn prepare(data_directory: &Path) -> Result<PathBuf, DataDirectoryError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| DataDirectoryError::Io { path, source }
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(FOLDER_MODE);
    builder
        .create(data_directory)
        .map_err(failed(data_directory))?;
    warn_of_open_directory(data_directory);
    let folder = private(data_directory);
    match DirBuilder::new().mode(FOLDER_MODE).create(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(&folder)(error)),
    }
    check_own(&folder)?;
    move_earlier_files(data_directory, &folder)?;
    Ok(folder)
}

/// Checks that the folder is this user's, and closes it for others.
fn check_own(folder: &Path) -> Result<(), DataDirectoryError> {
    let failed = |source| DataDirectoryError::Io {
        path: folder.to_owned(),
        source,
    };
    let found = fs::symlink_metadata(folder).map_err(failed)?;
    let user = rustix::process::geteuid().as_raw();
    if !found.is_dir() || found.uid() != user {
        return Err(DataDirectoryError::NotOwn {
            path: folder.to_owned(),
            expected: user,
            found: describe(&found),
        });
    }
    let mode = found.mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    tracing::warn!(
        path = %folder.display(),
        mode = format!("{:o}", mode & 0o7777),
        "the folder of the host was open to other users; its mode is now 0700"
    );
    fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE)).map_err(failed)?;
    if mode & OTHERS_WRITE != 0 {
        // Others may have replaced the key, and with it authenticated machine code of their own.
        remove(&folder.join(CACHE_KEY_FILE)).map_err(failed)?;
    }
    Ok(())
}

/// Only the owner of the folder can replace it in a directory that is not open to others.
fn warn_of_open_directory(data_directory: &Path) {
    let Ok(found) = fs::metadata(data_directory) else {
        return;
    };
    if found.mode() & OTHERS_WRITE != 0 && found.mode() & STICKY == 0 {
        tracing::info!(
            path = %data_directory.display(),
            "every user who can write to the data directory can stop its next host from starting"
        );
    }
}

/// Moves the files of a release that stored them in the data directory itself. They stay if there
/// are new ones.
fn move_earlier_files(data_directory: &Path, folder: &Path) -> Result<(), DataDirectoryError> {
    let earlier = data_directory.join(STATE_FILE);
    if !is_own_file(&earlier) || folder.join(STATE_FILE).exists() {
        return Ok(());
    }
    // Fails while a host of that release runs.
    drop(Store::open(&earlier)?);
    tracing::info!(
        from = %data_directory.display(),
        to = %folder.display(),
        "moving the files of an earlier release"
    );
    for name in DROPPED {
        let path = data_directory.join(name);
        remove(&path).map_err(|source| DataDirectoryError::Io { path, source })?;
    }
    for name in MOVED {
        let path = data_directory.join(name);
        if !is_own(&path) {
            continue;
        }
        let moved = fs::rename(&path, folder.join(name));
        moved.map_err(|source| DataDirectoryError::Io { path, source })?;
    }
    let state = folder.join(STATE_FILE);
    let closed = fs::set_permissions(
        &state,
        Permissions::from_mode(crate::atomic_file::OWNER_MODE),
    );
    closed.map_err(|source| DataDirectoryError::Io {
        path: state,
        source,
    })
}

/// Removes a file or folder of this user, if there is one.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_own_file(path: &Path) -> bool {
    is_own(path) && fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// True for a file or folder of this user that is not a link.
fn is_own(path: &Path) -> bool {
    let user = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|found| !found.is_symlink() && found.uid() == user)
}

fn describe(found: &Metadata) -> String {
    let kind = match found {
        found if found.is_symlink() => "a symbolic link",
        found if found.is_dir() => "a folder",
        _ => "a file",
    };
    format!("{kind} of user {}", found.uid())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_host_has_a_folder_of_its_own_in_a_directory_that_is_open_to_all() {
        let directory = tempfile::tempdir().unwrap();
        set_mode(directory.path(), 0o777);
        let folder = prepare(directory.path()).unwrap();
        assert_eq!(mode(&folder), FOLDER_MODE);
        assert_eq!(mode(directory.path()), 0o777);
        assert_eq!(prepare(directory.path()).unwrap(), folder);
        let new = directory.path().join("a/b");
        prepare(&new).unwrap();
        assert_eq!(mode(&new), FOLDER_MODE);
    }

    #[test]
    fn a_link_or_a_file_in_place_of_the_folder_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (folder, other) = (private(directory.path()), tempfile::tempdir().unwrap());
        symlink(other.path(), &folder).unwrap();
        let error = prepare(directory.path()).unwrap_err().to_string();
        assert!(error.contains("found a symbolic link of user"), "{error}");
        fs::remove_file(&folder).unwrap();
        fs::write(&folder, "").unwrap();
        let error = prepare(directory.path()).unwrap_err().to_string();
        assert!(error.contains("found a file of user"), "{error}");
    }

    #[test]
    fn a_folder_that_was_opened_is_closed_and_its_machine_code_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let folder = prepare(directory.path()).unwrap();
        let key = folder.join(CACHE_KEY_FILE);
        fs::write(&key, "key").unwrap();
        set_mode(&folder, 0o755);
        prepare(directory.path()).unwrap();
        assert_eq!((mode(&folder), key.exists()), (FOLDER_MODE, true));
        set_mode(&folder, 0o770);
        prepare(directory.path()).unwrap();
        assert_eq!((mode(&folder), key.exists()), (FOLDER_MODE, false));
    }

    #[test]
    fn the_files_of_an_earlier_release_are_moved_unless_it_runs() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let running = Store::open(path(STATE_FILE)).unwrap();
        fs::create_dir_all(path("providers/shop")).unwrap();
        fs::create_dir(path("cache")).unwrap();
        fs::write(path("host.key"), "key").unwrap();
        fs::write(path("notes.txt"), "of the user").unwrap();
        let in_use = prepare(directory.path()).unwrap_err();
        assert!(matches!(
            in_use,
            DataDirectoryError::Store(StoreError::InUse { .. })
        ));
        drop(running);
        let folder = prepare(directory.path()).unwrap();
        assert_eq!(mode(&folder.join(STATE_FILE)), 0o600);
        Store::open(folder.join(STATE_FILE)).unwrap();
        assert!(folder.join("providers/shop").is_dir());
        assert_eq!(fs::read_to_string(folder.join("host.key")).unwrap(), "key");
        for name in [STATE_FILE, "providers", "cache", "host.key"] {
            assert!(!path(name).exists(), "{name}");
        }
        assert!(path("notes.txt").exists());
        // A later start finds nothing to move.
        prepare(directory.path()).unwrap();
    }
}
