//! Compilation of components, off the async threads, with a cache on disk.
//!
//! The cache contains machine code that the process will run, so an entry is loaded only if this
//! host wrote it: each has a MAC under the host's own key ([`cache`]). A component whose entry is
//! damaged, foreign or stale is compiled again.

mod cache;
mod load;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use wasmtime::component::Component;
use weft_lattice_config::Digest;

use self::cache::Cache;
pub(crate) use self::cache::CacheKey;
use crate::engine::{EngineKind, Engines};

/// Concurrent compilations. One already uses every core; more would only use more memory.
const COMPILATIONS_MAX: usize = 1;

/// The compiler of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Compiler {
    engines: Arc<Engines>,
    cache: Arc<Cache>,
    permits: Arc<Semaphore>,
    /// Number of components compiled since the host started.
    compilations: Arc<AtomicU64>,
}

/// A reason for which a component has no machine code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    /// The compiler rejected the component.
    #[error("cannot compile `{name}`")]
    Rejected {
        name: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The compiler panicked, or the host is shutting down.
    #[error("compilation of `{name}` was interrupted")]
    Interrupted { name: String },
}

impl Compiler {
    /// Opens the cache in `directory` with the key in `key_file`; creates both if they are missing.
    pub(crate) fn open(
        engines: Arc<Engines>,
        directory: &Path,
        key_file: &Path,
    ) -> std::io::Result<Self> {
        let cache = Arc::new(Cache::open(directory, key_file)?);
        Ok(Self {
            engines,
            cache,
            permits: Arc::new(Semaphore::new(COMPILATIONS_MAX)),
            compilations: Arc::default(),
        })
    }

    /// Number of components compiled since the host started; those loaded from the cache do not
    /// count.
    pub(crate) fn compilations(&self) -> u64 {
        self.compilations.load(Ordering::Relaxed)
    }

    /// The cache key of the machine code of `bytes`.
    pub(crate) fn key(&self, kind: EngineKind, bytes: &[u8]) -> CacheKey {
        CacheKey::new(&Digest::of(bytes), self.engines.get(kind))
    }

    /// The machine code with the key; `None` if the cache has no authentic entry. `name` is for
    /// messages.
    pub(crate) async fn cached(
        &self,
        kind: EngineKind,
        name: &str,
        key: &CacheKey,
    ) -> Result<Option<Component>, CompileError> {
        let (compiler, key) = (self.clone(), key.clone());
        let loaded = tokio::task::spawn_blocking(move || compiler.load(kind, &key));
        loaded.await.map_err(|_| CompileError::Interrupted {
            name: name.to_owned(),
        })
    }

    /// The machine code of `bytes`, whose cache key is `key`: from the cache, or compiled.
    ///
    /// If the future is dropped, a compilation that has begun continues and its result is cached.
    pub(crate) async fn compile(
        &self,
        kind: EngineKind,
        name: &str,
        key: &CacheKey,
        bytes: Arc<[u8]>,
    ) -> Result<Component, CompileError> {
        if let Some(component) = self.cached(kind, name, key).await? {
            return Ok(component);
        }
        let interrupted = || CompileError::Interrupted {
            name: name.to_owned(),
        };
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| interrupted())?;
        let (compiler, key) = (self.clone(), key.clone());
        let outcome = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            compiler.compile_and_store(kind, &key, &bytes)
        });
        outcome
            .await
            .map_err(|_| interrupted())?
            .map_err(|error| CompileError::Rejected {
                name: name.to_owned(),
                source: error.into_boxed_dyn_error(),
            })
    }

    fn load(&self, kind: EngineKind, key: &CacheKey) -> Option<Component> {
        let file = self.cache.verified(key)?;
        match load::component(self.engines.get(kind), &file) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(
                    entry = %key,
                    error = %error,
                    "cannot load compile cache entry; compiling the component again"
                );
                None
            }
        }
    }

    fn compile_and_store(
        &self,
        kind: EngineKind,
        key: &CacheKey,
        bytes: &[u8],
    ) -> wasmtime::Result<Component> {
        self.compilations.fetch_add(1, Ordering::Relaxed);
        let code = self.engines.get(kind).precompile_component(bytes)?;
        match self.cache.store(key, &code) {
            // Loading the new entry maps its file instead of holding the code in memory.
            Ok(()) => {
                if let Some(component) = self.load(kind, key) {
                    return Ok(component);
                }
            }
            Err(error) => {
                tracing::warn!(entry = %key, error = %error, "cannot write to the compile cache");
            }
        }
        load::own_code(self.engines.get(kind), &code)
    }
}
