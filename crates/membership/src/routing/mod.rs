//! Routing of calls: the choice of a host, made by the caller without coordination.
//!
//! A [`Router`] builds a [`Table`] of each [view](crate::View): the hosts of each ready component,
//! the nearest first. A call takes its [`Candidates`] from the table and follows its [`Route`].
//! Tables are immutable, so calls read them without locks. Observations of calls (busy hosts,
//! unresponsive hosts) are shared between all tables and calls of a router.
//!
//! Guarantees:
//! 1. The nearest host first: this host, then its zone, its region, its cloud, then any. Among
//!    equally near hosts, the less utilized of two random ones.
//! 2. Suspected, damped and leaving hosts get calls only if no healthy one is left. Dead hosts get
//!    none. Unresponsive hosts are ejected, and get only probes while another host is left.
//! 3. A call that certainly has not run is sent to another host, within the deadline. One that may
//!    have run is sent again only if it is idempotent; otherwise it fails with `maybe-executed`.
//! 4. A call reaches a host at most once unless the bus was lost meanwhile, and at most
//!    [`ATTEMPTS_MAX`] hosts. Repeated calls are bounded by a budget: a fifth of all calls plus
//!    [`RETRIES_SAVED_MAX`].
//! 5. A call whose hosts were all lost, or had no responders, can continue at other hosts, or at
//!    the same ones when they are back ([`Decision::NoCandidate`]). The caller chooses how often to
//!    try and how long to wait for that.

mod endpoint;
mod outcome;
mod outlier_ejection;
mod power_of_two;
mod proximity;
mod retry_budget;
mod route;
mod table;

pub use endpoint::Probe;
pub use outcome::Outcome;
pub use outlier_ejection::{
    EJECTED_FIRST, EJECTED_MAX, EJECTION_FORGOTTEN_AFTER, FAILURES_TO_EJECT, PROBES_TO_RETURN,
};
pub use power_of_two::Repeat;
pub use proximity::{LABEL_CLOUD, LABEL_REGION, LABEL_ZONE, Proximity};
pub use retry_budget::RETRIES_SAVED_MAX;
pub use route::{ATTEMPT_TIME_MIN, ATTEMPTS_MAX, Attempt, Call, Decision, Route};
pub use table::{Candidates, Router, Table};
