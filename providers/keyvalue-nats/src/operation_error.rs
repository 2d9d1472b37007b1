//! Errors of operations, and their messages for guests.

use std::time::Duration;

use weft_provider::keyvalue::KeyValueError;
use weft_provider::stores::{GuardError, Loss, UnavailableMemory};
use weft_state::buckets::BucketError;
use weft_state::kv::{KeyError, WriteError};

/// The reason why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperationError {
    #[error("the provider of the store is closed")]
    Closed,
    #[error("the store cannot be reached at the moment")]
    Unreachable,
    #[error("the store does not exist at the moment")]
    Missing,
    #[error(transparent)]
    Lost(Loss),
    #[error(transparent)]
    Memory(#[from] UnavailableMemory),
    #[error("the random number generator of the host failed")]
    Random,
    #[error("the store did not answer within {} seconds", .0.as_secs())]
    Timeout(Duration),
    #[error("the servers of the store have no JetStream at the moment")]
    NoJetStream,
    #[error("the store refused the operation; see the log of the host")]
    Refused,
    #[error("the key was changed by others at the same time, {0} times in a row; try again")]
    Contended(usize),
    #[error(
        "the value has {found} bytes, at most {max} fit into a message to the servers of the store"
    )]
    TooLarge { found: usize, max: usize },
    #[error("the values of the batch have more than {0} bytes; use smaller batches")]
    BatchTooLarge(usize),
    #[error("the key and the name of the bucket are too long together")]
    Key(#[from] KeyError),
    #[error(transparent)]
    Value(#[from] KeyValueError),
}

impl OperationError {
    /// Converts to the error for the guest; `may_have_changed` adds that the change may have been
    /// made.
    pub(crate) fn into_guest_error(self, may_have_changed: bool) -> KeyValueError {
        match self {
            Self::Value(error) => error,
            Self::Unreachable | Self::Timeout(_) if may_have_changed => {
                KeyValueError::Other(format!("{self}; the change may have been made"))
            }
            problem => KeyValueError::Other(problem.to_string()),
        }
    }
}

impl From<BucketError> for OperationError {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Unavailable { .. } => Self::Unreachable,
            BucketError::NoJetStream { .. } => Self::NoJetStream,
            BucketError::Missing { .. } => Self::Missing,
            BucketError::Rejected { bucket, source } => {
                // Logged here, because the guest must not see the name of the bucket.
                tracing::error!(
                    bucket,
                    error = source,
                    "an operation of a store was refused"
                );
                Self::Refused
            }
            BucketError::InvalidName { .. } | BucketError::InvalidServerName { .. } => {
                Self::Refused
            }
        }
    }
}

impl From<GuardError<WriteError>> for OperationError {
    fn from(error: GuardError<WriteError>) -> Self {
        match error {
            GuardError::Lost(loss) => Self::Lost(loss),
            GuardError::Memory(error) => Self::Memory(error),
            GuardError::Store(error) => error.into(),
            GuardError::Random => Self::Random,
        }
    }
}

impl From<WriteError> for OperationError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Conflict => Self::Contended(1),
            WriteError::TooLarge { found, max } => Self::TooLarge { found, max },
            WriteError::Store(error) => error.into(),
        }
    }
}
