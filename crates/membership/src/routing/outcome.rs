//! Outcome of an attempt.

use weft_wire::FailureCode;

/// The outcome of an attempt, as far as it matters for routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A reply arrived: a result, or a failure that ends the call. The caller gets it.
    Answered,
    /// The host replied that it does not run the call, with this code.
    NotRun(FailureCode),
    /// The bus reported no responders at the host. The call has not run.
    NoResponders,
    /// The bus reported no responders at the host soon after the bus had returned: the host's own
    /// connection may not be back yet. The call has not run.
    NotBack,
    /// The call was not sent because the bus is down. The call has not run.
    NotSent,
    /// The time of the attempt ran out. The call may have run, or may still be running.
    TimedOut,
    /// The host was lost after the call was sent. The call may have run.
    Lost,
    /// The bus was lost after the call was sent, which does not prove a fault of the host. The call
    /// may have run.
    BusLost,
}

impl Outcome {
    /// The outcome of an attempt with a failure as the reply.
    #[must_use]
    pub const fn of_failure(code: FailureCode) -> Self {
        match code {
            FailureCode::Unreachable | FailureCode::Busy | FailureCode::Refused => {
                Self::NotRun(code)
            }
            FailureCode::Deadline | FailureCode::Trapped | FailureCode::MaybeExecuted => {
                Self::Answered
            }
        }
    }

    /// True if the call may have reached a host.
    pub(super) const fn has_reached_host(self) -> bool {
        !matches!(self, Self::NoResponders | Self::NotBack | Self::NotSent)
    }

    /// True if the call may have run.
    #[must_use]
    pub const fn may_have_run(self) -> bool {
        match self {
            Self::Answered | Self::TimedOut | Self::Lost | Self::BusLost => true,
            Self::NotRun(_) | Self::NoResponders | Self::NotBack | Self::NotSent => false,
        }
    }
}
