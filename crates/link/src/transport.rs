//! Transport of a call's frames: to this host's own server, or to a host of the lattice.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use weft_lattice_config::ComponentName;
use weft_lattice_config::placement::ComponentId;
use weft_membership::HostId;
use weft_wire::{FailureCode, Frame, Request};

use crate::stream_message::PeerDelivery;
use crate::{Answer, CallSide, LinkFailure, RejectedFrames, RemoteSide, Role, reply_frame};

/// The transport of a link's frames.
#[derive(Clone)]
pub enum FrameTransport {
    /// This host's own server, without a bus.
    Loopback(Arc<dyn CallServer>),
    /// The bus, to a host of the lattice that runs the target.
    Remote(Arc<dyn Hosts>),
}

/// The target's side of a streaming call, and the transport of its frames.
pub enum TargetSide {
    /// A side of this host, and its server.
    Loopback(Arc<dyn CallServer>, Arc<CallSide>),
    /// A side of another host.
    Remote(Arc<dyn Hosts>, RemoteSide),
}

/// A host that answers calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// This host, without the bus.
    Itself,
    /// Another host, or this one over the bus.
    Host(HostId),
}

/// A pending reply, and the host that sent it.
pub type Exchange<'a> = BoxFuture<'a, Result<(Bytes, HostId), LinkFailure>>;

/// The other hosts of the lattice, as links see them.
#[async_trait]
pub trait Hosts: Send + Sync {
    /// Sends a call to a host that runs its target and waits for the reply. With `pinned`, only
    /// that host is tried: a session ties the importer to it.
    ///
    /// # Errors
    /// `LinkFailure` if no host replied in time, or no host that runs the target is reachable.
    fn exchange<'a>(&'a self, call: &'a OutgoingCall, pinned: Option<HostId>) -> Exchange<'a>;

    /// Makes a streaming call at a host that runs its target, and carries the frames of its streams
    /// until both sides are done. `remote` is the caller's side of them. `reply` receives the reply
    /// frame, once, as soon as it arrives.
    ///
    /// Dropping the future cancels the call at its target.
    async fn call_streaming(&self, call: OutgoingCall, remote: RemoteSide, reply: ReplyCallback);

    /// Sends a frame without a reply, and waits until the host has processed it, or the deadline.
    async fn send_and_wait(&self, host: HostId, frame: Vec<u8>, deadline: Instant);

    /// Sends a frame without a reply, if the bus can take it now.
    fn send(&self, host: HostId, frame: Vec<u8>);

    /// The most bytes of a message to another host.
    fn message_bytes_max(&self) -> usize {
        usize::MAX
    }

    /// The reason why no host of the lattice may run a component, if it is so. Calls to it fail at
    /// once.
    fn unplaceable(&self, target: &ComponentId) -> Option<String> {
        let _ = target;
        None
    }
}

/// Answers calls that come as frames. Nothing in a frame is trusted.
#[async_trait]
pub trait CallServer: Send + Sync {
    /// Answers a frame; `None` for a frame that has no reply, or is rejected.
    fn answer<'a>(&'a self, frame: &'a [u8]) -> BoxFuture<'a, Option<Vec<u8>>>;

    /// Processes a frame that has no reply.
    fn receive(&self, frame: &[u8]);

    /// Admits a call before its arguments have arrived, so that it has its place at the target
    /// while they are fetched.
    ///
    /// # Errors
    /// `unreachable` if the target does not run here; `busy` or another code if the target rejects
    /// the call.
    fn admit(&self, head: &Request<'_>) -> Result<Box<dyn AdmittedCall>, LinkFailure>;

    /// Counts of rejected frames.
    fn rejected(&self) -> &Arc<RejectedFrames>;

    /// Ends the sessions whose lease has expired. Called about once a second.
    fn drop_expired(&self);
}

/// A call that has its place at its target.
#[async_trait]
pub trait AdmittedCall: Send {
    /// The end of the call's time.
    fn deadline(&self) -> Instant;

    /// Makes the call, and returns its reply frame.
    async fn make(self: Box<Self>, request: &Request<'_>) -> Vec<u8>;

    /// Makes the call, which has streams. `reply` receives its reply.
    async fn serve_streams(
        self: Box<Self>,
        side: Arc<CallSide>,
        request: &Request<'_>,
        reply: oneshot::Sender<Answer<CallEnd>>,
    );
}

/// Makes a streaming call, if its target admits it. `reply` receives its reply.
pub async fn serve_streams(
    server: &dyn CallServer,
    side: Arc<CallSide>,
    request: &Request<'_>,
    reply: oneshot::Sender<Answer<CallEnd>>,
) {
    match server.admit(request) {
        Ok(call) => call.serve_streams(side, request, reply).await,
        Err(failure) => CallEnd::reject(request, failure, reply),
    }
}

/// Receives a reply frame, or the failure in its place.
pub type ReplyCallback = Box<dyn FnOnce(Result<Vec<u8>, LinkFailure>) + Send>;

/// The end of a call over frames.
#[derive(Debug)]
pub enum CallEnd {
    /// The frame of its reply.
    Frame(Vec<u8>),
    /// A failure without a reply.
    Failed(LinkFailure),
}

/// A call on its way out.
pub struct OutgoingCall {
    /// Number of the call, as in its frame.
    pub number: u64,
    /// The target.
    pub target: Arc<ComponentId>,
    /// The frame that requests the call.
    pub frame: Bytes,
    /// Deadline of the reply.
    pub deadline: Instant,
    /// True if a retry is allowed after the call may have run.
    pub is_idempotent: bool,
}

// === impl CallEnd ===

impl CallEnd {
    /// Replies to a call that was not made.
    pub fn reject(
        request: &Request<'_>,
        failure: LinkFailure,
        reply: oneshot::Sender<Answer<Self>>,
    ) {
        let frame = reply_frame(request, None, &Err(failure));
        // The caller may be gone.
        let _ = reply.send(Answer::Ended(Self::Frame(frame)));
    }

    /// Passes the reply of a call at another host on to its caller.
    #[must_use]
    pub fn forward(answer: oneshot::Sender<Answer<Self>>) -> ReplyCallback {
        Box::new(move |reply| {
            // The caller may be gone.
            let _ = answer.send(match reply {
                Ok(reply) => Answer::Streaming(reply),
                Err(failure) => Answer::Ended(Self::Failed(failure)),
            });
        })
    }
}

// === impl FrameTransport ===

impl FrameTransport {
    /// Sends a call and waits for its reply frame. With `pinned`, the call goes to the peer that
    /// has the importer's session.
    ///
    /// # Errors
    /// `LinkFailure` if no peer replied in time, or the peer rejected the frame.
    pub async fn exchange(
        &self,
        call: OutgoingCall,
        pinned: Option<Peer>,
    ) -> Result<(Bytes, Peer), LinkFailure> {
        match self {
            Self::Loopback(server) => {
                let answer = server.answer(&call.frame);
                let to = &call.target.component;
                match timeout_at(call.deadline, answer).await {
                    Ok(Some(reply)) => Ok((reply.into(), Peer::Itself)),
                    Ok(None) => {
                        let reason = format!("the host of `{to}` rejected the frame of the call");
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

    /// The two sides of a streaming call: that of the caller, which sends and receives its streams,
    /// and that of the target, which makes the call.
    #[must_use]
    pub fn sides(&self, call: u64) -> (Arc<CallSide>, TargetSide) {
        match self {
            Self::Loopback(server) => {
                let delivery = |peer: &_| PeerDelivery::Framed(Arc::downgrade(peer), call);
                let (side, target) = CallSide::pair(delivery);
                (side, TargetSide::Loopback(server.clone(), target))
            }
            Self::Remote(hosts) => {
                let (side, remote) = CallSide::with_remote(Role::Importer, call);
                (side, TargetSide::Remote(hosts.clone(), remote))
            }
        }
    }

    /// Sends a frame that has no reply.
    pub fn send(&self, peer: Peer, frame: Vec<u8>) {
        match (self, peer) {
            (Self::Remote(hosts), Peer::Host(host)) => hosts.send(host, frame),
            (Self::Loopback(server), _) => server.receive(&frame),
            (Self::Remote(_), Peer::Itself) => {}
        }
    }

    /// Releases a handle at a peer, and waits until that is done: later calls must not overtake it.
    pub async fn drop_handle(&self, peer: Peer, frame: Vec<u8>, deadline: Instant) {
        match self {
            Self::Loopback(server) => {
                // The frame has no reply; this waits for its processing.
                let _ = timeout_at(deadline, server.answer(&frame)).await;
            }
            Self::Remote(hosts) => {
                if let Peer::Host(host) = peer {
                    hosts.send_and_wait(host, frame, deadline).await;
                }
            }
        }
    }
}

// === impl TargetSide ===

impl TargetSide {
    /// Makes a streaming call, until both sides are done. `answer` receives its reply. Dropping the
    /// future cancels the call.
    pub async fn call(self, call: OutgoingCall, answer: oneshot::Sender<Answer<CallEnd>>) {
        match self {
            Self::Loopback(server, side) => {
                if let Ok(Frame::Request(request)) = Frame::decode(&call.frame) {
                    serve_streams(&*server, side, &request, answer).await;
                }
            }
            Self::Remote(hosts, remote) => {
                let reply = CallEnd::forward(answer);
                hosts.call_streaming(call, remote, reply).await;
            }
        }
    }
}

/// The failure of a streaming call to `to` with this deadline: a host that read a stream and sent
/// no reply until the deadline was not lost, and the call was late.
#[must_use]
pub fn late_at_deadline(
    failure: LinkFailure,
    deadline: Instant,
    to: &ComponentName,
) -> LinkFailure {
    match failure.code() {
        FailureCode::MaybeExecuted if Instant::now() >= deadline => late(to),
        _ => failure,
    }
}

pub(crate) fn late(to: &ComponentName) -> LinkFailure {
    LinkFailure::new(
        FailureCode::Deadline,
        format!("`{to}` did not answer in time"),
    )
}
