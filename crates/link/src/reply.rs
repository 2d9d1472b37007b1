//! Numbers of calls, and frames of their requests and replies.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use weft_wire::{FailureCode, Frame, HttpRequest, KeptSession, Reply, Request};

use crate::LinkFailure;

/// Number of the next call of this process. The first is random, so that a host can tell the calls
/// of others apart by their number, and no host can cancel the calls of another.
static CALLS: LazyLock<AtomicU64> = LazyLock::new(|| {
    let mut first = [0; 8];
    // Without randomness a cancelled call may go on until its deadline.
    let _ = getrandom::fill(&mut first);
    AtomicU64::new(u64::from_le_bytes(first))
});

/// Returns a call number that is unique in this process.
pub fn number_call() -> u64 {
    CALLS.fetch_add(1, Ordering::Relaxed)
}

/// The bytes of a frame; empty, and logged, if a field exceeds a bound that was checked before.
#[must_use]
pub fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = frame.encode(&mut bytes) {
        tracing::warn!(%error, kind = frame.kind().name(), "cannot encode a frame; it is dropped");
    }
    bytes
}

/// The frame of a request under another call number; `None` for another frame.
#[must_use]
pub fn renumbered(request: &[u8], call: u64) -> Option<Vec<u8>> {
    let frame = match Frame::decode(request).ok()? {
        Frame::Request(request) => Frame::Request(Request { call, ..request }),
        Frame::HttpRequest(request) => Frame::HttpRequest(HttpRequest { call, ..request }),
        _ => return None,
    };
    Some(encoded(&frame))
}

/// The failure code of a reply frame; `None` if the call succeeded.
#[must_use]
pub fn code_of(reply: &[u8]) -> Option<FailureCode> {
    let failure = match Frame::decode(reply) {
        Ok(Frame::Reply(reply)) => reply.outcome.err(),
        Ok(Frame::HttpReply(reply)) => reply.outcome.err(),
        _ => None,
    };
    failure.map(|failure| failure.code())
}

/// The reply frame to `request`.
#[must_use]
pub fn reply_frame(
    request: &Request<'_>,
    session: Option<KeptSession>,
    outcome: &Result<Vec<u8>, LinkFailure>,
) -> Vec<u8> {
    let reply = |outcome| {
        Frame::Reply(Reply {
            call: request.call,
            session,
            outcome,
        })
    };
    let mut frame = Vec::new();
    let encoded = match outcome {
        Ok(payload) => reply(Ok(payload)).encode(&mut frame),
        Err(failure) => reply(Err(failure.clone())).encode(&mut frame),
    };
    if encoded.is_err() {
        let to = request.target.component;
        let reason = format!("the reply of `{to}` is too large for a frame");
        let failure = LinkFailure::new(FailureCode::MaybeExecuted, reason);
        // The message of a failure is bounded, so this one fits.
        let _ = reply(Err(failure)).encode(&mut frame);
    }
    frame
}
