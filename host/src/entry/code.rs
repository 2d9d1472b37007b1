//! The machine code of an entry: loaded when a request needs it, dropped when none has for a while.
//!
//! Loaded code costs some hundreds of kibibytes of an entry, and a lattice has many entries that
//! nobody calls. What is kept of an idle one is its recipe; loading it again takes about a
//! millisecond (see `docs/performance.md`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Failure;
use crate::linking::{EntryPre, Prepared, Preparer, Recipe};

/// How long code stays loaded after the last request.
const CODE_IDLE_MAX: Duration = Duration::from_secs(20);

/// An entry's code, loaded or not.
pub(crate) struct Code {
    pub(super) recipe: Recipe,
    preparer: Preparer,
    loaded: Mutex<Loaded>,
    /// Held while loading, so that many first requests load once.
    loading: tokio::sync::Mutex<()>,
}

struct Loaded {
    pre: Option<Arc<EntryPre>>,
    used: Instant,
}

impl Code {
    pub(crate) fn new(prepared: Prepared, preparer: Preparer) -> Self {
        let loaded = Loaded {
            pre: Some(Arc::new(prepared.pre)),
            used: Instant::now(),
        };
        Self {
            recipe: prepared.recipe,
            preparer,
            loaded: Mutex::new(loaded),
            loading: tokio::sync::Mutex::new(()),
        }
    }

    /// The code, loaded if it is not.
    ///
    /// # Errors
    /// [`Failure::NotLoaded`] if the cache has lost it and it cannot be made again.
    pub(super) async fn get(&self) -> Result<Arc<EntryPre>, Failure> {
        if let Some(pre) = self.if_loaded() {
            return Ok(pre);
        }
        let _loading = self.loading.lock().await;
        // Somebody else may have loaded it while this one waited.
        if let Some(pre) = self.if_loaded() {
            return Ok(pre);
        }
        let pre = self.preparer.load(&self.recipe).await;
        let pre = Arc::new(pre.map_err(|error| Failure::NotLoaded(Box::new(error)))?);
        let mut loaded = self.lock();
        loaded.used = Instant::now();
        loaded.pre = Some(pre.clone());
        Ok(pre)
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.lock().pre.is_some()
    }

    /// Drops the code if no request needed it for [`CODE_IDLE_MAX`].
    pub(super) fn drop_if_idle(&self) {
        let mut loaded = self.lock();
        if loaded.used.elapsed() >= CODE_IDLE_MAX {
            let dropped = loaded.pre.take();
            drop(loaded);
            // Unmapping takes long enough to do it without the lock.
            drop(dropped);
        }
    }

    pub(super) fn engine(&self) -> &wasmtime::Engine {
        self.preparer.engines.get(self.recipe.kind)
    }

    fn if_loaded(&self) -> Option<Arc<EntryPre>> {
        let mut loaded = self.lock();
        let pre = loaded.pre.clone()?;
        loaded.used = Instant::now();
        Some(pre)
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        // What is behind it is whole whatever happened while it was held.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
