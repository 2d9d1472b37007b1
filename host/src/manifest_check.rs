//! The checks of a deploy without a host: `weft check`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::task::TaskTracker;
use weft_lattice_config::{App, Digest};
use weft_node::controller::{DeployError, check_without_host};
use weft_node::runtime::Runtime;
use weft_provider::Registry;
use weft_runtime::{FrameServer, RuntimeConfig, RuntimeError, RuntimeLinks, WasmRuntime};
use weft_state::artifacts::{ArtifactError, Artifacts};

/// Checks apps as a host of this version does.
pub struct ManifestCheck {
    artifacts: Artifacts,
    runtime: Arc<dyn Runtime>,
    registry: Registry,
    providers: PathBuf,
}

/// A reason for which apps cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckStartError {
    /// The directory cannot be used.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The runtime does not start.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl ManifestCheck {
    /// Starts a runtime that stores its files in an empty directory. Blocks.
    ///
    /// # Errors
    /// Any [`CheckStartError`].
    pub fn start(directory: &Path, registry: Registry) -> Result<Self, CheckStartError> {
        let artifacts = Artifacts::open(directory.join("artifacts"))?;
        let runtime = WasmRuntime::start(RuntimeConfig {
            cache: directory.join("cache"),
            cache_key: directory.join("cache.key"),
            artifacts: artifacts.clone(),
            registry: registry.clone(),
            links: RuntimeLinks {
                tasks: TaskTracker::new(),
                server: FrameServer::default(),
                over_frames: false,
                hosts: None,
            },
        })?;
        Ok(Self {
            artifacts,
            runtime: Arc::new(runtime),
            registry,
            providers: directory.join("providers"),
        })
    }

    /// Adds the bytes of a component. Blocks.
    ///
    /// # Errors
    /// Any [`ArtifactError`].
    pub fn add(&self, digest: &Digest, bytes: &[u8]) -> Result<(), ArtifactError> {
        self.artifacts.put(digest, bytes)
    }

    /// Checks an app whose sources are digests. Compiles and starts nothing.
    ///
    /// # Errors
    /// All mistakes of the app, or that the runtime failed.
    pub async fn check(&self, app: &App) -> Result<(), DeployError> {
        let (runtime, registry) = (self.runtime.clone(), self.registry.clone());
        check_without_host(app, runtime, registry, self.providers.clone()).await
    }
}
