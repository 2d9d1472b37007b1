//! The file of the contexts: JSON with a version, replaced atomically, and readable for its owner
//! alone.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weft_state::atomic_file;

use crate::artifact::read_at_most;
use crate::contexts::Contexts;
use crate::environment;
use crate::environment::settings::Settings;
use crate::failure::{Failure, Kind};

/// The name of the file in the directory of the user's configuration.
const FILE: &str = "contexts.json";

/// The version of the format that this release reads and writes.
const VERSION: u32 = 1;

/// The maximum size of the file: the maximum number of contexts with a kilobyte each.
const FILE_BYTES_MAX: usize = 256 * 1024;

/// The mode of the directory: accessible for its owner only.
const DIRECTORY_MODE: u32 = 0o700;

/// The file with the contexts of a user.
#[derive(Debug)]
pub(super) struct ContextFile {
    path: PathBuf,
}

/// The version of the format, whatever else the file contains.
#[derive(Debug, Deserialize)]
struct Version {
    version: u32,
}

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_use: Option<String>,
    #[serde(default)]
    contexts: BTreeMap<String, Settings>,
}

impl ContextFile {
    /// The file of the user; `None` without a home directory.
    pub(super) fn of_user() -> Option<Self> {
        let path = environment::config_directory()?.join(FILE);
        Some(Self { path })
    }

    /// Reads the contexts; none if the file is missing.
    ///
    /// # Errors
    /// The file cannot be read, or is invalid.
    pub(super) fn read(&self) -> Result<Contexts, Failure> {
        match read_at_most(&self.path, FILE_BYTES_MAX) {
            Ok(bytes) => self.parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Contexts::default()),
            Err(error) => Err(self.failure("cannot be read").caused_by(&error)),
        }
    }

    /// Changes the contexts. Two changes at the same moment would undo each other, so the directory
    /// is locked.
    ///
    /// # Errors
    /// The file is invalid, cannot be written or is being changed, or `change` fails.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Contexts) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _lock = self.lock()?;
        let mut contexts = self.read()?;
        let outcome = change(&mut contexts)?;
        self.write(&contexts)?;
        Ok(outcome)
    }

    /// Locks the directory until the handle is dropped.
    fn lock(&self) -> Result<File, Failure> {
        let unwritable = |error: &io::Error| self.failure("cannot be written").caused_by(error);
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let mut builder = DirBuilder::new();
        let builder = builder.recursive(true).mode(DIRECTORY_MODE);
        let created = builder.create(directory);
        created.map_err(|error| unwritable(&error))?;
        let handle = File::open(directory).map_err(|error| unwritable(&error))?;
        match handle.try_lock() {
            Ok(()) => Ok(handle),
            Err(TryLockError::WouldBlock) => Err(self
                .failure("is being changed by another command")
                .or_help("repeat the command")),
            Err(TryLockError::Error(error)) => Err(unwritable(&error)),
        }
    }

    fn write(&self, contexts: &Contexts) -> Result<(), Failure> {
        let Contexts { in_use, contexts } = contexts.clone();
        let content = Content {
            version: VERSION,
            in_use,
            contexts,
        };
        let mut bytes = serde_json::to_vec_pretty(&content)
            .map_err(|error| self.failure("cannot be encoded").caused_by(&error))?;
        bytes.push(b'\n');
        if bytes.len() > FILE_BYTES_MAX {
            return Err(self.too_large());
        }
        atomic_file::write(&self.path, &bytes)
            .map_err(|error| self.failure("cannot be written").caused_by(&error))
    }

    fn parse(&self, bytes: &[u8]) -> Result<Contexts, Failure> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(self.too_large());
        }
        let invalid = |error: &serde_json::Error| {
            self.failure("is invalid").caused_by(error).or_help(
                "correct the file, or remove it and add the contexts again with `weft context add`",
            )
        };
        let Version { version } = serde_json::from_slice(bytes).map_err(|error| invalid(&error))?;
        if version != VERSION {
            let message =
                format!("has version {version}, and this release reads version {VERSION}");
            return Err(self
                .failure(&message)
                .or_help("use the release of weft that wrote the file"));
        }
        let Content {
            in_use, contexts, ..
        } = serde_json::from_slice(bytes).map_err(|error| invalid(&error))?;
        Ok(Contexts { in_use, contexts })
    }

    fn too_large(&self) -> Failure {
        let message = format!("is too large: expected at most {FILE_BYTES_MAX} bytes");
        self.failure(&message)
            .or_help("remove contexts with `weft context remove NAME`, or remove the file")
    }

    fn failure(&self, message: &str) -> Failure {
        let path = self.path.display();
        Failure::new(
            Kind::Input,
            format!("the file of contexts `{path}` {message}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::contexts::Existing;

    fn file(directory: &Path) -> ContextFile {
        ContextFile {
            path: directory.join("weft").join(FILE),
        }
    }

    fn add(contexts: &mut Contexts) -> Result<(), Failure> {
        let settings = Settings {
            nats: vec!["nats://10.0.0.1:4222".to_owned()],
            nats_creds: Some("/etc/prod.creds".into()),
            ..Settings::default()
        };
        contexts.add("prod", settings, Existing::Keep)?;
        contexts.select(Some("prod"))
    }

    #[test]
    fn a_change_is_stored_for_the_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(directory.path());
        assert_eq!(file.read().unwrap(), Contexts::default());
        file.change(add).unwrap();
        let (name, settings) = file.read().unwrap().into_selected(None).unwrap().unwrap();
        assert_eq!(name, "prod");
        assert_eq!(settings.nats_creds, Some("/etc/prod.creds".into()));
        let mode = fs::metadata(&file.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_failed_change_stores_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(directory.path());
        let failed = file.change(|contexts| {
            add(contexts)?;
            contexts.remove("other")
        });
        failed.unwrap_err();
        assert_eq!(file.read().unwrap(), Contexts::default());
    }

    #[test]
    fn two_changes_at_the_same_moment_do_not_undo_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(directory.path());
        let outcome = file.change(|_| Ok(file.change(add)));
        let text = format!("{:?}", outcome.unwrap().unwrap_err());
        assert!(text.contains("by another command"), "{text}");
        file.change(add).unwrap();
    }

    #[test]
    fn an_invalid_file_is_a_mistake_with_a_next_step() {
        let large = " ".repeat(FILE_BYTES_MAX + 1);
        let cases = [
            ("", "line 1"),
            ("{}", "missing field `version`"),
            (r#"{"version": 2, "new": 1}"#, "has version 2"),
            (
                r#"{"version": 1, "contextz": {}}"#,
                "unknown field `contextz`",
            ),
            (
                r#"{"version": 1, "contexts": {"a": {"natz": []}}}"#,
                "unknown field `natz`",
            ),
            (
                r#"{"version": 1, "contexts": {"a": {"nats_password": "x"}}}"#,
                "unknown field `nats_password`",
            ),
            (&large, "too large"),
        ];
        let directory = tempfile::tempdir().unwrap();
        let file = file(directory.path());
        fs::create_dir(directory.path().join("weft")).unwrap();
        for (text, part) in cases {
            fs::write(&file.path, text).unwrap();
            let failure = format!("{:?}", file.read().unwrap_err());
            assert!(failure.contains(part), "{failure}");
            assert!(failure.contains("help: Some"), "{failure}");
            file.change(add).unwrap_err();
        }
    }
}
