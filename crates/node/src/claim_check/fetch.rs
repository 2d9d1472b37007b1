//! The fetching side: frames that another host stores for this one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use weft_bus::{Bus, RequestError, Subject};
use weft_membership::HostId;
use weft_membership::routing::Repeat;
use weft_wire::{ClaimId, FailureCode, Fetch, Frame, FrameError, Held};

use super::part_bytes_max;
use crate::bus_return;
use crate::subjects::Subjects;

/// The most bytes of frames that are being fetched or processed: as many as a host stores for
/// others.
pub(crate) const FETCHED_BYTES_MAX: usize = 256 << 20;

/// The most parts of a frame that are requested at a time: while one is copied into place, others
/// are on their way. More would only wait in the server, whose buffer for a host serves all calls.
const FETCHES_IN_FLIGHT: usize = 4;

/// The longest time for one part: a connection that carries less than a megabyte in that time is as
/// good as lost.
const FETCH_TIME_MAX: Duration = Duration::from_secs(5);

/// Fetches offloaded frames. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ClaimFetcher {
    bus: Bus,
    subjects: Subjects,
    /// A permit for each byte.
    room: Arc<Semaphore>,
}

/// A frame that was fetched. Its permits are returned when it is dropped.
pub(crate) struct FetchedFrame {
    pub(crate) frame: Bytes,
    _room: OwnedSemaphorePermit,
}

/// The reason a frame was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ClaimFetchError {
    #[error(
        "the buffer for large frames from other hosts is full: expected {total} free bytes of \
         {FETCHED_BYTES_MAX}, found fewer"
    )]
    Full { total: u32 },
    #[error("the host id of the claim does not fit into a subject")]
    UnknownHost,
    #[error("the request for a part of the frame failed")]
    Bus(#[source] RequestError),
    #[error("the claim names another host than the sender of the message")]
    ForeignHost,
    #[error("the claim has expired")]
    Expired,
    #[error("a part of the frame is malformed")]
    Malformed(#[source] FrameError),
    #[error("a part of the frame is not the requested one")]
    Mismatched,
}

impl ClaimFetchError {
    /// The code for a call whose arguments were not fetched: the call has not run.
    pub(crate) fn request_failure_code(&self) -> FailureCode {
        match self {
            Self::Full { .. } => FailureCode::Busy,
            Self::UnknownHost
            | Self::ForeignHost
            | Self::Bus(_)
            | Self::Expired
            | Self::Malformed(_)
            | Self::Mismatched => FailureCode::Refused,
        }
    }
}

/// A range of a frame to request.
#[derive(Clone, Copy)]
struct PartRange<'a> {
    subject: &'a Subject,
    claim: ClaimId,
    start: u32,
    end: u32,
    deadline: Instant,
}

impl ClaimFetcher {
    pub(super) fn new(bus: Bus, subjects: Subjects) -> Self {
        Self {
            bus,
            subjects,
            room: Arc::new(Semaphore::new(FETCHED_BYTES_MAX)),
        }
    }

    /// Fetches an offloaded frame. Dropping the future ends the transfer; the other host's own
    /// limits end it there.
    ///
    /// # Errors
    /// A [`ClaimFetchError`], soon after `deadline` at the latest.
    pub(crate) async fn fetch(
        &self,
        held: &Held<'_>,
        deadline: Instant,
    ) -> Result<FetchedFrame, ClaimFetchError> {
        let total = held.total;
        let room = self.room.clone().try_acquire_many_owned(total);
        let room = room.map_err(|_| ClaimFetchError::Full { total })?;
        let host = HostId::from_key(held.host);
        let subject = self
            .subjects
            .claims_of(host)
            .ok_or(ClaimFetchError::UnknownHost)?;
        let mut frame = Vec::with_capacity(total as usize);
        frame.extend_from_slice(held.bytes);
        let first = held.bytes.len() as u32;
        let each = u32::try_from(part_bytes_max(&self.bus))
            .unwrap_or(u32::MAX)
            .max(1);
        let ranges = (first..total).step_by(each as usize).map(|start| {
            self.range(PartRange {
                subject: &subject,
                claim: held.claim,
                start,
                end: start.saturating_add(each).min(total),
                deadline,
            })
        });
        // In order, so that the received bytes are always a prefix.
        let mut ranges = stream::iter(ranges).buffered(FETCHES_IN_FLIGHT);
        while let Some(parts) = ranges.try_next().await? {
            parts.iter().for_each(|part| frame.extend_from_slice(part));
        }
        drop(ranges);
        Ok(FetchedFrame {
            frame: frame.into(),
            _room: room,
        })
    }

    /// Fetches a range, in one part, or in more if the other host's server takes smaller messages.
    async fn range(&self, mut range: PartRange<'_>) -> Result<Vec<Bytes>, ClaimFetchError> {
        let mut parts = Vec::with_capacity(1);
        while range.start < range.end {
            let part = self.part(range).await?;
            range.start += part.len() as u32;
            parts.push(part);
        }
        Ok(parts)
    }

    /// Fetches a part: the beginning of a range, or all of it.
    async fn part(&self, range: PartRange<'_>) -> Result<Bytes, ClaimFetchError> {
        let at_most = range.end - range.start;
        let mut request = Vec::new();
        let fetch = Frame::Fetch(Fetch {
            claim: range.claim,
            offset: range.start,
            at_most,
        });
        // The frame has a hundred bytes at most, so no field can be too long.
        fetch
            .encode(&mut request)
            .map_err(|_| ClaimFetchError::Mismatched)?;
        let until = range.deadline.min(Instant::now() + FETCH_TIME_MAX);
        let (subject, repeat) = (range.subject, Repeat::Idempotent);
        let answer = bus_return::request(&self.bus, subject, request.into(), until, repeat);
        let answer = answer.await.map_err(ClaimFetchError::Bus)?;
        let Frame::Part(part) = Frame::decode(&answer).map_err(ClaimFetchError::Malformed)? else {
            return Err(ClaimFetchError::Mismatched);
        };
        let is_requested = (part.claim, part.offset) == (range.claim, range.start);
        let bytes = part.bytes.ok_or(ClaimFetchError::Expired)?;
        if !is_requested || bytes.is_empty() || bytes.len() > at_most as usize {
            return Err(ClaimFetchError::Mismatched);
        }
        Ok(answer.slice_ref(bytes))
    }
}
