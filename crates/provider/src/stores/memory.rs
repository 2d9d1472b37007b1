//! The memory of marks.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{Loss, StoreName};

/// Remembers the marks of stores. In a host it is the desired state, so all hosts of a lattice
/// remember the same.
#[async_trait]
pub trait StoreMemory: Send + Sync + 'static {
    /// Returns the remembered mark; `None` for a store that was never made, and after an operator
    /// has agreed to another one. `found` is the mark of the present store: an implementation that
    /// has a copy of the memory may return it if the copy has it too.
    ///
    /// # Errors
    /// The memory is unavailable. The caller must conclude nothing.
    async fn recall(
        &self,
        store: &StoreName,
        found: Option<&str>,
    ) -> Result<Option<String>, UnavailableMemory>;

    /// Remembers the mark of a store for which none is remembered. Returns the mark that is
    /// remembered then: another one, if another host was faster.
    ///
    /// # Errors
    /// The memory is unavailable. The mark may be remembered.
    async fn remember(&self, store: &StoreName, mark: &str) -> Result<String, UnavailableMemory>;

    /// Reports the state of a store after each comparison. A report that cannot be stored is
    /// repeated after the next one.
    async fn report(&self, store: &StoreName, state: StoreState);
}

/// The state of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreState {
    /// The store is the remembered one.
    Sound,
    /// The store was lost.
    Lost(Loss),
}

/// The memory of marks cannot be read or written at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the desired state, which remembers the store, is unavailable at the moment")]
pub struct UnavailableMemory;

/// Marks in the memory of this process, for checks and tests.
#[derive(Debug, Default)]
pub struct ProcessMemory {
    marks: Mutex<BTreeMap<StoreName, String>>,
}

impl ProcessMemory {
    /// Forgets the mark of a store, as an operator does who agrees to another store.
    pub fn forget(&self, store: &StoreName) {
        self.marks().remove(store);
    }

    fn marks(&self) -> std::sync::MutexGuard<'_, BTreeMap<StoreName, String>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StoreMemory for ProcessMemory {
    async fn recall(
        &self,
        store: &StoreName,
        _found: Option<&str>,
    ) -> Result<Option<String>, UnavailableMemory> {
        Ok(self.marks().get(store).cloned())
    }

    async fn remember(&self, store: &StoreName, mark: &str) -> Result<String, UnavailableMemory> {
        let mut marks = self.marks();
        let remembered = marks
            .entry(store.clone())
            .or_insert_with(|| mark.to_owned());
        Ok(remembered.clone())
    }

    async fn report(&self, _store: &StoreName, _state: StoreState) {}
}
