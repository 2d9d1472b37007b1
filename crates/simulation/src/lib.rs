//! Deterministic simulation of a lattice of up to a hundred hosts under faults, from a seed.
//!
//! A [world](run) has hosts in three clouds, apps that are deployed and changed, calls, and a
//! schedule of faults, all generated from its seed. It runs the decision code of real hosts:
//! `weft_membership`, `weft_membership::routing` and `weft_lattice_config::placement`, with
//! messages as the bytes that hosts send, and the desired state in the in-process
//! `weft_state::desired::Records`. Only the transport and the components are simulated, by `world`
//! and `network`. The simulation has its own clock, no tasks and no randomness but the seed's, and
//! processes one event after another, so a seed always gives the same world, and a failed one is
//! replayed by its seed.
//!
//! After each event, the invariants that it may have broken are checked (`invariants`). After the
//! last fault, all hosts have to agree, run the desired apps, and answer every call. Tests break
//! rules on purpose ([`Mutation`]), to prove that the checks find it.
//!
//! `CONTRIBUTING.md` explains how to run it.

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
