//! The offering side: a frame is stored for as long as its [`Claim`] exists, and a host that has
//! the claim may fetch it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use weft_bus::{Bus, Message, Subscription};
use weft_link::{RejectReason, RejectedFrames};
use weft_membership::HostId;
use weft_wire::{ClaimId, Fetch, Frame, Held, Part};

use super::part_bytes_max;
use crate::bus_return;

/// The most bytes of stored frames: those of four calls of the largest size, or of some hundred
/// ordinary large ones. More are rejected and not queued.
pub(crate) const STORED_BYTES_MAX: usize = 256 << 20;

/// The frames that wait to be fetched. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ClaimStore {
    me: HostId,
    frames: Arc<Mutex<HashMap<ClaimId, ClaimEntry>>>,
    /// A permit for each byte.
    room: Arc<Semaphore>,
}

/// A frame behind a claim.
struct ClaimEntry {
    frame: Bytes,
    /// A lower bound of the bytes that were not requested yet: parts that are requested twice count
    /// twice.
    unrequested: usize,
    all_requested: Arc<Notify>,
}

/// A frame with its permits; its claims are made one after the other.
pub(crate) struct StoredFrame {
    store: ClaimStore,
    frame: Bytes,
    _room: OwnedSemaphorePermit,
}

/// A receiver's claim on a frame. Dropping it ends the claim.
pub(crate) struct Claim {
    store: ClaimStore,
    id: ClaimId,
    all_requested: Arc<Notify>,
}

/// The reason a frame cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum ClaimStoreError {
    #[error(
        "the buffer for large frames to other hosts is full: expected {found} free bytes of \
         {STORED_BYTES_MAX}, found fewer"
    )]
    Full { found: usize },
    #[error("cannot name a claim: the system has no random bytes")]
    Random,
    #[error("cannot encode the announcement of a large frame")]
    Frame(#[source] weft_wire::EncodeError),
}

impl ClaimStore {
    pub(super) fn new(me: HostId) -> Self {
        Self {
            me,
            frames: Arc::default(),
            room: Arc::new(Semaphore::new(STORED_BYTES_MAX)),
        }
    }

    /// Reserves room for a frame.
    ///
    /// # Errors
    /// [`ClaimStoreError::Full`] if too little is left.
    pub(crate) fn store(&self, frame: Bytes) -> Result<StoredFrame, ClaimStoreError> {
        let full = ClaimStoreError::Full { found: frame.len() };
        let permits = u32::try_from(frame.len()).map_err(|_| full)?;
        let room = self.room.clone().try_acquire_many_owned(permits);
        Ok(StoredFrame {
            store: self.clone(),
            frame,
            _room: room.map_err(|_| full)?,
        })
    }

    /// The requested part, no longer than `most`. `None` if the claim is missing or the range
    /// empty.
    pub(super) fn part(&self, fetch: &Fetch, most: usize) -> Option<Bytes> {
        let mut frames = self.frames();
        let entry = frames.get_mut(&fetch.claim)?;
        let start = usize::try_from(fetch.offset).ok()?;
        let length = usize::try_from(fetch.at_most).ok()?.min(most);
        let end = start.saturating_add(length).min(entry.frame.len());
        if start >= end {
            return None;
        }
        entry.unrequested = entry.unrequested.saturating_sub(end - start);
        if entry.unrequested == 0 {
            entry.all_requested.notify_one();
        }
        Some(entry.frame.slice(start..end))
    }

    fn frames(&self) -> MutexGuard<'_, HashMap<ClaimId, ClaimEntry>> {
        // The code under the lock does not panic.
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoredFrame {
    /// Makes a claim for one receiver, and the `held` frame that announces it.
    ///
    /// # Errors
    /// A [`ClaimStoreError`] if the claim cannot be announced.
    pub(crate) fn claim(&self, bus: &Bus) -> Result<(Claim, Bytes), ClaimStoreError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| ClaimStoreError::Random)?;
        let id = ClaimId(id);
        let first = part_bytes_max(bus).min(self.frame.len().saturating_sub(1));
        let held = Frame::Held(Held {
            host: *self.store.me.key(),
            claim: id,
            total: u32::try_from(self.frame.len()).unwrap_or(u32::MAX),
            bytes: &self.frame[..first],
        });
        let mut announcement = Vec::new();
        held.encode(&mut announcement)
            .map_err(ClaimStoreError::Frame)?;
        let all_requested = Arc::new(Notify::new());
        let entry = ClaimEntry {
            frame: self.frame.clone(),
            unrequested: self.frame.len() - first,
            all_requested: all_requested.clone(),
        };
        self.store.frames().insert(id, entry);
        let claim = Claim {
            store: self.store.clone(),
            id,
            all_requested,
        };
        Ok((claim, announcement.into()))
    }
}

impl Claim {
    /// Ends the claim; later fetches fail. Returns whether the receiver may have the whole frame.
    pub(crate) fn withdraw(self) -> bool {
        let entry = self.store.frames().remove(&self.id);
        entry.is_none_or(|entry| entry.unrequested == 0)
    }

    /// Waits until the whole frame was requested. The requested parts are sent.
    pub(crate) async fn all_requested(&self) {
        self.all_requested.notified().await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.store.frames().remove(&self.id);
    }
}

/// Serves parts of stored frames until the bus is closed, because calls that were made before this
/// host leaves are still answered. One part after the other: all of them share the queue of one
/// connection.
pub(crate) async fn serve(
    mut fetches: Subscription,
    bus: Bus,
    store: ClaimStore,
    rejected: Arc<RejectedFrames>,
) {
    while let Some(message) = fetches.next_message().await {
        serve_fetch(&bus, &store, &rejected, &message).await;
    }
}

async fn serve_fetch(bus: &Bus, store: &ClaimStore, rejected: &RejectedFrames, message: &Message) {
    let fetch = match Frame::decode(&message.payload) {
        Ok(Frame::Fetch(fetch)) => fetch,
        Ok(other) => return rejected.count(RejectReason::Unexpected, other.kind().name()),
        Err(error) => return rejected.count_frame(&error),
    };
    let Some(reply) = &message.reply else {
        return rejected.count(RejectReason::Unanswerable, "`fetch`");
    };
    let bytes = store.part(&fetch, part_bytes_max(bus));
    let part = Frame::Part(Part {
        claim: fetch.claim,
        offset: fetch.offset,
        bytes: bytes.as_deref(),
    });
    let mut answer =
        Vec::with_capacity(super::PART_OVERHEAD + bytes.as_ref().map_or(0, Bytes::len));
    // A part is bounded by the message, so the frame cannot be too long.
    let encoded = part.encode(&mut answer);
    if let Err(error) = encoded {
        return tracing::warn!(%error, "cannot encode a part of a large frame");
    }
    let deadline = Instant::now() + bus_return::SETTLE_TIME;
    let sent = bus.publish_until(reply, None, answer.into(), deadline);
    if let Err(error) = sent.await {
        // The receiver's wait is bounded.
        tracing::debug!(%error, "a part of a large frame was not sent");
    }
}
