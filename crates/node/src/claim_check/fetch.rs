//! Frames that are fetched from the host that keeps them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use weft_bus::{Bus, RequestError, Subject};
use weft_membership::HostId;
use weft_wire::{ClaimId, FailureCode, Fetch, Frame, FrameError, Held};

use super::part_bytes;
use crate::subjects::Subjects;

/// The most bytes of frames that are being fetched, or were and are still being dealt with: as many as a
/// host keeps for others.
pub(crate) const TAKEN_BYTES_MAX: usize = 256 << 20;

/// How many parts of a frame are asked for at a time: while one is written into place, others are on their
/// way; more would only wait in the server, which holds as much for all calls of a host.
const FETCHES_IN_FLIGHT: usize = 4;

/// How long one part may take: a connection that carries less than a megabyte in so long is as good as lost.
const FETCH_TIME_MAX: Duration = Duration::from_secs(5);

/// Fetches frames.
#[derive(Clone)]
pub(crate) struct Taker {
    bus: Bus,
    subjects: Subjects,
    /// A permit for each byte.
    room: Arc<Semaphore>,
}

/// A frame that was fetched. Its room is taken until it is dropped.
pub(crate) struct Taken {
    pub(crate) frame: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Why a frame was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum TakeError {
    /// There is no room for it.
    #[error(
        "expected room for {total} bytes that the bus cannot carry at once, found less left of the \
         {TAKEN_BYTES_MAX} that this host takes from others"
    )]
    Full {
        /// How large the frame is.
        total: u32,
    },
    /// The host that keeps it cannot be asked.
    #[error("the host that keeps it cannot be named on the bus")]
    Host,
    /// The bus does not answer.
    #[error("a part of it was not answered")]
    Bus(#[source] RequestError),
    /// The host does not keep it any more.
    #[error("it is not kept any more")]
    Gone,
    /// What came is no frame.
    #[error("a part of it cannot be read")]
    Frame(#[source] FrameError),
    /// What came is not what was asked for.
    #[error("a part of it is not the one that was asked for")]
    Other,
}

impl TakeError {
    /// The code for a call whose arguments were not fetched: it has not run.
    pub(crate) fn code_of_request(&self) -> FailureCode {
        match self {
            Self::Full { .. } => FailureCode::Busy,
            Self::Host | Self::Bus(_) | Self::Gone | Self::Frame(_) | Self::Other => {
                FailureCode::Refused
            }
        }
    }
}

/// Which bytes of which frame are wanted.
#[derive(Clone, Copy)]
struct Piece<'a> {
    subject: &'a Subject,
    claim: ClaimId,
    start: u32,
    end: u32,
    deadline: Instant,
}

impl Taker {
    pub(super) fn new(bus: Bus, subjects: Subjects) -> Self {
        Self {
            bus,
            subjects,
            room: Arc::new(Semaphore::new(TAKEN_BYTES_MAX)),
        }
    }

    /// Fetches what is held. Dropping the future ends it; the other host finds that out by its own bounds.
    ///
    /// # Errors
    /// A [`TakeError`], soon after `deadline` at the latest.
    pub(crate) async fn take(
        &self,
        held: &Held<'_>,
        deadline: Instant,
    ) -> Result<Taken, TakeError> {
        let total = held.total;
        let room = self.room.clone().try_acquire_many_owned(total);
        let room = room.map_err(|_| TakeError::Full { total })?;
        let host = HostId::from_key(held.host);
        let subject = self.subjects.held_by(host).ok_or(TakeError::Host)?;
        let mut frame = Vec::with_capacity(total as usize);
        frame.extend_from_slice(held.bytes);
        let first = held.bytes.len() as u32;
        let each = u32::try_from(part_bytes(&self.bus))
            .unwrap_or(u32::MAX)
            .max(1);
        let pieces = (first..total).step_by(each as usize).map(|start| {
            self.piece(Piece {
                subject: &subject,
                claim: held.claim,
                start,
                end: start.saturating_add(each).min(total),
                deadline,
            })
        });
        // In order, so that what is there is always the beginning.
        let mut pieces = stream::iter(pieces).buffered(FETCHES_IN_FLIGHT);
        while let Some(parts) = pieces.try_next().await? {
            parts.iter().for_each(|part| frame.extend_from_slice(part));
        }
        drop(pieces);
        Ok(Taken {
            frame: frame.into(),
            _room: room,
        })
    }

    /// One piece, in one part, or in more if the other host's server takes smaller messages.
    async fn piece(&self, mut piece: Piece<'_>) -> Result<Vec<Bytes>, TakeError> {
        let mut parts = Vec::with_capacity(1);
        while piece.start < piece.end {
            let part = self.part(piece).await?;
            piece.start += part.len() as u32;
            parts.push(part);
        }
        Ok(parts)
    }

    /// The beginning of a piece, or all of it.
    async fn part(&self, piece: Piece<'_>) -> Result<Bytes, TakeError> {
        let at_most = piece.end - piece.start;
        let mut question = Vec::new();
        let fetch = Frame::Fetch(Fetch {
            claim: piece.claim,
            offset: piece.start,
            at_most,
        });
        // It is a hundred bytes at most, so nothing about it can be too long.
        fetch.encode(&mut question).map_err(|_| TakeError::Other)?;
        let until = piece.deadline.min(Instant::now() + FETCH_TIME_MAX);
        let answer = self
            .bus
            .request(piece.subject, question.into(), until)
            .await;
        let answer = answer.map_err(TakeError::Bus)?;
        let Frame::Part(part) = Frame::decode(&answer).map_err(TakeError::Frame)? else {
            return Err(TakeError::Other);
        };
        let is_it = (part.claim, part.offset) == (piece.claim, piece.start);
        let bytes = part.bytes.ok_or(TakeError::Gone)?;
        if !is_it || bytes.is_empty() || bytes.len() > at_most as usize {
            return Err(TakeError::Other);
        }
        Ok(answer.slice_ref(bytes))
    }
}
