//! The stores of a local network: what the servers of a real one keep, in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

/// All that the stores of a network hold. A copy of it is an older state that they can be given back.
#[derive(Clone, Debug, Default)]
pub struct StoreContent {
    pub buckets: HashMap<String, BucketContent>,
    pub objects: HashMap<String, HashMap<String, Bytes>>,
    /// Counts how often the content was replaced: a watcher then begins anew.
    pub age: u64,
}

/// The records of one bucket.
#[derive(Clone, Debug, Default)]
pub struct BucketContent {
    /// By key, with their revisions.
    pub records: BTreeMap<String, (u64, Bytes)>,
    /// The last revision.
    pub last: u64,
}

/// The content, who cannot reach it, and a counter for those who wait for a change of either.
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

    /// Calls `visit` with the content, if the host `name` can reach it.
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
