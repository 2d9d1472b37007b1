//! Processes on this machine and requests to them, for tests, automation and drills.
//!
//! - [`Process`]: a child process with its output in files; it ends with its owner.
//! - [`NatsServer`]: a NATS server with its files in a directory.
//! - [`weft`]: the command lines of `weft`.
//! - [`http`]: a blocking HTTP/1.1 client over a bare socket.
//! - [`until`]: the bounded wait for a state.
//! - [`golden`]: files with expected text.
//! - [`fuzz`]: checks over seeds.
//!
//! No other crate of the workspace is below this one, and nothing here is async: `xtask` has no
//! runtime, and a drill polls with its own timer.

pub mod fuzz;
pub mod golden;
pub mod http;
pub mod weft;

mod error;
mod nats_server;
mod process;
mod wait;

pub use error::Error;
pub use nats_server::NatsServer;
pub use process::{Process, free_address, free_addresses};
pub use wait::{Polling, pause, until};
