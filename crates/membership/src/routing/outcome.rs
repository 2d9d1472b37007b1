//! How an attempt ended.

use weft_wire::FailureCode;

/// How an attempt ended, as far as the way matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// There is an answer: a result, or a failure that ends the call. It is what whoever called gets.
    Answered,
    /// The host answered that it does not run the call, with this code.
    NotRun(FailureCode),
    /// The bus answered that the host does not listen. The call has not run.
    NoResponders,
    /// The call was not sent: the bus is away. The call has not run.
    NotSent,
    /// There was no answer until the attempt had to end. The call may have run, or still run.
    TimedOut,
    /// There will be no answer: the host was lost after the call was sent. It may have run.
    Lost,
    /// There will be no answer: the bus was lost after the call was sent, by whose fault is not known. It may
    /// have run.
    BusLost,
}

impl Outcome {
    /// The outcome of an attempt that was answered with a failure.
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

    /// Whether the call may have run.
    #[must_use]
    pub const fn may_have_run(self) -> bool {
        match self {
            Self::Answered | Self::TimedOut | Self::Lost | Self::BusLost => true,
            Self::NotRun(_) | Self::NoResponders | Self::NotSent => false,
        }
    }
}
