//! What can go wrong with a request, whatever brought it.

use wasmtime::{PoolConcurrencyLimitError, Trap};

use weft_wire::FailureCode;

use crate::guest::{GuestState, LimitExceeded};
use weft_link::LinkFailure;

/// Why a request or a call has no answer of the guest's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// As many requests run as the component may have.
    #[error(
        "the component is full: {limit} requests are running, which is its limit (`limits.concurrency`)"
    )]
    Full {
        /// How many may run.
        limit: u32,
    },
    /// The host has no room for another instance.
    #[error("the host is full: its pool of instances is in use")]
    PoolFull,
    /// It took too long.
    #[error("the component did not answer within its deadline of {} ms (`limits.deadline`)", limit.as_millis())]
    Deadline {
        /// How long it may take.
        limit: std::time::Duration,
    },
    /// It came to one of its bounds.
    #[error(transparent)]
    Limit(LimitExceeded),
    /// It trapped.
    #[error("the component trapped")]
    Trapped(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It was ended because a call over a link failed, and the function has no result that could say so.
    #[error("a call over a link failed")]
    Link {
        /// What kind of failure it was.
        code: FailureCode,
        /// Which link and function, and why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its code was dropped while it was idle, and cannot be loaded again.
    #[error("the component's code cannot be loaded")]
    NotLoaded(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It returned without an answer.
    #[error("the component returned without setting a response")]
    NoResponse,
    /// It gave an error in place of an answer.
    #[error("the component answered with the error `{0}`")]
    ErrorCode(String),
    /// The request is not one that a guest can be given.
    #[error("the request cannot be given to a component: {0}")]
    BadRequest(String),
}

impl Failure {
    /// What a failed run of a guest means.
    pub(crate) fn of(error: wasmtime::Error, state: &GuestState) -> Self {
        if error.is::<PoolConcurrencyLimitError>() {
            return Self::PoolFull;
        }
        if let Some(limit) = error.downcast_ref::<LimitExceeded>() {
            return Self::Limit(*limit);
        }
        if let Some(failure) = error.downcast_ref::<LinkFailure>() {
            return Self::Link {
                code: failure.code(),
                source: error.into_boxed_dyn_error(),
            };
        }
        // An allocator that gets no more memory ends its program: the refusal explains the trap.
        match (state.refused(), error.downcast_ref::<Trap>()) {
            (Some(limit), Some(_)) => Self::Limit(limit),
            _ => Self::Trapped(error.into_boxed_dyn_error()),
        }
    }

    /// Whether the instance can serve further calls: what was refused has not reached the guest.
    pub(crate) fn leaves_instance_whole(&self) -> bool {
        matches!(self, Self::BadRequest(_))
    }

    /// Whether it is the guest's fault, so that it counts as a trap.
    pub(crate) fn is_guests(&self) -> bool {
        match self {
            Self::Limit(_) | Self::Trapped(_) | Self::NoResponse => true,
            Self::Full { .. }
            | Self::PoolFull
            | Self::Deadline { .. }
            | Self::ErrorCode(_)
            | Self::Link { .. }
            | Self::NotLoaded(_)
            | Self::BadRequest(_) => false,
        }
    }
}
