//! Links whose calls are frames of the wire (`docs/wire.md`): the importer's side writes them
//! ([`client`]), the target's side reads them and answers ([`server`]), and between them is either a bus
//! or nothing ([`frames`]). What came and was no frame for this host is counted ([`refusals`]).
//!
//! Nothing is between them with `--links-over-wire`: every link between stores of a host goes this way
//! then, which shows that what a bus carries says all there is to say.

mod client;
mod frames;
mod refusals;
mod server;

pub(super) use self::client::{RemoteSession, call, drop_handle, request};
pub(crate) use self::client::{encoded, number_call};
pub(crate) use self::frames::{Exchange, Frames, Hosts, Opening, Outbound, Peer, Told, code_of};
pub(crate) use self::refusals::{Refusal, Refusals};
pub(crate) use self::server::{Server, reply_frame, too_large};
