//! Compilation of components, off the async threads, with a cache on disk.
//!
//! The cache contains machine code that the process will run, so an entry is loaded only if this
//! host wrote it: each has a MAC under the host's own key ([`cache`]). A component whose entry is
//! damaged, foreign or stale is compiled again.
//!
//! What is in the cache waits for nothing. The rest is compiled by purpose and size, each in a pool
//! of threads of its own ([`pools`]), the small before the large ([`size_queue`]), and once
//! ([`running`]).

mod cache;
mod load;
mod pools;
mod running;
mod size_queue;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::Module;
use wasmtime::component::Component;
use weft_compose::DescribeError;
use weft_lattice_config::Digest;
use weft_node::runtime::{CodeCollection, CollectedCode, Purpose};

use self::cache::Cache;
pub(crate) use self::cache::CacheKey;
pub(crate) use self::pools::LARGE_BYTES;
use self::pools::Pools;
use self::running::Running;
pub(crate) use self::size_queue::{SizeQueue, Turn};
use crate::engine::{EngineKind, Engines};

/// The most bytes of the compile cache: the machine code of some sixty components with a language
/// runtime, or of ten thousand small ones.
const CODE_BYTES_MAX: u64 = 4 << 30;

/// The compiler of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Compiler {
    engines: Arc<Engines>,
    cache: Arc<Cache>,
    pools: Arc<Pools>,
    running: Running,
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
    /// Starts the threads that compile.
    pub(crate) fn open(
        engines: Arc<Engines>,
        directory: &Path,
        key_file: &Path,
    ) -> std::io::Result<Self> {
        let cache = Arc::new(Cache::open(directory, key_file)?);
        Ok(Self {
            engines,
            cache,
            pools: Arc::new(Pools::start()?),
            running: Running::default(),
            compilations: Arc::default(),
        })
    }

    /// Number of components compiled since the host started; those loaded from the cache do not
    /// count.
    pub(crate) fn compilations(&self) -> u64 {
        self.compilations.load(Ordering::Relaxed)
    }

    /// The cache key of the machine code of `bytes`, which are made from the `artifacts`.
    pub(crate) fn key(&self, kind: EngineKind, bytes: &[u8], artifacts: Arc<[Digest]>) -> CacheKey {
        CacheKey::new(&Digest::of(bytes), self.engines.get(kind), artifacts)
    }

    /// Deletes the machine code that no revision needs, and the least recently used beyond
    /// [`CODE_BYTES_MAX`]. Code in memory stays there. Blocks.
    pub(crate) fn collect(&self, collection: &CodeCollection) -> std::io::Result<CollectedCode> {
        let entries = self.cache.list()?;
        let mut stored_bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
        let kinds = [EngineKind::Synchronous, EngineKind::Concurrent];
        let compatible = kinds.map(|kind| cache::compatibility(self.engines.get(kind)));
        let CodeCollection {
            needed,
            grace,
            is_dry_run,
        } = collection;
        let mut deleted = Vec::new();
        for entry in cache::surplus(entries, needed, &compatible, *grace, CODE_BYTES_MAX) {
            if *is_dry_run || self.cache.remove(&entry)? {
                if !is_dry_run {
                    stored_bytes -= entry.bytes;
                }
                deleted.push((entry.name, entry.bytes));
            }
        }
        Ok(CollectedCode {
            deleted,
            stored_bytes,
        })
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
        purpose: Purpose,
    ) -> Result<Component, CompileError> {
        let size = bytes.len() as u64;
        let claimed = loop {
            if let Some(component) = self.cached(kind, name, key).await? {
                return Ok(component);
            }
            let turn = self.pools.get(purpose, size).turn(name, size).await;
            match self.running.claim(key, purpose) {
                Ok(claim) => break (claim, turn),
                Err(end) => {
                    drop(turn);
                    end.wait().await;
                }
            }
        };
        let (compiler, key) = (self.clone(), key.clone());
        self.off_thread(name, move || {
            let _claimed = claimed;
            // It may have been compiled while this one waited for its turn.
            if let Some(component) = compiler.load(kind, &key) {
                return Ok(component);
            }
            let pool = compiler.pools.get(purpose, size);
            compiler.compilations.fetch_add(1, Ordering::Relaxed);
            let engine = compiler.engines.get(kind);
            let code = pool.run(|| engine.precompile_component(&bytes))?;
            compiler.store(kind, &key, &code)
        })
        .await
    }

    /// A component with the types, memories and tables of `bytes`, whose cache key is `key`, to be
    /// linked and not to be run: the code of `bytes` is checked, and not compiled.
    ///
    /// A mistake in the code that only the compiler finds is left, such as a function that is too
    /// large for it.
    pub(crate) async fn check(
        &self,
        kind: EngineKind,
        name: &str,
        key: &CacheKey,
        bytes: Arc<[u8]>,
    ) -> Result<Component, CompileError> {
        if let Some(component) = self.cached(kind, name, key).await? {
            return Ok(component);
        }
        let size = bytes.len() as u64;
        let pool = self.pools.get(Purpose::Deploy, size);
        let turn = pool.turn(name, size).await;
        let compiler = self.clone();
        self.off_thread(name, move || {
            let _turn = turn;
            let pool = compiler.pools.get(Purpose::Deploy, size);
            pool.run(|| compiler.outline(kind, &bytes))
        })
        .await
    }

    /// Runs blocking work on a thread for it.
    async fn off_thread(
        &self,
        name: &str,
        work: impl FnOnce() -> wasmtime::Result<Component> + Send + 'static,
    ) -> Result<Component, CompileError> {
        let outcome = tokio::task::spawn_blocking(work).await;
        let outcome = outcome.map_err(|_| CompileError::Interrupted {
            name: name.to_owned(),
        })?;
        outcome.map_err(|error| CompileError::Rejected {
            name: name.to_owned(),
            source: error.into_boxed_dyn_error(),
        })
    }

    fn outline(&self, kind: EngineKind, bytes: &[u8]) -> wasmtime::Result<Component> {
        let engine = self.engines.get(kind);
        let outline = weft_compose::outline(bytes);
        let outline = outline.map_err(|error: DescribeError| wasmtime::Error::new(error))?;
        for module in &outline.modules {
            Module::validate(engine, module)?;
        }
        Component::new(engine, &outline.bytes)
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

    /// Stores machine code in the cache, and loads it.
    fn store(&self, kind: EngineKind, key: &CacheKey, code: &[u8]) -> wasmtime::Result<Component> {
        match self.cache.store(key, code) {
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
        load::own_code(self.engines.get(kind), code)
    }
}

#[cfg(test)]
mod tests;
