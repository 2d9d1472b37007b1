//! The seam between a host as a member of a lattice and the runtime of its components.
//!
//! [`Runtime`] is implemented by `weft_runtime` over wasmtime, and by a small fake in tests and
//! simulations. It works in two steps, so that a revision that cannot run takes nothing from the
//! one that serves:
//!
//! 1. [`Runtime::prepare`] checks, links and compiles the share of an app that this host runs.
//! 2. [`PreparedApp::bind`] binds the links to providers; the result serves until it is dropped.
//!
//! [`Runtime::check`] finds the same mistakes as a preparation of all components, and compiles
//! nothing: for a host that may not run the app itself.
//!
//! Calls of other hosts reach components through [`weft_link::CallServer`], requests through
//! [`weft_ingress::Handler`].

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use weft_control::{CallReply, CallRequest, ErrorCode};
use weft_ingress::Handler;
use weft_lattice_config::{App, Digest, Mistakes};
use weft_link::{LinkReport, LocalComponents, Protocol};
use weft_provider::{ConfigProblem, Provider};

/// The providers of one app, by name.
pub type BoundProviders = BTreeMap<String, Arc<dyn Provider>>;

/// The purpose of a preparation. The preparations of one purpose do not wait for those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The share has to run here now: after a deploy, a move, or the loss of a host.
    Start,
    /// A deploy waits for the result; nothing serves it yet.
    Deploy,
    /// The share would run here if another host were lost.
    Ahead,
}

/// A collection of compiled code.
#[derive(Debug, Clone)]
pub struct CodeCollection {
    /// The artifacts that revisions need: code made from others is not needed.
    pub needed: Arc<BTreeSet<Digest>>,
    /// The time since its last use for which code that is not needed stays.
    pub grace: Duration,
    /// True to delete nothing.
    pub is_dry_run: bool,
}

/// The result of a [`CodeCollection`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectedCode {
    /// The names and bytes of the deleted entries; of a dry run, of those that it would delete.
    pub deleted: Vec<(String, u64)>,
    /// The bytes of all code that is stored.
    pub stored_bytes: u64,
}

/// Runs components.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Checks, links and compiles a share of an app. Compiled code is cached, so preparing the same
    /// share again is cheap. Many shares may be prepared at once: the runtime decides which are
    /// compiled first, and bounds the memory. Dropping the future stops after the current
    /// component.
    ///
    /// # Errors
    /// If a component, a link or a route cannot work.
    async fn prepare(
        &self,
        app: &App,
        share: &LocalComponents,
        purpose: Purpose,
    ) -> Result<Box<dyn PreparedApp>, PrepareError>;

    /// Checks that all components of an app can be prepared, without compiling them.
    ///
    /// # Errors
    /// All components, links and routes that cannot work.
    async fn check(&self, app: &App) -> Result<(), PrepareError>;

    /// Deletes cached code that no revision needs. What runs goes on, and code that is missing
    /// later is compiled again.
    ///
    /// # Errors
    /// The error of the disk; a part of the code may be deleted.
    async fn collect_code(&self, collection: CodeCollection) -> io::Result<CollectedCode>;

    /// The most instances at once.
    fn instances_max(&self) -> u32;

    /// Number of compilations since the start.
    fn compilations(&self) -> u64;

    /// True if preparing an app takes so long that it is done ahead, for failover.
    fn prepares_ahead(&self) -> bool {
        true
    }
}

/// A share of an app that is compiled and linked.
pub trait PreparedApp: Send {
    /// Binds the links to `providers`.
    ///
    /// # Errors
    /// If a provider rejects the settings of a link.
    fn bind(
        self: Box<Self>,
        providers: &BoundProviders,
    ) -> Result<Arc<dyn RunningApp>, ConfigProblem>;
}

/// A share of an app that serves.
#[async_trait]
pub trait RunningApp: Any + Send + Sync {
    /// The components, by name, in ascending order.
    fn components(&self) -> Vec<RunningComponent>;

    /// The mode of each link and the reasons for it.
    fn links(&self) -> &[LinkReport];

    /// Requests and calls in flight.
    fn in_flight(&self) -> u64;

    /// Drops instances and code that were idle for too long. Called about once a second.
    fn drop_expired(&self);

    /// The handler of a component's requests; `None` if this host does not run the component.
    fn handler(&self, component: &str) -> Option<Arc<dyn Handler>>;

    /// The HTTP interface that a component exports.
    fn protocol(&self, component: &str) -> Option<Protocol>;

    /// Calls a function of a component, as often as the request says and one after another.
    ///
    /// # Errors
    /// Of the first call that fails, or if this host does not run the component.
    async fn call(&self, request: &CallRequest) -> Result<CallReply, CallError>;
}

/// A component of a [`RunningApp`].
#[derive(Debug, Clone)]
pub struct RunningComponent {
    /// The component's name.
    pub name: String,
    /// Size of the artifact.
    pub bytes: u64,
    /// The components that are composed into one with this one, itself first.
    pub fused: Vec<String>,
    /// True if the code is in memory.
    pub is_loaded: bool,
    /// Requests and calls in flight.
    pub in_flight: u64,
    /// Requests and calls so far.
    pub requests: u64,
    /// Traps so far.
    pub traps: u64,
    /// The most linear memory of an instance.
    pub memory_bytes_max: u64,
    /// The longest duration of a request.
    pub deadline: Duration,
    /// The most requests at once.
    pub concurrency_max: u32,
}

/// The reason an app cannot be prepared.
#[derive(Debug)]
pub struct PrepareError {
    /// The kind of error for those who deploy.
    pub kind: PrepareErrorKind,
    /// The places of the mistakes in the app, as far as they are known.
    pub mistakes: Mistakes,
    source: Box<dyn Error + Send + Sync>,
}

/// Kind of a [`PrepareError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrepareErrorKind {
    /// The request is malformed.
    Malformed,
    /// An artifact is missing.
    Missing,
    /// The app does not fit together, or cannot run here.
    Refused,
    /// The host failed.
    Internal,
}

/// The reason a call has no result.
#[derive(Debug)]
pub struct CallError {
    /// The error code for the caller.
    pub code: ErrorCode,
    /// The next step, if there is one.
    pub help: Option<String>,
    /// The error itself.
    pub source: Box<dyn Error + Send + Sync>,
}

// === impl PrepareError ===

impl PrepareError {
    /// An error of a runtime.
    pub fn new(kind: PrepareErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            mistakes: Mistakes::default(),
            source: source.into(),
        }
    }

    /// The same error, with the places of its mistakes.
    #[must_use]
    pub fn with_mistakes(self, mistakes: Mistakes) -> Self {
        Self { mistakes, ..self }
    }
}

impl fmt::Display for PrepareError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(formatter)
    }
}

impl Error for PrepareError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}
