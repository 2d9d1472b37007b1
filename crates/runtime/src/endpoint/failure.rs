//! Failures of requests and calls, whether they came over HTTP, a link or the admin API.

use std::fmt::{self, Write};
use std::sync::Arc;

use wasmtime::{PoolConcurrencyLimitError, Trap};
use wasmtime_wasi::I32Exit;
use weft_link::LinkFailure;
use weft_wire::FailureCode;

use crate::guest::{GuestState, LimitExceeded};

/// A reason for which a request or a call has no response of the component.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The limit of concurrent requests is reached.
    #[error("the component is at its limit of {limit} requests at once (`limits.concurrency`)")]
    Full { limit: u32 },
    /// The instance pool of the host has no room.
    #[error("the host's instance pool has no room for another instance of the app")]
    PoolFull,
    /// The instances of the host have nearly all of its memory.
    #[error(
        "the host has no memory for another instance: its instances have {} MiB together",
        limit >> 20
    )]
    MemoryFull { limit: u64 },
    /// The deadline passed.
    #[error(
        "the component did not answer within its deadline of {} ms (`limits.deadline`)",
        limit.as_millis()
    )]
    Deadline { limit: std::time::Duration },
    /// The instance exceeded a limit of its store.
    #[error(transparent)]
    Limit(LimitExceeded),
    /// The instance trapped.
    #[error("the component trapped")]
    Trapped(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The instance was stopped: a call over a link failed, and the result type of the function
    /// cannot carry the failure.
    #[error("a call over a link failed")]
    Link {
        code: FailureCode,
        /// The [`LinkFailure`], which names the link and the function.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The code was dropped while the endpoint was idle, and loading it again failed.
    #[error("the component's code cannot be loaded")]
    NotLoaded(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The instance exited by `wasi:cli/exit` before its response was complete.
    #[error("the component exited with code {0} before its response was complete")]
    Exited(i32),
    /// The component still ran at the deadline, after its response was complete.
    #[error(
        "the component was stopped at its deadline of {} ms (`limits.deadline`): it still ran after \
         its complete response",
        limit.as_millis()
    )]
    AfterResponse { limit: std::time::Duration },
    /// The component returned before the body of its response was finished.
    #[error(
        "the component returned without finishing the body of its response; call \
         `outgoing-body.finish`"
    )]
    Unfinished,
    /// Another request of the same instance failed (`instances.reuse.concurrent`).
    #[error(transparent)]
    OfInstance(Arc<Failure>),
    /// The component returned without a response.
    #[error("the component returned without setting a response")]
    NoResponse,
    /// The component returned an error code in place of a response.
    #[error("the component responded with error code `{0}`")]
    ErrorCode(String),
    /// The client sent nothing of its body for long, while the component was at its limit of
    /// requests.
    #[error(
        "the client sent nothing for some seconds, and the component was at its limit of requests \
         (`limits.concurrency`)"
    )]
    SilentClient,
    /// The request was rejected before it reached the component.
    #[error("invalid request to the component: {0}")]
    BadRequest(String),
}

/// The longest text of an error code, which a guest may put any text into.
const ERROR_CODE_BYTES_MAX: usize = 1 << 10;

impl Failure {
    /// The failure of a guest that responded with an error code.
    pub(crate) fn error_code(code: &impl fmt::Debug) -> Self {
        let mut text = BoundedText(String::new());
        // Fails at the end of the room, which ends the formatting.
        let _ = write!(text, "{code:?}");
        Self::ErrorCode(text.0)
    }

    /// The failure behind an error of wasmtime, in a store with the given state.
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
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return Self::Exited(exit.0);
        }
        // An allocator that gets no more memory aborts the program: the denied growth explains the
        // trap.
        match (state.denied_growth(), error.downcast_ref::<Trap>()) {
            (Some(limit), Some(_)) => Self::Limit(limit),
            _ => Self::Trapped(error.into_boxed_dyn_error()),
        }
    }

    /// True if the instance can serve further calls: a rejected request has not reached the guest.
    pub(crate) fn leaves_instance_whole(&self) -> bool {
        matches!(self, Self::BadRequest(_))
    }

    /// True if the guest caused the failure, so that it counts as a trap.
    pub(crate) fn is_guest_fault(&self) -> bool {
        match self {
            Self::Limit(_) | Self::Trapped(_) | Self::NoResponse | Self::Unfinished => true,
            Self::OfInstance(failure) => failure.is_guest_fault(),
            Self::Exited(code) => *code != 0,
            Self::AfterResponse { .. }
            | Self::Full { .. }
            | Self::PoolFull
            | Self::MemoryFull { .. }
            | Self::Deadline { .. }
            | Self::ErrorCode(_)
            | Self::Link { .. }
            | Self::NotLoaded(_)
            | Self::SilentClient
            | Self::BadRequest(_) => false,
        }
    }
}

/// Text up to [`ERROR_CODE_BYTES_MAX`].
struct BoundedText(String);

impl Write for BoundedText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = ERROR_CODE_BYTES_MAX.saturating_sub(self.0.len());
        let fitting = &text[..text.floor_char_boundary(room)];
        self.0.push_str(fitting);
        match fitting.len() == text.len() {
            true => Ok(()),
            false => Err(fmt::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_error_code_is_bounded() {
        let long = Some("é".repeat(1 << 20));
        let Failure::ErrorCode(text) = Failure::error_code(&long) else {
            panic!("another failure");
        };
        assert!(text.starts_with("Some(\"éé"), "{text}");
        assert!(text.len() <= ERROR_CODE_BYTES_MAX);
    }
}
