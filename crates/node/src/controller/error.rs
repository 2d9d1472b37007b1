//! Why an app cannot be deployed.

use weft_provider::{ConfigProblem, MakeError, UnknownKind};
use weft_state::store::StoreError;

use crate::desired_writer::ChangeError;
use crate::runtime::PrepareError;

/// Why a change was not made. What ran before still runs.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// A component, a link or a route cannot work.
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
