//! The state of a running guest ([`state`]), its limits ([`limits`]), its output ([`output`]) and
//! its outgoing HTTP requests ([`outgoing`]).

pub(crate) mod limits;
pub(crate) mod outgoing;
pub(crate) mod output;
pub(crate) mod state;

pub(crate) use self::limits::{LimitExceeded, StoreLimits};
pub(crate) use self::state::{Activity, GuestState, PartTemplate, StoreTemplate};
