//! The kit of end-to-end tests: real processes, real sockets, bounded waits.
//!
//! - [`Weft`]: a host that runs until the test ends; commands against it.
//! - [`start_nats`]: a NATS server that runs until the test ends; [`RawNats`]: a client that can
//!   send anything.
//! - [`spawn`]: any program, its output stored, ended by its own id; [`finish`] waits for its end.
//! - [`Files`]: manifests and components in a temporary directory; [`large_component`]: one that
//!   takes long to compile; [`dummy_component`]: one of any WIT.
//! - [`http`]: an HTTP/1.1 client that can be as wrong as a test needs, [`http2`]: one that cannot.
//! - [`eventually`]: the only way to wait.
//!
//! The tests run the `weft` next to them in the target directory, and load the guests that `cargo
//! xtask guests --foreign` builds. Both fail a test if they are older than their sources.

pub mod http2;

mod dep_info;
mod dummy;
mod files;
mod guests;
mod host;
mod large_component;
mod probe;
mod process;
mod raw_nats;
mod wait;

pub use dummy::dummy_component;
pub use files::{Files, app};
pub use guests::{guest, guest_if_built};
pub use host::{Options, Weft, folder, weft_command};
pub use large_component::large_component;
pub use probe::{Probe, probes};
pub use process::{Finished, finish, spawn, spawn_typing};
pub use raw_nats::{RawMessage, RawNats};
pub use wait::{PATIENCE, eventually};
pub use weft_harness::{Process, free_address, http, pause};
pub use weft_testkit::nats_server::{
    HUB_DOMAIN, NatsServer, start_leaf_and_hub, start_nats, start_nats_with,
    start_nats_without_jetstream,
};
