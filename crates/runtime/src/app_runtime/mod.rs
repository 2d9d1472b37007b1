//! The implementation of [`Runtime`] over wasmtime.
//!
//! - [`admissions`]: the number of apps that are prepared at once.
//! - [`config`]: the settings of a runtime.
//! - [`findings`]: the mistakes of an app while it is checked.
//! - [`linked_app`]: an app whose components are compiled and linked.
//! - [`running_endpoints`]: the endpoints of an app that serves.

mod admissions;
mod config;
mod findings;
mod linked_app;
mod running_endpoints;
mod typed_routes;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use weft_lattice_config::App;
use weft_link::{CallServer, FrameTransport};
use weft_node::runtime::{
    CodeCollection, CollectedCode, PrepareError, PreparedApp, Purpose, Runtime,
};
use weft_provider::Registry;

use self::admissions::Admissions;
pub use self::config::{RuntimeConfig, RuntimeError, RuntimeLinks};
use self::linked_app::LinkedApp;
pub(crate) use self::running_endpoints::RunningEndpoints;
use crate::compile::Compiler;
use crate::engine::{Engines, PoolSize};
use crate::linking::{LocalComponents, Preparer};
use crate::links::{Transport, typed};

/// Runs components on wasmtime. Cheap to clone.
#[derive(Clone)]
pub struct WasmRuntime {
    preparer: Preparer,
    registry: Registry,
    admissions: Arc<Admissions>,
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
            loopback: links
                .over_frames
                .then_some(FrameTransport::Loopback(loopback)),
            remote: links.hosts.map(FrameTransport::Remote),
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
            admissions: Arc::default(),
        })
    }
}

#[async_trait]
impl Runtime for WasmRuntime {
    async fn prepare(
        &self,
        app: &App,
        share: &LocalComponents,
        purpose: Purpose,
    ) -> Result<Box<dyn PreparedApp>, PrepareError> {
        let mut components = 0..app.spec.components.len();
        // Nothing is read for an app that runs elsewhere.
        let _admission = match components.any(|component| share.has(component)) {
            true => Some(self.admissions.admit(app, purpose, &self.preparer).await),
            false => None,
        };
        let (registry, preparer) = (&self.registry, &self.preparer);
        let linked = LinkedApp::prepare(app, share, purpose, registry, preparer).await?;
        Ok(Box::new(linked))
    }

    async fn check(&self, app: &App) -> Result<(), PrepareError> {
        let purpose = Purpose::Deploy;
        let _admission = self.admissions.admit(app, purpose, &self.preparer).await;
        linked_app::check(app, &self.registry, &self.preparer).await?;
        Ok(())
    }

    async fn collect_code(&self, collection: CodeCollection) -> io::Result<CollectedCode> {
        let compiler = self.preparer.compiler.clone();
        let collected = tokio::task::spawn_blocking(move || compiler.collect(&collection));
        collected.await.map_err(io::Error::other)?
    }

    fn instances_max(&self) -> u32 {
        self.preparer.engines.pool().instances
    }

    fn compilations(&self) -> u64 {
        self.preparer.compiler.compilations()
    }
}
