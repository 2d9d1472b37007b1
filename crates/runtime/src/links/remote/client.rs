//! The importer's side: encodes a call as a request frame, and decodes its reply.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use weft_link::{FrameTransport, OutgoingCall, Peer, encoded, number_call};
use weft_wire::{DropHandle, End, FailureCode, Frame, Importer, Renew, Request, SessionId, Target};

use crate::guest::GuestState;
use crate::links::{LinkFailure, LinkedFunction, in_task};

/// Number of renewals per lease: two may be lost.
const RENEWALS_PER_LEASE: u32 = 3;

/// A session on the target's side, for an importer's instance. Dropping it ends the session.
pub(crate) struct RemoteSession {
    id: SessionId,
    peer: Peer,
    frames: FrameTransport,
    /// Renews the lease while the session is open.
    _renewal: AbortOnDropHandle<()>,
}

impl RemoteSession {
    fn new(
        id: SessionId,
        lease: Duration,
        peer: Peer,
        frames: &FrameTransport,
        tasks: &TaskTracker,
    ) -> Self {
        let renewal = renew(id, lease, peer, frames.clone());
        Self {
            id,
            peer,
            frames: frames.clone(),
            _renewal: AbortOnDropHandle::new(tasks.spawn(renewal)),
        }
    }

    /// The session's id and host.
    pub(crate) fn id(&self) -> (SessionId, Peer) {
        (self.id, self.peer)
    }
}

impl Drop for RemoteSession {
    fn drop(&mut self) {
        let end = encoded(&Frame::End(End { session: self.id }));
        self.frames.send(self.peer, end);
    }
}

async fn renew(session: SessionId, lease: Duration, peer: Peer, frames: FrameTransport) {
    let mut ticks = tokio::time::interval(lease / RENEWALS_PER_LEASE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        frames.send(peer, encoded(&Frame::Renew(Renew { session })));
    }
}

/// Calls a function over frames.
///
/// # Errors
/// The failure in the reply, or that no reply came in time.
pub(crate) async fn call(
    frames: &FrameTransport,
    function: &Arc<LinkedFunction>,
    importer: &mut GuestState,
    arguments: &[u8],
) -> Result<Bytes, LinkFailure> {
    let to = &function.target.ends.to;
    let Some(activity) = importer.activity().cloned() else {
        let reason = format!("`{to}`: the importer has no active request");
        return Err(LinkFailure::new(FailureCode::Refused, reason));
    };
    let now = Instant::now();
    let time_left = activity.deadline.saturating_duration_since(now);
    let time_left = function
        .deadline
        .map_or(time_left, |link| link.min(time_left));
    let session = importer.sessions().remote(&function.target);
    let call = number_call();
    let frame = request(
        function,
        call,
        session.map(|(id, _)| id),
        time_left,
        activity.depth,
        arguments,
    );
    let outgoing = OutgoingCall {
        number: call,
        target: function.target.id.clone(),
        frame: frame.into(),
        deadline: now + time_left,
        is_idempotent: function.is_idempotent,
    };
    let pinned = session.map(|(_, peer)| peer);
    let (answer, peer) = exchange(frames, function, outgoing, pinned).await?;
    let Ok(Frame::Reply(reply)) = Frame::decode(&answer) else {
        let reason = format!("cannot decode the reply of `{to}`");
        return Err(LinkFailure::new(FailureCode::MaybeExecuted, reason));
    };
    match (reply.session, session) {
        (Some(kept), None) => {
            let lease = Duration::from_millis(u64::from(kept.lease_ms));
            let tasks = &function.target.delivery.tasks;
            let session = RemoteSession::new(kept.id, lease, peer, frames, tasks);
            importer.sessions().put_remote(&function.target, session);
        }
        // The session has ended before the call, or with it.
        (None, Some(_)) => importer.sessions().clear(&function.target),
        (Some(_), Some(_)) | (None, None) => {}
    }
    reply.outcome.map(|payload| answer.slice_ref(payload))
}

/// Releases a handle at the target, and waits until the target has processed the frame.
pub(crate) async fn drop_handle(
    frames: &FrameTransport,
    function: &LinkedFunction,
    importer: &mut GuestState,
    handle: u32,
) -> Result<(), LinkFailure> {
    let Some((session, peer)) = importer.sessions().remote(&function.target) else {
        // The session has ended, and the resource with it.
        return Ok(());
    };
    let frame = encoded(&Frame::Drop(DropHandle { session, handle }));
    let deadline = importer.activity().map(|activity| activity.deadline);
    let deadline = deadline.unwrap_or_else(Instant::now);
    let delivery = &function.target.delivery;
    let frames = frames.clone();
    let send = async move { frames.drop_handle(peer, frame, deadline).await };
    if delivery.is_in_task() {
        // If this host is shutting down, the session ends anyway.
        let _ = in_task(&delivery.tasks, send).await;
    } else {
        send.await;
    }
    Ok(())
}

/// Sends a frame and waits for its reply.
async fn exchange(
    frames: &FrameTransport,
    function: &LinkedFunction,
    call: OutgoingCall,
    pinned: Option<Peer>,
) -> Result<(Bytes, Peer), LinkFailure> {
    let target = &function.target;
    if !target.delivery.is_in_task() {
        return frames.exchange(call, pinned).await;
    }
    let frames = frames.clone();
    let exchange = async move { frames.exchange(call, pinned).await };
    let reply = in_task(&target.delivery.tasks, exchange).await;
    reply.unwrap_or_else(|_| {
        let reason = format!(
            "`{}`: the call was interrupted, the host is shutting down",
            target.ends.to
        );
        Err(LinkFailure::new(FailureCode::MaybeExecuted, reason))
    })
}

/// The request frame of a call by an importer with `left` time, at the end of `depth` links.
pub(in crate::links) fn request(
    function: &LinkedFunction,
    call: u64,
    session: Option<SessionId>,
    time_left: Duration,
    depth: u32,
    payload: &[u8],
) -> Vec<u8> {
    let ends = &function.target.ends;
    encoded(&Frame::Request(Request {
        call,
        session,
        target: Target {
            app: &ends.app,
            component: &ends.to,
            interface: &function.export,
            function: &function.name,
        },
        deadline_ms: u32::try_from(time_left.as_millis()).unwrap_or(u32::MAX),
        depth,
        trace: None,
        importer: Importer {
            app: &ends.app,
            component: &ends.from,
        },
        payload,
    }))
}
