//! Starting a runtime: engines, compile cache, transport of links.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::task::TaskTracker;
use weft_link::{CallServer, Frames, Hosts};
use weft_provider::Registry;
use weft_state::artifacts::Artifacts;

use crate::app_runtime::WasmRuntime;
use crate::compile::Compiler;
use crate::engine::{Engines, PoolSize};
use crate::linking::Preparer;
use crate::links::remote::FrameServer;
use crate::links::{Transport, typed};

/// Settings of a runtime.
pub struct RuntimeConfig {
    /// The folder of the compile cache.
    pub cache: PathBuf,
    /// The file of the key that authenticates cached code.
    pub cache_key: PathBuf,
    /// The component binaries.
    pub artifacts: Artifacts,
    /// The providers that links may lead to.
    pub registry: Registry,
    /// How calls leave a store.
    pub links: RuntimeLinks,
}

/// How calls leave a store.
#[derive(Clone)]
pub struct RuntimeLinks {
    /// Owns the tasks that calls run in.
    pub tasks: TaskTracker,
    /// Answers calls that come as frames.
    pub server: FrameServer,
    /// Whether links between two stores of this host go over frames too.
    pub over_frames: bool,
    /// The other hosts; `None` for a host that is its own lattice.
    pub hosts: Option<Arc<dyn Hosts>>,
}

/// Why a runtime does not start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engines cannot be made.
    #[error("cannot set up the WebAssembly engines")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The compile cache cannot be used.
    #[error("cannot use the compile cache `{path}`")]
    Cache {
        /// Its folder.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

impl WasmRuntime {
    /// Starts a runtime. Blocks on files.
    ///
    /// # Errors
    /// If the engines or the compile cache cannot be set up.
    pub fn start(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let engines = Engines::new(PoolSize::of_machine())
            .map_err(|error| RuntimeError::Engine(error.into_boxed_dyn_error()))?;
        let engines = Arc::new(engines);
        let compiler = Compiler::open(engines.clone(), &config.cache, &config.cache_key);
        let compiler = compiler.map_err(|source| RuntimeError::Cache {
            path: config.cache.clone(),
            source,
        })?;
        tracing::info!(
            pool_instances = engines.pool().instances,
            memory_mib = engines.pool().memory_bytes >> 20,
            "the instance pool is sized from the machine"
        );
        let links = config.links;
        let loopback: Arc<dyn CallServer> = Arc::new(links.server.clone());
        let transport = Transport {
            tasks: links.tasks,
            loopback: links.over_frames.then_some(Frames::Loopback(loopback)),
            remote: links.hosts.map(Frames::Remote),
        };
        Ok(Self {
            preparer: Preparer {
                engines,
                compiler,
                artifacts: config.artifacts,
                transport,
                stubs: Arc::new(weft_stub::Cache::new(typed::contains)),
            },
            registry: config.registry,
        })
    }
}
