//! The API of capability providers: one plain trait per capability, and the traits that create and
//! bind a backend. It contains no WIT bindings and no wasm runtime; the host owns those and calls
//! these traits.
//!
//! The life cycle of a provider:
//!
//! 1. `main` puts one [`Factory`] per kind of backend into a [`Registry`].
//! 2. For each provider of a manifest the host calls [`Factory::make`], once.
//! 3. For each link to that provider the host calls [`Provider::bind`]; a link belongs to one
//!    importing component. It returns a [`Capability`], which serves that component alone.
//! 4. After the last link is removed, the host calls [`Provider::close`].
//!
//! # Examples
//!
//! A provider of one fixed configuration value:
//!
//! ```
//! use std::sync::Arc;
//! use async_trait::async_trait;
//! use weft_provider::config::{self, Config, ConfigError};
//! use weft_provider::{
//!     Capability, ConfigProblem, Context, Factory, LinkContext, MakeError, Provider, Registry,
//!     Settings,
//! };
//!
//! struct Greeting;
//!
//! #[async_trait]
//! impl Config for Greeting {
//!     async fn get(&self, key: &str) -> Result<Option<String>, ConfigError> {
//!         Ok((key == "greeting").then(|| "hello".to_owned()))
//!     }
//!     async fn get_all(&self) -> Result<Vec<(String, String)>, ConfigError> {
//!         Ok(vec![("greeting".to_owned(), "hello".to_owned())])
//!     }
//! }
//!
//! #[async_trait]
//! impl Provider for Greeting {
//!     fn bind(&self, _: &LinkContext<'_>, _: &Settings) -> Result<Capability, ConfigProblem> {
//!         Ok(Capability::Config(Arc::new(Greeting)))
//!     }
//! }
//!
//! #[async_trait]
//! impl Factory for Greeting {
//!     fn kind(&self) -> &'static str { "config-greeting" }
//!     fn serves(&self) -> &'static [&'static str] { &[config::PACKAGE] }
//!     async fn make(
//!         &self,
//!         _: &Context<'_>,
//!         _: &Settings,
//!     ) -> Result<Arc<dyn Provider>, MakeError> {
//!         Ok(Arc::new(Greeting))
//!     }
//! }
//!
//! let registry = Registry::default().with(Greeting);
//! assert_eq!(registry.kinds().collect::<Vec<_>>(), ["config-greeting"]);
//! assert!(registry.get("config-greetings").is_err());
//! ```

pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod http;
pub mod keyvalue;
pub mod logging;
mod provider;
mod registry;
mod settings;
pub mod stores;

pub use provider::{Capability, Context, Factory, LinkContext, MakeError, Provider};
pub use registry::{Registry, UnknownKind};
pub use settings::{ConfigProblem, Settings, parse};
