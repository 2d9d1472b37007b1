//! Chunks of streams and futures: lists of elements, encoded.

use weft_stub::plan::Outcome;
use weft_wire::{DecodeError, Decoder, EncodeError, Encoder, Limits, MAX_VALUE_BYTES, SimpleType};

use crate::links::codec::LinkValue;

/// Number of elements per chunk, for elements of a few bytes.
const SCALARS_PER_CHUNK: usize = 16 << 10;

/// Number of elements per chunk, for elements that may be long.
const TEXTS_PER_CHUNK: usize = 16;

/// Limits of a received chunk: twice the number of elements that a sender puts into one.
const CHUNK_LIMITS: Limits = Limits {
    elements: 2 * SCALARS_PER_CHUNK as u64,
    ..Limits::LINK
};

/// Number of elements per chunk.
pub(super) const fn elements_per_chunk<T: LinkValue>() -> usize {
    match T::OUTCOME {
        Outcome::Plain(SimpleType::String | SimpleType::Bytes) => TEXTS_PER_CHUNK,
        _ => SCALARS_PER_CHUNK,
    }
}

/// Number of elements that are read at a time: one of those that may be long, so that a chunk ends
/// with the element that fills it.
pub(super) const fn elements_per_read<T: LinkValue>() -> usize {
    match T::OUTCOME {
        Outcome::Plain(SimpleType::String | SimpleType::Bytes) => 1,
        _ => SCALARS_PER_CHUNK,
    }
}

/// Encodes elements as one chunk.
///
/// # Errors
/// If the chunk exceeds the size limit of links.
pub(super) fn encode_chunk<T: LinkValue>(elements: &[T]) -> Result<Vec<u8>, EncodeError> {
    let mut payload = Vec::new();
    let mut encoder = Encoder::new(&mut payload, MAX_VALUE_BYTES);
    encoder.list(elements.len())?;
    for element in elements {
        element.encode(&mut encoder)?;
    }
    Ok(payload)
}

/// Decodes the elements of a chunk.
///
/// # Errors
/// If the payload is not a list of such elements.
pub(super) fn decode_chunk<T: LinkValue>(payload: &[u8]) -> Result<Vec<T>, DecodeError> {
    let mut decoder = Decoder::new(payload, CHUNK_LIMITS)?;
    let count = decoder.list(1)?;
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        elements.push(T::decode(&mut decoder)?);
    }
    decoder.finish()?;
    Ok(elements)
}
