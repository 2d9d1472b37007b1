//! Tests of the output and exit codes of the built `weft` command. Commands that need a host with
//! apps are tested in the `tests` crate.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod contexts;
mod doctor;
mod help;
mod hosts;
mod mistakes;
mod projects;
mod weft;
