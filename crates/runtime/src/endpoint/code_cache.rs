//! The machine code of an endpoint: loaded when a request needs it, dropped when idle.
//!
//! Loaded code takes some hundreds of kibibytes per endpoint, and a lattice has many endpoints
//! without traffic. An idle endpoint keeps only its recipe; loading the code again takes about a
//! millisecond (see `docs/performance.md`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Failure;
use crate::engine::AppShare;
use crate::linking::{LoadedCode, PreparedEndpoint, Preparer, Recipe};

/// The time after the last request at which unused code is dropped.
const CODE_IDLE_MAX: Duration = Duration::from_secs(20);

/// The code of an endpoint, if it is loaded, and the recipe to load it again.
pub(crate) struct CodeCache {
    pub(super) recipe: Recipe,
    preparer: Preparer,
    loaded: Mutex<CachedCode>,
    /// Held while loading, so that concurrent first requests load the code once.
    loading: tokio::sync::Mutex<()>,
}

struct CachedCode {
    code: Option<Arc<LoadedCode>>,
    used: Instant,
}

impl CodeCache {
    pub(crate) fn new(prepared: PreparedEndpoint, preparer: Preparer) -> Self {
        let loaded = CachedCode {
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

    /// The code; loads it if necessary.
    ///
    /// # Errors
    /// [`Failure::NotLoaded`] if the compile cache has lost the code and compiling it again fails.
    pub(super) async fn get(&self) -> Result<Arc<LoadedCode>, Failure> {
        if let Some(code) = self.if_loaded() {
            return Ok(code);
        }
        let _loading = self.loading.lock().await;
        // Another request may have loaded the code while this one waited for the lock.
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
            // Outside of the lock, because unmapping is slow.
            drop(dropped);
        }
    }

    /// The slots of the app in the pool of the engine.
    pub(super) fn share(&self, app: &Arc<str>) -> AppShare {
        self.preparer.engines.share(self.recipe.kind, app)
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

    fn lock(&self) -> MutexGuard<'_, CachedCode> {
        // The two fields are independent, so a panic under the lock leaves them valid.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
