//! Why an app cannot be deployed.

use weft_provider::{ConfigProblem, MakeError, UnknownKind};
use weft_state::store::StoreError;

use crate::linking::{BinaryError, PrepareError, Problems};
use crate::mesh::ChangeError;

/// Why a change was not made. What ran before still runs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeployError {
    /// A component's bytes cannot be used.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// Links and imports do not fit.
    #[error("the app cannot be linked\n{0}")]
    Link(Problems),
    /// A group of components cannot be instantiated.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// A provider's type does not exist.
    #[error("provider `{provider}`: {source}")]
    ProviderType {
        /// The provider.
        provider: String,
        /// The types there are.
        source: UnknownKind,
    },
    /// A provider does not start.
    #[error(transparent)]
    Provider(#[from] MakeError),
    /// A provider does not take a link.
    #[error(transparent)]
    ProviderLink(#[from] ConfigProblem),
    /// The lattice does not take the change.
    #[error(transparent)]
    Lattice(#[from] ChangeError),
    /// Two apps have a route to the same place.
    #[error(
        "route `{host}{path}` of `{wanted_by}` is taken by `{owner}`; change one, or undeploy the other"
    )]
    RouteTaken {
        /// The route's host; `*` for any.
        host: String,
        /// The route's path.
        path: String,
        /// The app and component that have it.
        owner: String,
        /// The app and component that want it.
        wanted_by: String,
    },
    /// A route leads to a component that does not handle HTTP.
    #[error(
        "a route leads to component `{component}`, which does not handle HTTP; expected an export of \
         `wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3`, found {found}"
    )]
    RouteTarget {
        /// The component.
        component: String,
        /// What it exports.
        found: String,
    },
    /// The desired state cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host is shutting down.
    #[error("the host is shutting down")]
    Stopping,
    /// A background task of the host panicked.
    #[error("the host failed while it worked on the app; its log says more")]
    Internal,
}
