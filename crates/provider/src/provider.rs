//! How a backend is made for a provider of a manifest, and bound for a link to it.

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

/// Makes providers of one kind.
#[async_trait]
pub trait Factory: Send + Sync + 'static {
    /// What a manifest calls this kind, such as `keyvalue-redb`.
    fn kind(&self) -> &'static str;

    /// The WIT packages (`wasi:keyvalue`) or interfaces (`wasi:http/client`), without versions, that
    /// a provider of this kind can stand behind.
    fn serves(&self) -> &'static [&'static str];

    /// Whether what a provider of this kind keeps is on the host that runs it: components that are linked
    /// to it then run on that host, and on no other.
    fn keeps_state_on_host(&self) -> bool {
        false
    }

    /// Looks whether the provider that `context` names could be made and work: before it is deployed, when
    /// whoever asks for it can still be told. It may run beside one that was made.
    ///
    /// # Errors
    ///
    /// If the configuration is wrong, or if what the backend needs is not there.
    async fn check(&self, _context: &Context<'_>, _settings: &Settings) -> Result<(), MakeError> {
        Ok(())
    }

    /// Makes the provider that `context` names. A backend that needs something outside of the host is made
    /// also while that is away: this happens again when a host starts, and nobody is there to try again.
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
    /// The capability as the component of `link` gets it. Cheap: neither waits nor does I/O.
    ///
    /// # Errors
    ///
    /// If the configuration of the link is wrong.
    fn bind(
        &self,
        link: &LinkContext<'_>,
        settings: &Settings,
    ) -> Result<Capability, ConfigProblem>;

    /// Ends what the provider runs and makes its data safe. Called once, when no instance uses a
    /// capability of it any more; a call that comes after it fails.
    async fn close(&self) {}
}

/// What a link gives to a component.
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

/// Which provider is being made.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The app whose manifest has the provider.
    pub app: &'a str,
    /// The name of the provider in the manifest.
    pub provider: &'a str,
    /// A directory for this provider of this app alone. It may not exist yet: a backend that wants it
    /// creates it.
    pub data_dir: &'a Path,
}

/// Which link is being bound.
#[derive(Clone, Copy, Debug)]
pub struct LinkContext<'a> {
    /// The app of the component.
    pub app: &'a str,
    /// The importing component.
    pub component: &'a str,
    /// The provider at the other end.
    pub provider: &'a str,
    /// The WIT package or interface that is linked, one that [`Factory::serves`] covers: a provider of
    /// several capabilities chooses by it.
    pub interface: &'a str,
    /// The name of the link, if it has one.
    pub link: Option<&'a str>,
}

/// Why a provider could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// Its configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    /// Its backend cannot start; the source says why.
    #[error("{place} cannot start")]
    Start {
        /// The provider.
        place: String,
        /// What failed.
        source: Box<dyn Error + Send + Sync>,
    },
}

// === impl MakeError ===

impl MakeError {
    /// The backend of the provider that `context` names cannot start because of `source`.
    pub fn start(context: &Context<'_>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Start {
            place: context.to_string(),
            source: source.into(),
        }
    }
}

// === impl Capability ===

impl Capability {
    /// What to call the capability in a message.
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
