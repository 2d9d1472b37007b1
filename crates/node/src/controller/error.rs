//! Errors of changes.

use weft_provider::{ConfigProblem, MakeError, UnknownKind};

use super::Rejection;
use crate::desired_writer::ChangeError;
use crate::runtime::PrepareError;

/// The reason a change was not made. The old revision still runs.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The app cannot run, for the reasons that a check found.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A component, a link or a route cannot work.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The type of a provider is unknown.
    #[error("cannot use provider `{provider}`")]
    ProviderType {
        /// The provider.
        provider: String,
        /// The known types.
        source: UnknownKind,
    },
    /// A provider does not start.
    #[error(transparent)]
    Provider(#[from] MakeError),
    /// A provider rejects a link.
    #[error(transparent)]
    ProviderLink(#[from] ConfigProblem),
    /// The lattice rejects the change.
    #[error(transparent)]
    Lattice(#[from] ChangeError),
    /// Another app has one of the app's routes.
    #[error(
        "route `{route}` of `{claimant}` is taken by `{owner}`; change one of them, or undeploy \
         the other app"
    )]
    RouteTaken {
        /// The route's host, `*` for any, and its path.
        route: String,
        /// The app and component that have the route.
        owner: String,
        /// The app and component that claim the route.
        claimant: String,
    },
    /// The host is shutting down.
    #[error("the host is shutting down")]
    Stopping,
    /// A background task of the host panicked.
    #[error("internal error of the host while changing the app; see its log")]
    Internal,
}
