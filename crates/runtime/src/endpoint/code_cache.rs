//! The machine code of an endpoint: loaded when a request needs it, dropped when none has for a while.
//!
//! Loaded code costs some hundreds of kibibytes of an endpoint, and a lattice has many endpoints that
//! nobody calls. What is kept of an idle one is its recipe; loading it again takes about a
//! millisecond (see `docs/performance.md`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Failure;
use crate::linking::{LoadedCode, PreparedEndpoint, Preparer, Recipe};

/// How long code stays loaded after the last request.
const CODE_IDLE_MAX: Duration = Duration::from_secs(20);

/// An endpoint's code, loaded or not.
pub(crate) struct Code {
    pub(super) recipe: Recipe,
    preparer: Preparer,
    loaded: Mutex<Loaded>,
    /// Held while loading, so that many first requests load once.
    loading: tokio::sync::Mutex<()>,
}

struct Loaded {
    code: Option<Arc<LoadedCode>>,
    used: Instant,
}

impl Code {
    pub(crate) fn new(prepared: PreparedEndpoint, preparer: Preparer) -> Self {
        let loaded = Loaded {
            code: Some(Arc::new(prepared.loaded)),
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
    pub(super) async fn get(&self) -> Result<Arc<LoadedCode>, Failure> {
        if let Some(code) = self.if_loaded() {
            return Ok(code);
        }
        let _loading = self.loading.lock().await;
        // Somebody else may have loaded it while this one waited.
        if let Some(code) = self.if_loaded() {
            return Ok(code);
        }
        let code = self.preparer.load(&self.recipe).await;
        let code = Arc::new(code.map_err(|error| Failure::NotLoaded(Box::new(error)))?);
        let mut loaded = self.lock();
        loaded.used = Instant::now();
        loaded.code = Some(code.clone());
        Ok(code)
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.lock().code.is_some()
    }

    /// Drops the code if no request needed it for [`CODE_IDLE_MAX`].
    pub(super) fn drop_if_idle(&self) {
        let mut loaded = self.lock();
        if loaded.used.elapsed() >= CODE_IDLE_MAX {
            let dropped = loaded.code.take();
            drop(loaded);
            // Unmapping takes long enough to do it without the lock.
            drop(dropped);
        }
    }

    pub(super) fn engine(&self) -> &wasmtime::Engine {
        self.preparer.engines.get(self.recipe.kind)
    }

    fn if_loaded(&self) -> Option<Arc<LoadedCode>> {
        let mut loaded = self.lock();
        let code = loaded.code.clone()?;
        loaded.used = Instant::now();
        Some(code)
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        // What is behind it is whole whatever happened while it was held.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
