//! What hosts ask each other where the stores are away, as bytes: `docs/lattice.md` is the specification.
//!
//! The head is that of [every message between hosts](weft_membership::message). An answer has the sequence
//! of its question, so that one that comes late is none for another question. Nothing here changes anything
//! at who is asked, so a question that is sent again is answered again.

use bytes::Bytes;
use weft_lattice_config::Digest;
use weft_wire::{EncodeError, Encoder};

use crate::desired::Key;
use weft_bus::subject::SUBJECT_BYTES_MAX;
use weft_membership::message::{Envelope, FieldError, Kind, MessageError, Origin, Reader, encode};
pub use weft_membership::message::{MAX_ANSWER_BYTES, MAX_CHUNK_BYTES, MAX_QUESTION_BYTES};

/// The most records of one list. A list that goes on is asked for again, from where it ended.
pub const MAX_LISTED: usize = 1024;

/// The longest key of a record.
pub const MAX_KEY_BYTES: usize = SUBJECT_BYTES_MAX;

/// How long a sha256 is.
const DIGEST_BYTES: usize = 32;

/// The fewest bytes that a listed record takes: a key of one byte, a digest, a size.
const LISTED_BYTES_MIN: usize = 2 + 1 + DIGEST_BYTES + 1;

/// What a host asks another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who asks, and which of its questions.
    pub origin: Origin,
    /// What it asks.
    pub asked: Asked,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Which records are known, in the order of their keys.
    List {
        /// Those with larger keys than this one; `None` for all.
        after: Option<Key>,
    },
    /// A part of what hashes to a digest.
    Bytes {
        /// The digest of the whole.
        digest: Digest,
        /// Where the part begins.
        offset: u64,
        /// How long it is to be at most.
        length: u32,
    },
}

/// What a host answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who answers, with the sequence of the question.
    pub origin: Origin,
    /// What it answers.
    pub answered: Answered,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The records that are known.
    List {
        /// In ascending order of their keys, each once.
        records: Vec<Listed>,
        /// Whether there are more after these.
        more: bool,
    },
    /// A part of what was asked for; `None` if it is not there.
    Bytes(Option<Part>),
}

/// A record that a host has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which one.
    pub key: Key,
    /// What its value hashes to.
    pub digest: Digest,
    /// How long its value is.
    pub size: u64,
}

/// A part of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How long the whole is.
    pub size: u64,
    /// What is at the offset that was asked for.
    pub bytes: Bytes,
}

// === impl Question ===

impl Question {
    /// The question for a lattice, with an empty authenticator.
    ///
    /// # Errors
    /// If a field is longer than the other end would take.
    pub fn encode(&self, lattice: &str) -> Result<Vec<u8>, EncodeError> {
        let kind = match self.asked {
            Asked::List { .. } => Kind::ListAsk,
            Asked::Bytes { .. } => Kind::BytesAsk,
        };
        encode(kind, lattice, &[], self.origin, |encoder| {
            match &self.asked {
                Asked::List { after } => match after {
                    None => encoder.none(),
                    Some(key) => {
                        encoder.some()?;
                        encoder.bytes_up_to(MAX_KEY_BYTES, "key", key.as_str().as_bytes())
                    }
                },
                Asked::Bytes {
                    digest,
                    offset,
                    length,
                } => {
                    encoder.bytes(&to_bytes(digest))?;
                    encoder.u64(*offset)?;
                    encoder.u32(*length)
                }
            }
        })
    }

    /// Reads a question for a lattice, whatever its authenticator is.
    ///
    /// # Errors
    /// If it is not a question of this version for this lattice, or a field is not as it has to be.
    pub fn decode(bytes: &[u8], lattice: &str) -> Result<Self, MessageError> {
        let envelope = Envelope::open(bytes)?;
        envelope.read(lattice, |kind, origin, reader| {
            let asked = match kind {
                Kind::ListAsk => Asked::List {
                    after: reader.option(read_key)?,
                },
                Kind::BytesAsk => Asked::Bytes {
                    digest: read_digest(reader)?,
                    offset: reader.u64()?,
                    length: reader.u32()?,
                },
                _ => return Ok(None),
            };
            Ok(Some(Self { origin, asked }))
        })
    }
}

// === impl Answer ===

impl Answer {
    /// The answer for a lattice, with an empty authenticator.
    ///
    /// # Errors
    /// If a field is longer than the other end would take.
    pub fn encode(&self, lattice: &str) -> Result<Vec<u8>, EncodeError> {
        let kind = match self.answered {
            Answered::List { .. } => Kind::List,
            Answered::Bytes(_) => Kind::Bytes,
        };
        encode(kind, lattice, &[], self.origin, |encoder| {
            match &self.answered {
                Answered::List { records, more } => {
                    encoder.list_up_to(MAX_LISTED, "records", records.len())?;
                    for record in records {
                        record.write(encoder)?;
                    }
                    encoder.bool(*more)
                }
                Answered::Bytes(None) => encoder.none(),
                Answered::Bytes(Some(part)) => {
                    encoder.some()?;
                    encoder.u64(part.size)?;
                    encoder.bytes_up_to(MAX_CHUNK_BYTES, "bytes", &part.bytes)
                }
            }
        })
    }

    /// Reads an answer for a lattice, whatever its authenticator is.
    ///
    /// # Errors
    /// If it is not an answer of this version for this lattice, or a field is not as it has to be.
    pub fn decode(bytes: &[u8], lattice: &str) -> Result<Self, MessageError> {
        let envelope = Envelope::open(bytes)?;
        envelope.read(lattice, |kind, origin, reader| {
            let answered = match kind {
                Kind::List => {
                    let records = read_list(reader)?;
                    let more = reader.bool()?;
                    Answered::List { records, more }
                }
                Kind::Bytes => Answered::Bytes(reader.option(|reader| {
                    let size = reader.u64()?;
                    let bytes = reader.bounded("bytes", MAX_CHUNK_BYTES)?;
                    let bytes = Bytes::copy_from_slice(bytes);
                    Ok(Part { size, bytes })
                })?),
                _ => return Ok(None),
            };
            Ok(Some(Self { origin, answered }))
        })
    }
}

// === impl Listed ===

impl Listed {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.bytes_up_to(MAX_KEY_BYTES, "key", self.key.as_str().as_bytes())?;
        encoder.bytes(&to_bytes(&self.digest))?;
        encoder.u64(self.size)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            key: read_key(reader)?,
            digest: read_digest(reader)?,
            size: reader.u64()?,
        })
    }
}

fn read_list(reader: &mut Reader<'_>) -> Result<Vec<Listed>, FieldError> {
    let mut records: Vec<Listed> = Vec::new();
    for _ in 0..reader.list("records", MAX_LISTED, LISTED_BYTES_MIN)? {
        let record = Listed::read(reader)?;
        if records.last().is_some_and(|last| last.key >= record.key) {
            return Err(FieldError::Order { field: "records" });
        }
        records.push(record);
    }
    Ok(records)
}

fn read_key(reader: &mut Reader<'_>) -> Result<Key, FieldError> {
    let text = reader.text("key", MAX_KEY_BYTES)?;
    Key::parse(text).ok_or(FieldError::Key)
}

fn read_digest(reader: &mut Reader<'_>) -> Result<Digest, FieldError> {
    let bytes = reader.array::<DIGEST_BYTES>("digest")?;
    let text = format!("sha256:{}", hex::encode(bytes));
    // 32 bytes are always 64 digits.
    text.parse().map_err(|_| FieldError::Key)
}

/// A digest is 64 hex digits by construction.
fn to_bytes(digest: &Digest) -> [u8; DIGEST_BYTES] {
    let mut bytes = [0; DIGEST_BYTES];
    let _ = hex::decode_to_slice(digest.hex(), &mut bytes);
    bytes
}
