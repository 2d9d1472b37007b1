//! The built `weft` command, seen from outside: what it prints and the code it ends with. What needs
//! a host is tested in the `tests` crate.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod help;
mod mistakes;
mod weft;
