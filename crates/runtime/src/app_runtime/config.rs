//! Settings of the runtime.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::task::TaskTracker;
use weft_link::Hosts;
use weft_provider::Registry;
use weft_state::artifacts::Artifacts;

use crate::links::remote::FrameServer;

/// Settings of a runtime.
pub struct RuntimeConfig {
    /// The directory of the compile cache.
    pub cache: PathBuf,
    /// The file of the key that authenticates cached code.
    pub cache_key: PathBuf,
    /// The component binaries.
    pub artifacts: Artifacts,
    /// The types of providers that links may lead to.
    pub registry: Registry,
    /// The transport of calls between stores.
    pub links: RuntimeLinks,
}

/// The transport of calls between stores.
#[derive(Clone)]
pub struct RuntimeLinks {
    /// Owns the tasks of calls.
    pub tasks: TaskTracker,
    /// Serves calls that arrive as frames.
    pub server: FrameServer,
    /// True if calls between two stores of this host go over frames too.
    pub over_frames: bool,
    /// The other hosts; `None` for a standalone host.
    pub hosts: Option<Arc<dyn Hosts>>,
}

/// A reason for which a runtime does not start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engines cannot be created.
    #[error("cannot set up the WebAssembly engines")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The compile cache cannot be opened.
    #[error("cannot open the compile cache `{path}`")]
    Cache {
        /// Directory of the cache.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
}
