//! The comparison of a store with the memory of its mark.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{MarkedStore, StoreMemory, StoreName, StoreState, UnavailableMemory};

/// The time after which a lost store is looked for again: an operation of a guest in a loop must
/// not become a loop of requests.
const LOST_RECHECK: Duration = Duration::from_secs(1);

/// The number of random bytes of a mark.
const MARK_RANDOM_BYTES: usize = 16;

/// Compares one store with the memory of its mark. All operations on the store share it.
pub struct StoreGuard {
    memory: Arc<dyn StoreMemory>,
    store: StoreName,
    recheck: Duration,
    /// The last comparison.
    last: Mutex<Option<Comparison>>,
    /// Held during a comparison: other operations wait for its outcome.
    turn: tokio::sync::Mutex<()>,
}

/// A store that was lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the data of provider `{provider}` of app `{app}` was lost: {found}; restore it, or begin without \
     it: `weft keyvalue accept {app} {provider}`"
)]
pub struct Loss {
    app: String,
    provider: String,
    found: &'static str,
}

impl Loss {
    /// The finding at the place of the store.
    #[must_use]
    pub fn found(&self) -> &'static str {
        self.found
    }
}

/// The reasons why a store must not be used.
#[derive(Debug, thiserror::Error)]
pub enum GuardError<E: std::error::Error + 'static> {
    /// The store was lost.
    #[error(transparent)]
    Lost(Loss),
    /// The memory of marks is unavailable.
    #[error(transparent)]
    Memory(#[from] UnavailableMemory),
    /// The store failed.
    #[error(transparent)]
    Store(E),
    /// The random number generator of the system failed.
    #[error("no mark can be made: the random number generator of the system failed")]
    Random,
}

struct Comparison {
    at: Instant,
    /// The session of the connection to the store, in which it was made.
    session: Option<Instant>,
    outcome: Result<(), Loss>,
}

/// Generates a mark.
///
/// # Errors
/// The random number generator of the system failed.
fn new_mark<E: std::error::Error>() -> Result<String, GuardError<E>> {
    let mut bytes = [0; MARK_RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| GuardError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl StoreGuard {
    /// Creates the guard of a store. A comparison is made again after `recheck`.
    #[must_use]
    pub fn new(memory: Arc<dyn StoreMemory>, store: StoreName, recheck: Duration) -> Self {
        Self {
            memory,
            store,
            recheck,
            last: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Checks that the store is the remembered one; on first use it is made and remembered. The
    /// last outcome is returned if it is recent and of the same `session`, the start of the
    /// connection to the store; `None` if the store cannot change between connections.
    ///
    /// Dropping the future leaves open whether the store was made.
    ///
    /// # Errors
    /// A [`GuardError`]: the store must not be used.
    pub async fn check<S: MarkedStore>(
        &self,
        store: &S,
        session: Option<Instant>,
    ) -> Result<(), GuardError<S::Error>> {
        if let Some(outcome) = self.recent(session) {
            return outcome.map_err(GuardError::Lost);
        }
        let _turn = self.turn.lock().await;
        if let Some(outcome) = self.recent(session) {
            return outcome.map_err(GuardError::Lost);
        }
        let outcome = self.compare(store).await?;
        let state = match &outcome {
            Ok(()) => StoreState::Sound,
            Err(loss) => StoreState::Lost(loss.clone()),
        };
        self.memory.report(&self.store, state).await;
        *self.last() = Some(Comparison {
            at: Instant::now(),
            session,
            outcome: outcome.clone(),
        });
        outcome.map_err(GuardError::Lost)
    }

    /// Has the next operation compare again, after one that did not find the store.
    pub fn forget(&self) {
        *self.last() = None;
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Comparison>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self, session: Option<Instant>) -> Option<Result<(), Loss>> {
        let last = self.last();
        let last = last.as_ref()?;
        let recheck = match last.outcome {
            Ok(()) => self.recheck,
            Err(_) => self.recheck.min(LOST_RECHECK),
        };
        let is_recent = last.session == session && last.at.elapsed() < recheck;
        is_recent.then(|| last.outcome.clone())
    }

    async fn compare<S: MarkedStore>(
        &self,
        store: &S,
    ) -> Result<Result<(), Loss>, GuardError<S::Error>> {
        let found = store.mark().await.map_err(GuardError::Store)?;
        let remembered = self.memory.recall(&self.store, found.as_deref()).await?;
        let Some(remembered) = remembered else {
            return self.make(store).await;
        };
        if found.as_ref() == Some(&remembered) {
            return Ok(Ok(()));
        }
        // Another host may have made and remembered the store between both.
        let found = store.mark().await.map_err(GuardError::Store)?;
        Ok(self.outcome(&remembered, found.as_deref()))
    }

    /// Makes the store, or takes the present one, and remembers it. Nothing was written into it
    /// before it is remembered, so nothing is lost if this ends halfway.
    async fn make<S: MarkedStore>(
        &self,
        store: &S,
    ) -> Result<Result<(), Loss>, GuardError<S::Error>> {
        let found = store.make(&new_mark()?).await.map_err(GuardError::Store)?;
        let remembered = self.memory.remember(&self.store, &found).await?;
        Ok(self.outcome(&remembered, Some(&found)))
    }

    fn outcome(&self, remembered: &str, found: Option<&str>) -> Result<(), Loss> {
        let found = match found {
            Some(found) if found == remembered => return Ok(()),
            Some(_) => "another store is in its place",
            None => "the store is missing or was emptied",
        };
        Err(Loss {
            app: self.store.app.clone(),
            provider: self.store.provider.clone(),
            found,
        })
    }
}

#[cfg(test)]
mod tests;
