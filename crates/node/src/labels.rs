//! The labels of this host: those that it was started with, and over them the overrides of `weft
//! label`, which are stored in the data directory.
//!
//! Overrides win at later starts too: `--label` is in a file that was written once, and an operator
//! has looked at the running host since. Removals are stored as well, so that they last.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use weft_membership::message::{LabelError, Labels, MAX_LABELS};
use weft_state::atomic_file;

/// The largest file that is read: far beyond the size of the most labels.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The most overrides: every label replaced, and as many removed.
const OVERRIDES_MAX: usize = 2 * MAX_LABELS;

/// The labels of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HostLabels(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// The labels from `--label`.
    initial: BTreeMap<String, String>,
    /// Locked while the file is written, never across an await.
    overrides: Mutex<Overrides>,
    current: watch::Sender<Labels>,
}

/// The overrides of `weft label`, by name; `None` removes the label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Overrides {
    labels: BTreeMap<String, Option<String>>,
}

/// The reason labels cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    /// A label is invalid, or there are too many.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// There are too many overrides.
    #[error("expected at most {OVERRIDES_MAX} labels set or removed with `weft label`, found more")]
    TooMany,
    /// The overrides cannot be read.
    #[error("cannot read the labels in `{path}`; correct the file, or delete it to drop them")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The overrides cannot be written.
    #[error("cannot write the labels to `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl HostLabels {
    /// The labels of a host that was started with `initial`, with the overrides stored in `path`.
    ///
    /// # Errors
    /// A [`LabelsError`].
    pub fn open(path: PathBuf, initial: &BTreeMap<String, String>) -> Result<Self, LabelsError> {
        let overrides = read(&path).map_err(|source| LabelsError::Read {
            path: path.clone(),
            source,
        })?;
        for (name, value) in &overrides.labels {
            if let Some(initial) = initial
                .get(name)
                .filter(|initial| Some(*initial) != value.as_ref())
            {
                tracing::info!(
                    name,
                    initial,
                    value = value.as_deref().unwrap_or("none"),
                    "`weft label` overrides `--label`"
                );
            }
        }
        let current = merged(initial, &overrides)?;
        Ok(Self(Arc::new(Shared {
            path,
            initial: initial.clone(),
            overrides: Mutex::new(overrides),
            current: watch::Sender::new(current),
        })))
    }

    /// The current labels.
    pub fn current(&self) -> Labels {
        self.0.current.borrow().clone()
    }

    /// The labels, now and later.
    pub fn watch(&self) -> watch::Receiver<Labels> {
        self.0.current.subscribe()
    }

    /// The labels after a change, without making it.
    ///
    /// # Errors
    /// As [`change`](Self::change).
    pub fn preview(
        &self,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<Labels, LabelsError> {
        let shared = &self.0;
        let overrides = shared.overrides.lock();
        let overrides = overrides.unwrap_or_else(PoisonError::into_inner);
        Ok(shared.changed(&overrides, changes)?.1)
    }

    /// Sets the labels that have a value and removes the others, all or none. The change is on disk
    /// when this returns. Blocks.
    ///
    /// # Errors
    /// A [`LabelsError`]; then nothing is changed.
    pub fn change(
        &self,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<Labels, LabelsError> {
        let shared = &self.0;
        let mut overrides = shared
            .overrides
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (next, current) = shared.changed(&overrides, changes)?;
        if next != *overrides {
            write(&shared.path, &next).map_err(|source| LabelsError::Write {
                path: shared.path.clone(),
                source,
            })?;
            *overrides = next;
        }
        shared.current.send_if_modified(|labels| {
            let changed = *labels != current;
            labels.clone_from(&current);
            changed
        });
        Ok(current)
    }
}

impl Shared {
    /// The overrides and the labels after a change.
    fn changed(
        &self,
        overrides: &Overrides,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(Overrides, Labels), LabelsError> {
        let mut next = overrides.clone();
        for (name, value) in changes {
            // The name of a removed label is stored, so it has to be valid too.
            Labels::default().set(name, value.as_deref().unwrap_or_default())?;
            if value.is_none() && !self.initial.contains_key(name) {
                next.labels.remove(name);
            } else {
                next.labels.insert(name.clone(), value.clone());
            }
        }
        if next.labels.len() > OVERRIDES_MAX {
            return Err(LabelsError::TooMany);
        }
        let labels = merged(&self.initial, &next)?;
        Ok((next, labels))
    }
}

fn merged(initial: &BTreeMap<String, String>, overrides: &Overrides) -> Result<Labels, LabelError> {
    let unchanged = initial
        .iter()
        .filter(|(name, _)| !overrides.labels.contains_key(*name));
    let set = overrides.labels.iter();
    let set = set.filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let mut labels = Labels::default();
    for (name, value) in unchanged.chain(set) {
        labels.set(name, value)?;
    }
    Ok(labels)
}

fn read(path: &Path) -> io::Result<Overrides> {
    match std::fs::metadata(path) {
        Ok(file) if file.len() > FILE_BYTES_MAX => {
            let found = file.len();
            let message = format!("expected at most {FILE_BYTES_MAX} bytes, found {found}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Overrides::default()),
        Err(error) => return Err(error),
    }
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn write(path: &Path, overrides: &Overrides) -> io::Result<()> {
    atomic_file::write(path, &serde_json::to_vec_pretty(overrides)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn change(labels: &HostLabels, changes: &[(&str, Option<&str>)]) -> Result<String, String> {
        let changes = changes.iter().map(|(name, value)| {
            let value = value.map(str::to_owned);
            ((*name).to_owned(), value)
        });
        let changed = labels.change(&changes.collect());
        changed
            .map(|labels| text(&labels))
            .map_err(|error| error.to_string())
    }

    fn text(labels: &Labels) -> String {
        let pairs = labels.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn overrides_outlive_a_restart_and_win_over_initial_labels() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("labels.json");
        let open =
            |initial: &[(&str, &str)]| HostLabels::open(path.clone(), &map(initial)).unwrap();
        let labels = open(&[("cloud", "a"), ("zone", "a1")]);
        assert_eq!(text(&labels.current()), "cloud=a zone=a1");
        let overrides = [("zone", Some("a2")), ("cloud", None), ("gpu", Some("yes"))];
        assert_eq!(change(&labels, &overrides).unwrap(), "gpu=yes zone=a2");
        assert_eq!(text(&labels.watch().borrow()), "gpu=yes zone=a2");
        let preview = labels.preview(&BTreeMap::from([("zone".to_owned(), None)]));
        assert_eq!(text(&preview.unwrap()), "gpu=yes");
        assert_eq!(text(&labels.current()), "gpu=yes zone=a2");
        let again = open(&[("cloud", "a"), ("zone", "a3"), ("rack", "7")]);
        assert_eq!(text(&again.current()), "gpu=yes rack=7 zone=a2");
        // The removal of a label that `--label` does not set needs no override.
        assert_eq!(change(&again, &[("gpu", None)]).unwrap(), "rack=7 zone=a2");
        assert_eq!(text(&open(&[]).current()), "zone=a2");
    }

    #[test]
    fn an_invalid_change_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("labels.json");
        let labels = HostLabels::open(path.clone(), &map(&[("cloud", "a")])).unwrap();
        for (name, value) in [("", Some("a")), ("a b", None), ("zone", Some("a b"))] {
            let error = change(&labels, &[("cloud", Some("b")), (name, value)]).unwrap_err();
            assert!(error.contains("expected"), "{error}");
        }
        let many: Vec<_> = (0..=MAX_LABELS)
            .map(|number| format!("l{number}"))
            .collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), Some("x"))).collect();
        assert!(change(&labels, &many).unwrap_err().contains("at most"));
        assert_eq!(text(&labels.current()), "cloud=a");
        assert!(!path.exists());
    }

    #[test]
    fn a_malformed_file_is_named_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("labels.json");
        std::fs::write(&path, "{torn").unwrap();
        let error = HostLabels::open(path.clone(), &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("labels.json"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"{torn");
    }

    #[test]
    fn a_change_that_cannot_be_written_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing/labels.json");
        let labels = HostLabels::open(path, &BTreeMap::new()).unwrap();
        let error = change(&labels, &[("cloud", Some("a"))]).unwrap_err();
        assert!(error.contains("cannot write"), "{error}");
        assert_eq!(text(&labels.current()), "");
    }
}
