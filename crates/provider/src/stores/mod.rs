//! Stores that were lost: a provider never takes one for a new and empty one.
//!
//! A provider writes a *mark*, random digits, into each store that it makes: the database file or
//! the bucket with its data. The host remembers the mark ([`StoreMemory`]). Before operations a
//! [`StoreGuard`] compares both. A store that is missing, or has another mark, was lost: operations
//! fail until it is back, or an operator agrees to begin again with `weft keyvalue accept`.
//!
//! The mark is data of the store, so it is lost, copied and restored together with that.

mod guard;
mod memory;

use std::fmt;

pub use guard::{GuardError, Loss, StoreGuard};
pub use memory::{ProcessMemory, StoreMemory, StoreState, UnavailableMemory};

use async_trait::async_trait;

/// A store of a provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName {
    /// The app of the provider.
    pub app: String,
    /// The provider.
    pub provider: String,
    /// The place of the store. The settings of a provider may name another place later: the store
    /// there is another one.
    pub place: String,
}

/// A store that can have a mark.
#[async_trait]
pub trait MarkedStore: Send + Sync {
    /// An error of the store.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Reads the mark; `None` if the store is missing or has no mark.
    ///
    /// # Errors
    /// The store cannot be read at the moment.
    async fn mark(&self) -> Result<Option<String>, Self::Error>;

    /// Makes the store if it is missing, and writes `mark` unless it has a mark, at once for all
    /// callers. Returns the mark that it has then.
    ///
    /// # Errors
    /// The store cannot be written at the moment. It may have been made.
    async fn make(&self, mark: &str) -> Result<String, Self::Error>;
}

impl fmt::Display for StoreName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.app, self.provider)
    }
}
