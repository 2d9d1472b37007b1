//! Deterministic simulation of a lattice of up to a hundred hosts under faults, from a seed.
//!
//! A [world](run) has hosts in three clouds, apps that are deployed and changed, calls, and a
//! schedule of faults, all generated from its seed. Its hosts are those of `weft_node`, whole: with
//! their tasks, over the in-process bus, with a database in memory. Only their components are
//! simulated (`host`). All tasks of a world run on one thread under a paused clock, in a fixed
//! order, and all randomness comes from the seed, so a seed always gives the same world, and a
//! failed one is replayed by its seed.
//!
//! A task beside each host checks the invariants at each change of the host's state (`invariants`,
//! `host::watcher`), against the ground truth (`truth`). After the last fault, all hosts have to
//! agree, run the desired apps, and answer every call. Tests plant mistakes ([`Mutation`]), to
//! prove that the checks find them.
//!
//! `CONTRIBUTING.md` explains how to run it.

mod call_log;
mod history;
mod host;
mod invariants;
mod mutations;
mod network;
mod records;
mod rng;
mod scenario;
mod schedule;
mod seeds;
mod shared;
mod trace;
mod truth;
mod world;

pub use invariants::Violation;
pub use mutations::Mutation;
pub use scenario::HOSTS_MAX;
pub use seeds::{Summary, run_all};
pub use trace::TraceDigest;
pub use world::{Options, Outcome, Size, run};
