//! Batches: small messages to one recipient that travel as one message of NATS.
//!
//! A server routes messages, and one of some thousand bytes costs it hardly more than one of some hundred. So
//! does each client: what a message costs beside its bytes is half of a small call. Here requests that are about
//! to go to one subject, and answers that are about to go to one inbox, become one message. Nobody waits for that:
//! what is alone goes alone.
//!
//! A batch goes to where its first message would have gone, and asks for an answer where that would have; the
//! header `weft-batch` tells that it is one. `docs/lattice.md` specifies it.

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use weft_wire::{DecodeError, Decoder, EncodeError, Encoder, Limits};

use crate::Subject;

/// The largest payload that goes into a batch: what is larger costs more by its bytes than by being a message.
pub(crate) const BATCHED_BYTES_MAX: usize = 4 << 10;

/// The largest payload of a batch, so that what is behind it on the connection does not wait long.
pub(super) const BATCH_BYTES_MAX: usize = 64 << 10;

/// The most messages of a batch: as many as are handed to the client together.
pub(super) const BATCH_MESSAGES_MAX: usize = 256;

/// How many groups are looked at for one to the same recipient, the last ones first: a host talks to more others
/// at one moment than this only if it is very busy, and then some of what it says goes in more groups.
const GROUPS_SEARCHED_MAX: usize = 32;

/// Tells a batch from a message.
const HEADER: HeaderName = HeaderName::from_static("weft-batch");

/// The form of a batch that is written and read here.
const VERSION: &str = "1";

/// What the header takes, with what NATS puts around it. Servers count it as payload.
const HEADER_BYTES: usize = 64;

/// What the count of the messages takes at most.
const COUNT_BYTES_MAX: usize = 5;

/// What a message takes at most beside its payload: its number, and its length.
const ENTRY_OVERHEAD_MAX: usize = 10 + 5;

/// And at least.
const ENTRY_BYTES_MIN: usize = 1 + 1;

/// A message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) destination: Destination,
    pub(super) payload: Bytes,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// A request to a subject, with its number among those that wait on this connection.
    Request { subject: Subject, number: u64 },
    /// A message to a subject, which may be where somebody waits for an answer.
    Subject {
        subject: Subject,
        reply: Option<Subject>,
    },
    /// A message to ourselves, which tells that all before it has arrived. It goes alone: in a batch it might go
    /// before some of that.
    Echo { subject: Subject },
}

/// Who gets a message, as far as messages may go together.
#[derive(Debug, PartialEq, Eq)]
enum Recipient<'a> {
    /// Whoever takes requests there.
    Subject(&'a Subject),
    /// Whoever asked.
    Inbox(&'a str),
}

/// What is handed to the client as one message: one, or more than one that go together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MessageGroup {
    pub(super) first: Outgoing,
    /// The numbers and the payloads of the others.
    others: Vec<(u64, Bytes)>,
    /// What the payload of the batch takes at most.
    bytes: usize,
}

/// Why a batch is not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BatchError {
    #[error("expected a batch of version {VERSION}, found `{found}`")]
    Version { found: String },
    #[error("the batch cannot be read")]
    Malformed(#[from] DecodeError),
}

/// Puts messages together that may go together, into payloads that a server takes up to `payload_max`. Small requests
/// to one subject keep their order, and so do small answers to one inbox, and what is published to one subject. What
/// goes together goes with its first message: before others that came between.
pub(super) fn group_messages(
    messages: impl IntoIterator<Item = Outgoing>,
    payload_max: usize,
) -> Vec<MessageGroup> {
    let max = BATCH_BYTES_MAX.min(payload_max.saturating_sub(HEADER_BYTES));
    let mut groups: Vec<MessageGroup> = Vec::new();
    for message in messages {
        // The last one for the recipient: those before it are full.
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

/// Whether a message of the client is a batch, by its headers.
pub(super) fn is_batch(headers: &HeaderMap) -> bool {
    headers.get(HEADER).is_some()
}

/// The numbers and the payloads of a batch.
///
/// # Errors
/// A [`BatchError`]; nothing of such a batch is taken.
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
    /// Who gets it together with others; none if it goes alone.
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

    /// The number of a request, or of that which it answers.
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

    /// Whether it is more than one message.
    pub(super) fn is_batch(&self) -> bool {
        !self.others.is_empty()
    }

    /// The numbers of all its messages but the first.
    pub(super) fn other_numbers(&self) -> impl Iterator<Item = u64> {
        self.others.iter().map(|(number, _)| *number)
    }

    /// Its header and its payload as a batch.
    ///
    /// # Errors
    /// If it is too large, which what [`group_messages`] makes is not.
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
