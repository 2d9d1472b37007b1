//! What end-to-end tests are written with: real processes, real sockets, bounded waits.
//!
//! - [`Weft`]: a host that runs until the test ends; commands against it.
//! - [`Nats`]: a NATS server that runs until the test ends; [`RawNats`]: a client that can say
//!   anything.
//! - [`Process`]: any program, its output kept, ended by its own id.
//! - [`Files`]: manifests and components in a temporary directory.
//! - [`http`]: an HTTP/1.1 client that can be as wrong as a test wants, [`http2`]: one that cannot.
//! - [`eventually`]: the only way to wait.
//!
//! The tests run the `weft` next to them in the target directory, and load the guests that `cargo
//! xtask guests --foreign` builds. Both fail a test if they are older than their sources.

pub mod http;
pub mod http2;

mod dep_info;
mod files;
mod guests;
mod host;
mod nats;
mod probe;
mod process;
mod raw_nats;
mod wait;

pub use files::{Files, app};
pub use guests::{guest, guest_if_built};
pub use host::{Options, Weft, weft_command};
pub use nats::Nats;
pub use probe::{Probe, probes};
pub use process::{Finished, Process};
pub use raw_nats::{RawMessage, RawNats};
pub use wait::{PATIENCE, after, eventually};
