//! The vocabulary of a lattice: names, manifests, validation with positions.
//!
//! This crate is pure. It reads no file, no clock and no environment, knows no runtime and no bus,
//! and everything else in the workspace may depend on it. [`App::from_yaml`] is the way in: it
//! returns an app in which every name is checked and every reference leads somewhere, or all the
//! mistakes at once.

mod app;
mod digest;
pub mod interface;
mod name;
mod quantity;
pub mod routes;
mod text;

pub use app::{
    ApiVersion, App, AppSpec, COMPONENTS_MAX, ComponentSpec, Instances, Kind, LINKS_MAX, Limits,
    LinkSpec, Metadata, PROVIDERS_MAX, ProviderSpec, ROUTES_MAX, Reuse, RouteSpec, Source,
};
pub use digest::{Digest, DigestError};
pub use interface::{InterfaceError, InterfaceName, InterfaceRef};
pub use name::{AppName, ComponentName, LinkName, Name, NameError, ProviderName};
pub use quantity::{ByteSize, DurationText, QuantityError};
pub use routes::{HostPattern, PathPrefix, RouteError};
