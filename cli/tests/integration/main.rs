//! Tests of the output and exit codes of the built `weft` command. Commands that need a host are
//! tested in the `tests` crate.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod help;
mod mistakes;
mod weft;
