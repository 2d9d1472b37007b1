//! The messages between peers while the stores are unavailable; `docs/lattice.md` is the
//! specification.
//!
//! The head is that of [every message between hosts](weft_membership::message). An answer has the
//! sequence number of its question, so that a late answer is never taken for another question.
//! Questions change nothing on the peer, so they can be repeated.

use bytes::Bytes;
use weft_lattice_config::Digest;
use weft_wire::{Decoder, EncodeError, Encoder, FieldError, FrameError};

use crate::desired::Key;
use weft_bus::subject::SUBJECT_BYTES_MAX;
use weft_membership::message::{Envelope, Kind, Origin, encode, read_body};
pub use weft_membership::message::{MAX_ANSWER_BYTES, MAX_CHUNK_BYTES, MAX_QUESTION_BYTES};

/// The most records of one list. The rest is requested from where the list ended.
pub const MAX_LISTED: usize = 1024;

/// The longest key of a record.
pub const MAX_KEY_BYTES: usize = SUBJECT_BYTES_MAX;

/// The bytes of a sha256 digest.
const DIGEST_BYTES: usize = 32;

/// The fewest bytes of a listed record: a key of one byte, a digest, a size.
const LISTED_BYTES_MIN: usize = 2 + 1 + DIGEST_BYTES + 1;

/// A request to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRequest {
    /// The requesting host, with its sequence number.
    pub origin: Origin,
    /// The content of the request.
    pub asked: RequestBody,
}

/// The content of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// Requests the list of records, in the order of their keys.
    List {
        /// Lists the records after this key; `None` for all.
        after: Option<Key>,
    },
    /// Requests a part of the bytes with a digest.
    Bytes {
        /// The digest of the whole.
        digest: Digest,
        /// The offset of the part.
        offset: u64,
        /// The most bytes of the part.
        length: u32,
    },
}

/// A reply to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerReply {
    /// The replying host, with the sequence number of the request.
    pub origin: Origin,
    /// The content of the reply.
    pub answered: ReplyBody,
}

/// The content of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// The records of the replying host.
    List {
        /// Records in ascending order of their keys, each key once.
        records: Vec<Listed>,
        /// True if more records follow after these.
        more: bool,
    },
    /// A part of the requested bytes; `None` if the host does not have them.
    Bytes(Option<Part>),
}

/// A record of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key of the record.
    pub key: Key,
    /// The digest of its value.
    pub digest: Digest,
    /// The number of bytes of its value.
    pub size: u64,
}

/// A part of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The number of bytes of the whole.
    pub size: u64,
    /// The bytes at the requested offset.
    pub bytes: Bytes,
}

// === impl PeerRequest ===

impl PeerRequest {
    /// Encodes the question for a lattice, with an empty authenticator.
    ///
    /// # Errors
    /// An [`EncodeError`] if a field is longer than the receiver accepts.
    pub fn encode(&self, lattice: &str) -> Result<Vec<u8>, EncodeError> {
        let kind = match self.asked {
            RequestBody::List { .. } => Kind::ListRequest,
            RequestBody::Bytes { .. } => Kind::BytesRequest,
        };
        encode(kind, lattice, &[], self.origin, |encoder| {
            match &self.asked {
                RequestBody::List { after } => encoder.option(after.as_ref(), write_key),
                RequestBody::Bytes {
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

    /// Decodes a question for a lattice, whatever its authenticator is.
    ///
    /// # Errors
    /// A [`FrameError`] if the bytes are not a question of this version for this lattice, or a
    /// field is invalid.
    pub fn decode(bytes: &[u8], lattice: &str) -> Result<Self, FrameError> {
        read_body(&Envelope::open(bytes)?, lattice, |kind, origin, decoder| {
            let asked = match kind {
                Kind::ListRequest => RequestBody::List {
                    after: decoder.option(read_key)?,
                },
                Kind::BytesRequest => RequestBody::Bytes {
                    digest: read_digest(decoder)?,
                    offset: decoder.u64()?,
                    length: decoder.u32()?,
                },
                _ => return Ok(None),
            };
            Ok(Some(Self { origin, asked }))
        })
    }
}

// === impl PeerReply ===

impl PeerReply {
    /// Encodes the answer for a lattice, with an empty authenticator.
    ///
    /// # Errors
    /// An [`EncodeError`] if a field is longer than the receiver accepts.
    pub fn encode(&self, lattice: &str) -> Result<Vec<u8>, EncodeError> {
        let kind = match self.answered {
            ReplyBody::List { .. } => Kind::List,
            ReplyBody::Bytes(_) => Kind::Bytes,
        };
        encode(kind, lattice, &[], self.origin, |encoder| {
            match &self.answered {
                ReplyBody::List { records, more } => {
                    encoder.list_up_to(MAX_LISTED, "records", records.len())?;
                    for record in records {
                        record.write(encoder)?;
                    }
                    encoder.bool(*more)
                }
                ReplyBody::Bytes(part) => {
                    encoder.option(part.as_ref(), |encoder, part| part.write(encoder))
                }
            }
        })
    }

    /// Decodes an answer for a lattice, whatever its authenticator is.
    ///
    /// # Errors
    /// A [`FrameError`] if the bytes are not an answer of this version for this lattice, or a
    /// field is invalid.
    pub fn decode(bytes: &[u8], lattice: &str) -> Result<Self, FrameError> {
        read_body(&Envelope::open(bytes)?, lattice, |kind, origin, decoder| {
            let answered = match kind {
                Kind::List => {
                    let records = decoder.ascending(
                        (MAX_LISTED, "records", LISTED_BYTES_MIN),
                        Listed::read,
                        |last, next| last.key < next.key,
                    )?;
                    let more = decoder.bool()?;
                    ReplyBody::List { records, more }
                }
                Kind::Bytes => ReplyBody::Bytes(decoder.option(Part::read)?),
                _ => return Ok(None),
            };
            Ok(Some(Self { origin, answered }))
        })
    }
}

// === impl Part ===

impl Part {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.size)?;
        encoder.bytes_up_to(MAX_CHUNK_BYTES, "bytes", &self.bytes)
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        let size = decoder.u64()?;
        let bytes = decoder.bytes_up_to(MAX_CHUNK_BYTES, "bytes")?;
        let bytes = Bytes::copy_from_slice(bytes);
        Ok(Self { size, bytes })
    }
}

// === impl Listed ===

impl Listed {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        write_key(encoder, &self.key)?;
        encoder.bytes(&to_bytes(&self.digest))?;
        encoder.u64(self.size)
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            key: read_key(decoder)?,
            digest: read_digest(decoder)?,
            size: decoder.u64()?,
        })
    }
}

fn write_key(encoder: &mut Encoder<'_>, key: &Key) -> Result<(), EncodeError> {
    encoder.bytes_up_to(MAX_KEY_BYTES, "key", key.as_str().as_bytes())
}

fn read_key(decoder: &mut Decoder<'_>) -> Result<Key, FieldError> {
    let text = decoder.text_up_to(MAX_KEY_BYTES, "key")?;
    Key::parse(text).ok_or_else(|| FieldError::invalid("key", &"not the key of a record"))
}

fn read_digest(decoder: &mut Decoder<'_>) -> Result<Digest, FieldError> {
    let bytes = decoder.fixed_bytes::<DIGEST_BYTES>("digest")?;
    let text = format!("sha256:{}", hex::encode(bytes));
    // 32 bytes are always 64 digits.
    text.parse()
        .map_err(|error| FieldError::invalid("digest", &error))
}

/// A digest is 64 hex digits by construction.
fn to_bytes(digest: &Digest) -> [u8; DIGEST_BYTES] {
    let mut bytes = [0; DIGEST_BYTES];
    let _ = hex::decode_to_slice(digest.hex(), &mut bytes);
    bytes
}
