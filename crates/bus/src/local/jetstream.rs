//! In-memory buckets and objects of a local network, in place of JetStream.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

/// The content of a network's buckets. A copy of it is a state to which they can be reset.
#[derive(Clone, Debug, Default)]
pub struct JetStreamContent {
    /// Key-value buckets by name.
    pub buckets: HashMap<String, BucketContent>,
    /// Objects by bucket, and within it by their digest in hexadecimal.
    pub objects: HashMap<String, HashMap<String, ObjectContent>>,
    /// Number of replacements of the content; a watcher starts over when it changes.
    pub generation: u64,
}

/// An object, and the time of its last write.
#[derive(Clone, Debug)]
pub struct ObjectContent {
    /// The bytes.
    pub bytes: Bytes,
    /// The time of the write.
    pub written: Instant,
}

/// The records of one bucket.
#[derive(Clone, Debug, Default)]
pub struct BucketContent {
    /// Value and revision by key.
    pub records: BTreeMap<String, (u64, Bytes)>,
    /// Revision of the last write.
    pub last_revision: u64,
}

/// Decides whether a host's write of a record (bucket, key, value) takes place. A refused write
/// fails as if the bucket were unreachable.
pub type WriteFilter = Box<dyn FnMut(&str, &str, &[u8]) -> bool + Send>;

/// The content, the hosts that cannot reach it, and a change counter over both.
#[derive(Clone)]
pub(super) struct LocalJetStream {
    state: Arc<Mutex<State>>,
    write_filter: Arc<Mutex<Option<WriteFilter>>>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    content: JetStreamContent,
    unreachable_for: HashSet<String>,
}

impl LocalJetStream {
    pub(super) fn new() -> Self {
        Self {
            state: Arc::default(),
            write_filter: Arc::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// Calls `visit` with the content; `None` if the host `name` cannot reach it.
    pub(super) fn visit<T>(
        &self,
        name: &str,
        visit: impl FnOnce(&mut JetStreamContent) -> T,
    ) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unreachable = state.unreachable_for.contains(name);
        (!is_unreachable).then(|| visit(&mut state.content))
    }

    pub(super) fn set_unreachable_for(&self, names: &[&str]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unreachable_for = names.iter().map(|name| (*name).to_owned()).collect();
        drop(state);
        self.notify_changed();
    }

    pub(super) fn set_write_filter(&self, filter: WriteFilter) {
        *self.filter() = Some(filter);
    }

    /// Passes a write through the filter, which may write to the bucket itself.
    pub(super) fn admits(&self, bucket: &str, key: &str, value: &[u8]) -> bool {
        let Some(mut filter) = self.filter().take() else {
            return true;
        };
        let is_admitted = filter(bucket, key, value);
        self.filter().get_or_insert(filter);
        is_admitted
    }

    fn filter(&self) -> MutexGuard<'_, Option<WriteFilter>> {
        // No code panics while holding the lock.
        self.write_filter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn content(&self) -> JetStreamContent {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.content.clone()
    }

    pub(super) fn replace(&self, content: JetStreamContent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = state.content.generation + 1;
        state.content = JetStreamContent {
            generation,
            ..content
        };
        drop(state);
        self.notify_changed();
    }

    pub(super) fn notify_changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
