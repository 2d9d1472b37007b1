//! The state of a running guest ([`state`]), its limits ([`limits`]), what its handles hold
//! ([`host_bytes`]), its output ([`output`]) and its outgoing HTTP requests ([`outgoing`]).

mod host_bytes;
pub(crate) mod limits;
pub(crate) mod outgoing;
pub(crate) mod output;
pub(crate) mod state;

pub(crate) use self::limits::{LimitExceeded, StoreLimits};
pub(crate) use self::state::{Activity, GuestState, HostcallData, PartTemplate, StoreTemplate};
