//! Where the frames of a link go: to this host's own server, or to a host of the lattice.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use weft_lattice_config::placement::ComponentId;
use weft_membership::HostId;
use weft_wire::{FailureCode, Frame};

use super::Server;
use crate::links::concurrent::Away;
use crate::links::{LinkFailure, LinkedFunction};

/// The way of frames.
#[derive(Clone)]
pub(crate) enum Frames {
    /// To this host itself, with nothing between.
    Loopback(Arc<Server>),
    /// To whichever host of the lattice runs the target.
    Remote(Arc<dyn Hosts>),
}

/// Whoever answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// This host.
    Itself,
    /// Another one, or this one by way of the bus.
    Host(HostId),
}

/// A reply that is waited for.
pub(crate) type Exchange<'a> = BoxFuture<'a, Result<(Bytes, HostId), LinkFailure>>;

/// The hosts of a lattice, as links see them.
#[async_trait]
pub(crate) trait Hosts: Send + Sync {
    /// Sends a call to a host that runs its target, and waits for the reply: to `pinned` and no other, if
    /// a session ties the importer to it. Says who answered.
    ///
    /// # Errors
    /// If nobody did in time, or there is nobody to ask.
    fn exchange<'a>(&'a self, call: &'a Outbound, pinned: Option<HostId>) -> Exchange<'a>;

    /// Makes a call that has streams, at a host that runs its target, and carries what its side says until
    /// there is nothing more to carry. `answer` is told the frame of the reply, once, as soon as it is there.
    ///
    /// Dropping the future gives up the call: whoever serves it is told.
    async fn converse(&self, opening: Opening, answer: Told);

    /// Sends a frame that has no reply, and waits until the host has dealt with it, or the deadline.
    async fn tell(&self, host: HostId, frame: Vec<u8>, deadline: Instant);

    /// Sends a frame that has no reply, if the bus can take it now.
    fn note(&self, host: HostId, frame: Vec<u8>);
}

/// Who is told the frame of a reply, or why there is none.
pub(crate) type Told = Box<dyn FnOnce(Result<Vec<u8>, LinkFailure>) + Send>;

/// A call that has streams, on its way out.
pub(crate) struct Opening {
    /// What is called.
    pub(crate) target: ComponentId,
    /// The frame that asks for it.
    pub(crate) frame: Bytes,
    /// Until when there has to be a reply.
    pub(crate) deadline: Instant,
    /// Whether the call may be made twice.
    pub(crate) is_idempotent: bool,
    /// The caller's side of its streams.
    pub(crate) away: Away,
}

/// A call on its way out.
pub(crate) struct Outbound {
    pub(crate) function: Arc<LinkedFunction>,
    pub(crate) frame: Bytes,
    pub(crate) deadline: Instant,
}

impl Frames {
    /// Sends a call and waits for the frame of its reply; to the peer that has the importer's session, if
    /// there is one.
    ///
    /// # Errors
    /// If nobody answers in time.
    pub(super) async fn exchange(
        &self,
        call: Outbound,
        pinned: Option<Peer>,
    ) -> Result<(Bytes, Peer), LinkFailure> {
        match self {
            Self::Loopback(server) => {
                let answer = server.answer(&call.frame);
                let to = &call.function.route.ends.to;
                match timeout_at(call.deadline, answer).await {
                    Ok(Some(reply)) => Ok((reply.into(), Peer::Itself)),
                    Ok(None) => {
                        let reason = format!("the host of `{to}` does not understand the call");
                        Err(LinkFailure::new(FailureCode::Refused, reason))
                    }
                    Err(_) => Err(late(to)),
                }
            }
            Self::Remote(hosts) => {
                let pinned = match pinned {
                    Some(Peer::Host(host)) => Some(host),
                    Some(Peer::Itself) | None => None,
                };
                let (reply, host) = hosts.exchange(&call, pinned).await?;
                Ok((reply, Peer::Host(host)))
            }
        }
    }

    /// Sends a frame that has no reply.
    pub(super) fn note(&self, peer: Peer, frame: Vec<u8>) {
        match (self, peer) {
            (Self::Remote(hosts), Peer::Host(host)) => hosts.note(host, frame),
            (Self::Loopback(server), _) => server.note(&frame),
            (Self::Remote(_), Peer::Itself) => {}
        }
    }

    /// Tells a peer that a handle is not wanted any more, and waits until it knows: the calls after it must
    /// not overtake it.
    pub(super) async fn drop_handle(&self, peer: Peer, frame: Vec<u8>, deadline: Instant) {
        match self {
            Self::Loopback(server) => {
                // There is no answer to it; what matters is that it was heard.
                let _ = timeout_at(deadline, server.answer(&frame)).await;
            }
            Self::Remote(hosts) => {
                if let Peer::Host(host) = peer {
                    hosts.tell(host, frame, deadline).await;
                }
            }
        }
    }
}

/// The code of the failure that a reply tells.
pub(crate) fn code_of(reply: &[u8]) -> Option<FailureCode> {
    let failure = match Frame::decode(reply) {
        Ok(Frame::Reply(reply)) => reply.outcome.err(),
        Ok(Frame::HttpReply(reply)) => reply.outcome.err(),
        _ => None,
    };
    failure.map(|failure| failure.code())
}

/// What a call without a reply in time is.
fn late(to: &str) -> LinkFailure {
    LinkFailure::new(
        FailureCode::Deadline,
        format!("`{to}` did not answer in time"),
    )
}
