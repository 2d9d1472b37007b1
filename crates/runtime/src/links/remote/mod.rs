//! Links whose calls are frames (`docs/wire.md`): the importer's side ([`client`]) writes requests,
//! the target's side ([`server`]) replies to them. The transport between the two is the bus. With
//! `--links-over-wire` every link between stores of one host uses frames as well, without a bus, to
//! test that frames carry all that links carry.

mod client;
mod server;

pub(super) use self::client::{RemoteSession, call, drop_handle, request};
pub use self::server::FrameServer;
