//! In-memory buckets and objects of a local network, in place of JetStream.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

/// The content of a network's stores. A copy of it is a state to which they can be reset.
#[derive(Clone, Debug, Default)]
pub struct StoreContent {
    /// Key-value buckets by name.
    pub buckets: HashMap<String, BucketContent>,
    /// Objects by bucket, and within it by their digest in hexadecimal.
    pub objects: HashMap<String, HashMap<String, Bytes>>,
    /// Number of replacements of the content; a watcher starts over when it changes.
    pub age: u64,
}

/// The records of one bucket.
#[derive(Clone, Debug, Default)]
pub struct BucketContent {
    /// Value and revision by key.
    pub records: BTreeMap<String, (u64, Bytes)>,
    /// Revision of the last write.
    pub last: u64,
}

/// The content, the hosts that cannot reach it, and a change counter over both.
#[derive(Clone)]
pub(super) struct LocalStore {
    state: Arc<Mutex<State>>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    content: StoreContent,
    away_from: HashSet<String>,
}

impl LocalStore {
    pub(super) fn new() -> Self {
        Self {
            state: Arc::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// Calls `visit` with the content; `None` if the host `name` cannot reach it.
    pub(super) fn visit<T>(
        &self,
        name: &str,
        visit: impl FnOnce(&mut StoreContent) -> T,
    ) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_away = state.away_from.contains(name);
        (!is_away).then(|| visit(&mut state.content))
    }

    pub(super) fn set_away_from(&self, names: &[&str]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.away_from = names.iter().map(|name| (*name).to_owned()).collect();
        drop(state);
        self.tell_changed();
    }

    pub(super) fn content(&self) -> StoreContent {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.content.clone()
    }

    pub(super) fn replace(&self, content: StoreContent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let age = state.content.age + 1;
        state.content = StoreContent { age, ..content };
        drop(state);
        self.tell_changed();
    }

    pub(super) fn tell_changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
