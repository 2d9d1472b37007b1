//! Batches: small messages to one recipient that travel as one NATS message.
//!
//! Servers and clients spend their time per message: one of a few thousand bytes costs hardly more
//! than one of a few hundred, and the fixed cost is half of a small call. Queued requests to one
//! subject, and queued replies to one inbox, therefore become one message. No message waits for
//! others; a single one is sent as it is.
//!
//! A batch is published to the subject of its first message, with that message's reply subject, and
//! is marked by the header `weft-batch`. `docs/lattice.md` specifies it.

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use weft_wire::{DecodeError, Decoder, EncodeError, Encoder, Limits};

use crate::Subject;

/// Largest payload that goes into a batch: above it the bytes cost more than the message.
pub(crate) const BATCHED_BYTES_MAX: usize = 4 << 10;

/// Largest payload of a batch, so that later messages on the connection do not wait long.
pub(super) const BATCH_BYTES_MAX: usize = 64 << 10;

/// Maximum number of messages in a batch: as many as are passed to the client together.
pub(super) const BATCH_MESSAGES_MAX: usize = 256;

/// Number of groups searched, from the last, for one to the same recipient. Only a very busy host
/// sends to more recipients at one moment, and then uses more groups.
const GROUPS_SEARCHED_MAX: usize = 32;

/// The header that marks a batch.
const HEADER: HeaderName = HeaderName::from_static("weft-batch");

/// The batch format that this code writes and reads.
const VERSION: &str = "1";

/// Size of the header with its NATS framing. Servers count it as payload.
const HEADER_BYTES: usize = 64;

/// Largest encoding of the message count.
const COUNT_BYTES_MAX: usize = 5;

/// Largest encoding of a message without its payload: request number and length.
const ENTRY_OVERHEAD_MAX: usize = 10 + 5;

/// Smallest encoding of a message.
const ENTRY_BYTES_MIN: usize = 1 + 1;

/// A queued message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) destination: Destination,
    pub(super) payload: Bytes,
}

/// The destination of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// A request to a subject, with its number among the requests in flight on this connection.
    Request { subject: Subject, number: u64 },
    /// A message to a subject, which may be a reply subject.
    Subject {
        subject: Subject,
        reply: Option<Subject>,
    },
    /// A message to the connection's own inbox, to confirm that all earlier messages were sent.
    /// Never batched: a batch could overtake some of them.
    Echo { subject: Subject },
}

/// The recipient of a message, for batching.
#[derive(Debug, PartialEq, Eq)]
enum Recipient<'a> {
    /// The subscribers of a request's subject.
    Subject(&'a Subject),
    /// The requester of a reply.
    Inbox(&'a str),
}

/// One or more messages that are passed to the client as one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MessageGroup {
    pub(super) first: Outgoing,
    /// Request numbers and payloads after the first message.
    others: Vec<(u64, Bytes)>,
    /// Upper bound of the batch's payload.
    bytes: usize,
}

/// The reason why a batch is rejected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BatchError {
    #[error("unsupported batch version `{found}`: expected {VERSION}")]
    Version { found: String },
    #[error("malformed batch")]
    Malformed(#[from] DecodeError),
}

/// Groups messages into batches of at most `payload_max` bytes. Order is kept among small requests
/// to one subject, among small replies to one inbox, and among messages published to one subject. A
/// group is sent in the place of its first message, ahead of messages in between.
pub(super) fn group_messages(
    messages: impl IntoIterator<Item = Outgoing>,
    payload_max: usize,
) -> Vec<MessageGroup> {
    let max = BATCH_BYTES_MAX.min(payload_max.saturating_sub(HEADER_BYTES));
    let mut groups: Vec<MessageGroup> = Vec::new();
    for message in messages {
        // The last group of the recipient: earlier ones are full.
        let recipient = message.recipient();
        let same =
            |group: &&mut MessageGroup| recipient.is_some() && group.first.recipient() == recipient;
        let group = groups.iter_mut().rev().take(GROUPS_SEARCHED_MAX).find(same);
        match (group, message.number()) {
            (Some(group), Some(number)) if group.has_room(&message, max) => {
                group.push(number, message.payload);
            }
            _ => groups.push(MessageGroup::new(message)),
        }
    }
    groups
}

/// True if the headers mark a batch.
pub(super) fn is_batch(headers: &HeaderMap) -> bool {
    headers.get(HEADER).is_some()
}

/// Decodes the request numbers and payloads of a batch.
///
/// # Errors
/// A [`BatchError`]; then no message of the batch is used.
pub(super) fn read(headers: &HeaderMap, payload: &Bytes) -> Result<Vec<(u64, Bytes)>, BatchError> {
    let found = headers.get(HEADER).map_or("", HeaderValue::as_str);
    if found != VERSION {
        let found = found.to_owned();
        return Err(BatchError::Version { found });
    }
    let limits = Limits {
        depth: 0,
        elements: BATCH_MESSAGES_MAX as u64,
        bytes: BATCH_BYTES_MAX,
    };
    let mut decoder = Decoder::new(payload, limits)?;
    let count = decoder.list(ENTRY_BYTES_MIN)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let number = decoder.u64()?;
        entries.push((number, payload.slice_ref(decoder.bytes()?)));
    }
    decoder.finish()?;
    Ok(entries)
}

impl Outgoing {
    /// The recipient with whom this message can be batched; `None` if it is sent alone.
    fn recipient(&self) -> Option<Recipient<'_>> {
        if self.payload.len() > BATCHED_BYTES_MAX {
            return None;
        }
        match &self.destination {
            Destination::Request { subject, .. } => Some(Recipient::Subject(subject)),
            Destination::Subject {
                subject,
                reply: None,
            } => subject
                .as_answer()
                .map(|(inbox, _)| Recipient::Inbox(inbox)),
            Destination::Subject { .. } | Destination::Echo { .. } => None,
        }
    }

    /// The number of the request, or of the request that this replies to.
    fn number(&self) -> Option<u64> {
        match &self.destination {
            Destination::Request { number, .. } => Some(*number),
            Destination::Subject { subject, .. } => subject.as_answer().map(|(_, number)| number),
            Destination::Echo { .. } => None,
        }
    }
}

impl MessageGroup {
    fn new(first: Outgoing) -> Self {
        let bytes = COUNT_BYTES_MAX + ENTRY_OVERHEAD_MAX + first.payload.len();
        Self {
            first,
            others: Vec::new(),
            bytes,
        }
    }

    fn has_room(&self, message: &Outgoing, max: usize) -> bool {
        1 + self.others.len() < BATCH_MESSAGES_MAX
            && self.bytes + ENTRY_OVERHEAD_MAX + message.payload.len() <= max
    }

    fn push(&mut self, number: u64, payload: Bytes) {
        self.bytes += ENTRY_OVERHEAD_MAX + payload.len();
        self.others.push((number, payload));
    }

    /// True if there is more than one message.
    pub(super) fn is_batch(&self) -> bool {
        !self.others.is_empty()
    }

    /// Request numbers of all messages but the first.
    pub(super) fn other_numbers(&self) -> impl Iterator<Item = u64> {
        self.others.iter().map(|(number, _)| *number)
    }

    /// Encodes the header and payload of the batch.
    ///
    /// # Errors
    /// If the batch is too large, which no group of [`group_messages`] is.
    pub(super) fn encode_batch(&self) -> Result<(HeaderMap, Bytes), EncodeError> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, VERSION);
        let mut payload = Vec::with_capacity(self.bytes);
        let mut encoder = Encoder::new(&mut payload, BATCH_BYTES_MAX);
        let first = self
            .first
            .number()
            .map(|number| (number, &self.first.payload));
        let others = self
            .others
            .iter()
            .map(|(number, payload)| (*number, payload));
        encoder.list(usize::from(first.is_some()) + self.others.len())?;
        for (number, payload) in first.into_iter().chain(others) {
            encoder.u64(number)?;
            encoder.bytes(payload)?;
        }
        Ok((headers, payload.into()))
    }
}

#[cfg(test)]
mod tests;
