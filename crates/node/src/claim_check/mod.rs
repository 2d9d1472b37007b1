//! Claim checks: frames that exceed a message of the bus stay at their sender, and the receiver
//! fetches them part by part (`docs/wire.md`, "Large frames").
//!
//! - [`store`]: the frames that this host offers, and the task that serves their parts.
//! - [`fetch`]: the frames that this host fetches from others.
//!
//! Both sides are bounded in bytes, for the host as a whole.

mod fetch;
mod store;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use weft_bus::Bus;
use weft_link::{LinkFailure, reply_frame};
use weft_membership::HostId;
use weft_membership::routing::Outcome;
use weft_telemetry::chain;
use weft_wire::{Envelope, FailureCode, Frame, Kind, Request};

pub(super) use self::fetch::{ClaimFetchError, ClaimFetcher, FetchedFrame};
pub(super) use self::store::{Claim, ClaimStore, ClaimStoreError, StoredFrame, serve};

use crate::subjects::Subjects;

/// The bytes of a message beside the part of a frame: the fields of `held` or `part`, and the
/// longest authenticator.
const PART_OVERHEAD: usize = 1 << 10;

/// The longest time that a reply or a stream frame is stored for a receiver that does not fetch it,
/// whatever its deadline: longer than the largest one takes over a slow connection between clouds.
const STORED_TIME_MAX: Duration = Duration::from_secs(30);

/// Both sides of claim checks. Cheap to clone.
#[derive(Clone)]
pub(super) struct ClaimChecks {
    bus: Bus,
    pub(super) store: ClaimStore,
    pub(super) fetcher: ClaimFetcher,
}

impl ClaimChecks {
    pub(super) fn new(bus: Bus, subjects: Subjects, me: HostId) -> Self {
        Self {
            store: ClaimStore::new(me),
            fetcher: ClaimFetcher::new(bus.clone(), subjects),
            bus,
        }
    }

    /// The most bytes of a message to another host.
    pub(super) fn message_bytes_max(&self) -> usize {
        self.bus.max_payload()
    }

    /// Stores a frame if it exceeds a message.
    ///
    /// # Errors
    /// A [`ClaimStoreError`] if there is no room for it.
    pub(super) fn payload(&self, frame: Bytes) -> Result<Payload, ClaimStoreError> {
        if frame.len() <= self.bus.max_payload() {
            return Ok(Payload::Inline(frame));
        }
        self.store.store(frame).map(Payload::Stored)
    }

    /// The message that carries a payload to one receiver, with the receiver's claim if the payload
    /// is stored.
    ///
    /// # Errors
    /// A [`ClaimStoreError`] if the claim cannot be announced.
    pub(super) fn announce(
        &self,
        payload: &Payload,
    ) -> Result<(Option<Claim>, Bytes), ClaimStoreError> {
        match payload {
            Payload::Inline(frame) => Ok((None, frame.clone())),
            Payload::Stored(stored) => {
                let (claim, announcement) = stored.claim(&self.bus)?;
                Ok((Some(claim), announcement))
            }
        }
    }

    /// The reply frame in a message of `host`, fetched if it was offloaded. `None` if it is lost.
    ///
    /// # Errors
    /// [`ClaimFetchError::Full`] if there is no room to fetch it.
    pub(super) async fn reply(
        &self,
        host: HostId,
        message: Bytes,
        deadline: Instant,
    ) -> Result<Option<Bytes>, ClaimFetchError> {
        let is_offloaded = Envelope::open(&message).is_ok_and(|frame| frame.kind() == Kind::Held);
        if !is_offloaded {
            return Ok(Some(message));
        }
        match self.fetch(host, &message, deadline).await {
            Ok(frame) => Ok(Some(frame)),
            Err(error @ ClaimFetchError::Full { .. }) => Err(error),
            Err(error) => {
                let (host, reason) = (host.short(), chain(&error));
                tracing::debug!(host, reason, "the result of a call was not fetched");
                Ok(None)
            }
        }
    }

    /// The stream frame that a message of `host` announces.
    ///
    /// # Errors
    /// A [`ClaimFetchError`] if it cannot be fetched.
    pub(super) async fn stream_frame(
        &self,
        host: HostId,
        message: &[u8],
    ) -> Result<Bytes, ClaimFetchError> {
        let deadline = Instant::now() + STORED_TIME_MAX;
        self.fetch(host, message, deadline).await
    }

    /// Fetches the frame that a message of `host` announces.
    async fn fetch(
        &self,
        host: HostId,
        message: &[u8],
        deadline: Instant,
    ) -> Result<Bytes, ClaimFetchError> {
        let Frame::Held(held) = Frame::decode(message).map_err(ClaimFetchError::Malformed)? else {
            return Err(ClaimFetchError::Mismatched);
        };
        if held.host != *host.key() {
            return Err(ClaimFetchError::ForeignHost);
        }
        Ok(self.fetcher.fetch(&held, deadline).await?.frame)
    }
}

/// A call whose reply is due: enough for a failure in place of a reply that cannot be sent.
pub(super) struct PendingReply<'a> {
    request: Request<'a>,
    /// The time at which its importer stops waiting.
    deadline: Instant,
}

impl<'a> PendingReply<'a> {
    /// The reply to a request that arrived at `arrived`.
    pub(super) fn new(request: &Request<'a>, arrived: Instant) -> Self {
        let allowed = Duration::from_millis(request.deadline_ms.into());
        Self {
            request: *request,
            deadline: arrived + allowed,
        }
    }

    /// The time at which the importer stops waiting.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The reply to a call whose result cannot be sent.
    fn failure_frame(&self, reason: &str) -> Bytes {
        let to = self.request.target.component;
        let reason = format!("the result of `{to}` cannot be sent: {reason}");
        let failure = LinkFailure::new(FailureCode::MaybeExecuted, reason);
        reply_frame(&self.request, None, &Err(failure)).into()
    }
}

impl ClaimChecks {
    /// The message of a reply, or of a failure in its place if it cannot be stored.
    pub(super) fn offload_reply(
        &self,
        pending: &PendingReply<'_>,
        reply: Vec<u8>,
    ) -> OutgoingMessage {
        let offloaded = self.offload_until(reply.into(), pending.deadline);
        offloaded.unwrap_or_else(|error| pending.failure_frame(&chain(&error)).into())
    }

    /// The message of a frame.
    ///
    /// # Errors
    /// A [`ClaimStoreError`] if the frame exceeds a message and cannot be stored.
    pub(super) fn offload(&self, frame: Bytes) -> Result<OutgoingMessage, ClaimStoreError> {
        self.offload_until(frame, Instant::now() + STORED_TIME_MAX)
    }

    fn offload_until(
        &self,
        frame: Bytes,
        deadline: Instant,
    ) -> Result<OutgoingMessage, ClaimStoreError> {
        if frame.len() <= self.bus.max_payload() {
            return Ok(frame.into());
        }
        let stored = self.store.store(frame)?;
        let (claim, message) = stored.claim(&self.bus)?;
        let until = deadline.min(Instant::now() + STORED_TIME_MAX);
        let fetched = async move {
            if timeout_at(until, claim.all_requested()).await.is_err() {
                tracing::debug!("an offloaded frame was not fetched in time");
            }
            drop((claim, stored));
        };
        Ok(OutgoingMessage {
            message,
            fetched: Some(Box::pin(fetched)),
        })
    }
}

/// The message of a frame: the frame itself, or its announcement if it is offloaded.
pub(super) struct OutgoingMessage {
    pub(super) message: Bytes,
    /// Waits until an offloaded frame was fetched, or expires; ends the claim if dropped.
    pub(super) fetched: Option<BoxFuture<'static, ()>>,
}

impl From<Bytes> for OutgoingMessage {
    fn from(message: Bytes) -> Self {
        Self {
            message,
            fetched: None,
        }
    }
}

/// A frame on its way out.
pub(super) enum Payload {
    /// It fits into a message.
    Inline(Bytes),
    /// It exceeds a message: its receiver fetches it.
    Stored(StoredFrame),
}

/// The outcome of an attempt whose claim is withdrawn: a host that did not get the whole request
/// has not run it, and will not.
pub(super) fn outcome_without_claim(outcome: Outcome, claim: Option<Claim>) -> Outcome {
    let may_have_run = claim.is_none_or(Claim::withdraw);
    match (outcome, may_have_run) {
        (Outcome::Lost, false) => Outcome::NoResponders,
        (Outcome::BusLost, false) => Outcome::NotSent,
        (outcome, _) => outcome,
    }
}

/// The largest part of a frame that fits into a message of the bus.
fn part_bytes_max(bus: &Bus) -> usize {
    let most = bus.max_payload();
    // Half of the message where messages are hardly larger than the overhead.
    most.saturating_sub(PART_OVERHEAD).max(most / 2)
}
