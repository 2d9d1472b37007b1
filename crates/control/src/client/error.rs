//! Why a request of the control protocol did not succeed.

use std::io;
use std::time::Duration;

use http::StatusCode;

use crate::ErrorBody;
use crate::bus_rpc::AskError;
use weft_state::objects::ObjectError;

/// Why a request to a host's admin API did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("cannot reach a host's admin API at `{address}`; is `weft up` running there?")]
    Unreachable {
        /// The address tried.
        address: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The host did not answer in time.
    #[error("the host at `{address}` did not answer within {} s", limit.as_secs())]
    Timeout {
        /// The address tried.
        address: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The bus carried no answer of the host.
    #[error("cannot reach {address}")]
    Bus {
        /// The host.
        address: String,
        /// Why not.
        #[source]
        source: AskError,
    },
    /// The bytes of a component cannot be stored for the lattice.
    #[error("cannot store a component for the lattice")]
    Objects {
        /// Why not.
        #[source]
        source: ObjectError,
    },
    /// What goes on and on does not go over the bus.
    #[error("expected the admin API of a host for what is followed, found the bus")]
    Follow,
    /// The connection broke, or what came is not HTTP.
    #[error("the connection to `{address}` broke")]
    Protocol {
        /// The address tried.
        address: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The host refused, and said why.
    #[error("{}", body.message)]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// What the host said.
        body: ErrorBody,
    },
    /// The answer is not what this version of the protocol has.
    #[error(
        "the host at `{address}` answered {status} with something else than expected; do versions differ?"
    )]
    Unexpected {
        /// The address tried.
        address: String,
        /// The status of the answer.
        status: StatusCode,
    },
}
