//! Which host a call goes to: the caller's choice, made without asking anyone.
//!
//! A [`Router`] makes a [`Table`] of each [view](crate::View): which hosts have which component
//! ready, the nearest first. A call takes its [`Candidates`] from the table and goes its [`Route`]. The table
//! is never changed, so calls read it without locks; what they learn of hosts (who is busy, who does not
//! answer) is shared between all tables and calls of the router.
//!
//! What is promised:
//! 1. The nearest first: this host, then its zone, its region, its cloud, then any. Among the equally near,
//!    the less busy one of two at random, in relation to what each takes.
//! 2. A host that is suspected, damped or leaving gets calls only if no sound one is left; one that is dead
//!    gets none; one that does not answer is ejected, and gets none but probes while another is left.
//! 3. What certainly has not run goes to another host, within the deadline. What may have run does so only
//!    if it may be made twice; otherwise whoever called is told `maybe-executed`.
//! 4. No call goes to a host twice unless the bus was lost meanwhile, or to more than [`ATTEMPTS_MAX`]. Calls
//!    that are sent again are bounded by a budget, a fifth of all calls and [`RETRIES_SAVED_MAX`] besides.
//! 5. A call of which every host was lost is not over: it goes on when there are others, or the bus is back
//!    ([`Decision::Nobody`]). How long to wait for that is its caller's choice.

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
