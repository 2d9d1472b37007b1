//! Errors of the client of the control protocol.

use std::io;
use std::time::Duration;

use http::StatusCode;

use crate::ErrorBody;
use crate::bus_rpc::BusRpcError;
use weft_state::objects::ObjectError;

/// The reasons why a request to a host's admin API failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection to the address was refused or failed.
    #[error("cannot reach a host's admin API at `{address}`; is `weft up` running there?")]
    Unreachable {
        /// The address of the admin API.
        address: String,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The answer did not arrive in time.
    #[error("the host at `{address}` did not answer within {} s", limit.as_secs())]
    Timeout {
        /// The address of the host.
        address: String,
        /// The time limit.
        limit: Duration,
    },
    /// The bus delivered no answer of the host.
    #[error("cannot reach {address}")]
    Bus {
        /// The host, for people.
        address: String,
        /// The reason.
        #[source]
        source: BusRpcError,
    },
    /// The bytes of a component could not be stored for the lattice.
    #[error("cannot store the component in the object store of the lattice")]
    Objects {
        /// The reason.
        #[source]
        source: ObjectError,
    },
    /// A stream that follows log lines or events is not available over the bus.
    #[error(
        "log lines and events cannot be followed over the bus; give the admin address of a host"
    )]
    Follow,
    /// The connection broke, or the host sent something other than HTTP.
    #[error("connection to the host at `{address}` failed")]
    Protocol {
        /// The address of the host.
        address: String,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The host rejected the request and reported why.
    #[error("{}", body.message)]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// The body of the answer.
        body: ErrorBody,
    },
    /// The answer is not one of this version of the protocol.
    #[error(
        "unexpected answer with status {status} from the host at `{address}`; run the same release of weft \
         on both sides"
    )]
    Unexpected {
        /// The address of the host.
        address: String,
        /// The status of the answer.
        status: StatusCode,
    },
}
