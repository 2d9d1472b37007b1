//! Links whose calls are frames of the wire (`docs/wire.md`): the importer's side writes them ([`client`]),
//! the target's side reads and answers them ([`server`]). Between the two is a bus, or nothing with
//! `--links-over-wire`: every link between stores of a host goes over frames then, which shows that frames
//! carry all that a link does.

mod client;
mod server;

pub(super) use self::client::{RemoteSession, call, drop_handle, request};
pub use self::server::FrameServer;
pub(crate) use self::server::Server;
