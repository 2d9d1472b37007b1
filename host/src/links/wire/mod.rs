//! Links whose calls are frames of the wire (`docs/wire.md`): the importer's side writes them
//! ([`client`]), the target's side reads them and answers ([`server`]).
//!
//! Both sides are in one process here, and nothing lies between them: with `--links-over-wire` every
//! link between stores goes this way, which shows that what a bus will carry says all there is to say.

mod client;
mod server;

pub(super) use self::client::{RemoteSession, call, drop_handle, number_call, request};
pub(crate) use self::server::Server;
pub(super) use self::server::reply_frame;
