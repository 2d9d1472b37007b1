//! The vocabulary of a lattice: names, manifests, validation with positions.
//!
//! This crate is pure: it does not access files, clocks or the environment, and does not depend on
//! a runtime or a bus, so every other crate of the workspace may depend on it. The entry point is
//! [`App::from_yaml`], which returns either an app with valid names and references, or all mistakes
//! of the manifest at once.
//!
//! A manifest is read in four steps:
//! 1. `yaml` parses the text into a tree of `spanned_yaml`, within bounds, because the text may be
//!    hostile.
//! 2. `check` checks the tree against the JSON Schema of the types in `app`: keys, types, text
//!    forms.
//! 3. `partial_app` extracts the well-formed names and references, and `validate` checks them.
//! 4. Without mistakes, the tree is deserialized into [`App`].
//!
//! `yaml_writer` writes the same form. Mistakes that only show with the components of the app, or
//! on a host, are [`Mistakes`]: they have paths, for which the manifest has positions.

mod app;
mod check;
mod diagnostic;
mod diff;
mod digest;
mod header_name;
pub mod interface;
mod label;
pub mod links;
mod manifest;
mod mistake;
pub mod mistake_paths;
mod name;
mod number;
mod partial_app;
pub mod placement;
mod quantity;
mod quote;
pub mod route_owners;
pub mod routes;
mod schema;
mod spanned_yaml;
pub mod template;
mod validate;
mod wit_name;
mod wit_source;
mod yaml;
mod yaml_writer;

pub use app::{
    ApiVersion, App, AppSpec, Build, CASES_MAX, COMPONENTS_MAX, ComponentSpec, DefaultStatus,
    ErrorCases, ErrorStatus, ErrorStatusError, ErrorStatuses, Face, Instances, Int64Form, Kind,
    LINKS_MAX, Language, LanguageError, Limits, LinkSpec, Locality, Metadata, NameStyle,
    OPERATIONS_MAX, OperationSpec, PROVIDERS_MAX, Placement, ProviderSpec, REPLICAS_MAX,
    ROUTES_MAX, Reuse, RouteSpec, Source, WEIGHT_MAX,
};
pub use diagnostic::{Diagnostic, ManifestErrors, Position};
pub use diff::{Change, ChangeKind, Subject, diff};
pub use digest::{Digest, DigestError};
pub use header_name::HeaderName;
pub use interface::{InterfaceError, InterfaceName, InterfaceRef};
pub use label::{LABELS_MAX, Label, LabelError, LabelName, LabelValue, LabelValues, Labels};
pub use manifest::{MANIFEST_BYTES_MAX, STORED_BYTES_MAX};
pub use mistake::{Mistake, Mistakes};
pub use name::{AppName, ComponentName, LinkName, Name, NameError, ProviderName};
pub use quantity::{ByteSize, DurationText, QuantityError};
pub use quote::nearest;
pub use routes::{HostPattern, PathPrefix, RouteError};
pub use schema::app_schema;
pub use wit_name::WitName;
pub use wit_source::{WIT_TEXT_BYTES_MAX, WitSource, WitSourceError};
