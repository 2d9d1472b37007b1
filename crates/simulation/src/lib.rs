//! A lattice of up to a hundred hosts under faults, from a seed: repeatable to the last message.
//!
//! A [world](run) has hosts in three clouds, apps that are deployed and changed, calls, and a schedule of faults,
//! all drawn from its seed. What decides in a real host decides here too: `weft_membership`,
//! `weft_membership::routing` and `weft_lattice_config::placement`, with messages as the bytes that hosts send, and
//! the desired state in the in-process `weft_state::desired::Records`. Only what moves bytes and runs
//! components is played, by `world` and `network`: there is no clock, no task and no chance but the seed's, and
//! one thing happens after another. So a seed always gives the same world, and one that fails is replayed by
//! its number.
//!
//! After each thing that happens, what it may have broken is checked: `invariants` has a function for each rule.
//! After the last fault, all hosts have to agree, run what is wanted, and answer every call. That the checks
//! find something is checked by breaking a rule on purpose ([`Mutation`]).
//!
//! How to run it is in `CONTRIBUTING.md`.

mod call_log;
mod event_queue;
mod history;
mod invariants;
mod mutations;
mod network;
mod process;
mod reconciler;
mod rng;
mod scenario;
mod seeds;
mod trace;
mod world;

pub use invariants::Violation;
pub use mutations::Mutation;
pub use scenario::HOSTS_MAX;
pub use seeds::{Summary, run_all};
pub use trace::TraceDigest;
pub use world::{Options, Outcome, Size, run};
