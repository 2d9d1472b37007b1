//! Traits that create a backend for a provider of a manifest, and bind it to links.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::config::Config;
use crate::http::HttpClient;
use crate::keyvalue::KeyValue;
use crate::logging::Logging;
use crate::settings::{ConfigProblem, Settings};
use crate::stores::StoreMemory;

/// Creates providers of one kind.
#[async_trait]
pub trait Factory: Send + Sync + 'static {
    /// The name of this kind in manifests, such as `keyvalue-redb`.
    fn kind(&self) -> &'static str;

    /// The WIT packages (`wasi:keyvalue`) or interfaces (`wasi:http/client`), without versions,
    /// that a provider of this kind can serve.
    fn serves(&self) -> &'static [&'static str];

    /// Returns whether providers of this kind store state on their host. Components with a link to
    /// such a provider run on that host, and on no other.
    fn keeps_state_on_host(&self) -> bool {
        false
    }

    /// Checks the configuration alone, without I/O and without effects.
    ///
    /// # Errors
    ///
    /// If the configuration is wrong.
    fn check_config(
        &self,
        _context: &Context<'_>,
        _settings: &Settings,
    ) -> Result<(), ConfigProblem> {
        Ok(())
    }

    /// Checks that the provider in `context` could be created and would work. It is called before a
    /// deployment, while the error still reaches the deploying user, and may run beside an existing
    /// provider.
    ///
    /// # Errors
    ///
    /// If the configuration is wrong, or if a resource that the backend needs is missing.
    async fn check(&self, context: &Context<'_>, settings: &Settings) -> Result<(), MakeError> {
        Ok(self.check_config(context, settings)?)
    }

    /// Creates the provider in `context`. A backend with external dependencies must be created even
    /// while those are unavailable: a starting host calls this once and does not retry.
    ///
    /// # Errors
    ///
    /// If the configuration is wrong, or if the backend cannot start.
    async fn make(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<Arc<dyn Provider>, MakeError>;
}

/// One provider of one app.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Returns the capability for the component of `link`. Must be cheap: it neither waits nor does
    /// I/O.
    ///
    /// # Errors
    ///
    /// If the configuration of the link is wrong.
    fn bind(
        &self,
        link: &LinkContext<'_>,
        settings: &Settings,
    ) -> Result<Capability, ConfigProblem>;

    /// Stops the provider's tasks and flushes its data. Called once, when no instance uses its
    /// capabilities any more; later calls of a capability fail.
    async fn close(&self) {}
}

/// The capability that a link gives to a component.
#[derive(Clone)]
pub enum Capability {
    /// For `wasi:keyvalue`.
    KeyValue(Arc<dyn KeyValue>),
    /// For `wasi:config`.
    Config(Arc<dyn Config>),
    /// For `wasi:logging`.
    Logging(Arc<dyn Logging>),
    /// For the outgoing side of `wasi:http`.
    HttpClient(Arc<dyn HttpClient>),
}

/// The identity of a provider that is being created.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The app whose manifest has the provider.
    pub app: &'a str,
    /// The name of the provider in the manifest.
    pub provider: &'a str,
    /// A directory for this provider of this app alone. It may not exist yet; a backend that needs
    /// it creates it.
    pub data_dir: &'a Path,
    /// Remembers the stores of providers.
    pub stores: &'a Arc<dyn StoreMemory>,
}

/// The identity of a link that is being bound.
#[derive(Clone, Copy, Debug)]
pub struct LinkContext<'a> {
    /// The app of the component.
    pub app: &'a str,
    /// The importing component.
    pub component: &'a str,
    /// The provider at the other end.
    pub provider: &'a str,
    /// The linked WIT package or interface, one of [`Factory::serves`]; a provider of several
    /// capabilities selects by it.
    pub interface: &'a str,
    /// The name of the link, if it has one.
    pub link: Option<&'a str>,
}

/// The reason why a provider could not be created.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    /// The backend cannot start, for the reason in the source.
    #[error("{place} cannot start")]
    Start {
        /// The provider.
        place: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
}

// === impl MakeError ===

impl MakeError {
    /// Creates the error of a backend that cannot start because of `source`.
    pub fn start(context: &Context<'_>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Start {
            place: context.to_string(),
            source: source.into(),
        }
    }
}

// === impl Capability ===

impl Capability {
    /// The name of the capability in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::KeyValue(_) => "key-value",
            Self::Config(_) => "config",
            Self::Logging(_) => "logging",
            Self::HttpClient(_) => "http client",
        }
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capability({})", self.name())
    }
}

// === impl Context ===

impl fmt::Display for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "provider `{}` of app `{}`", self.provider, self.app)
    }
}

// === impl LinkContext ===

impl fmt::Display for LinkContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            app,
            component,
            provider,
            interface,
            link,
        } = self;
        write!(
            f,
            "the link `{interface}` of component `{component}` of app `{app}` to provider `{provider}`"
        )?;
        link.map_or(Ok(()), |link| write!(f, " named `{link}`"))
    }
}
