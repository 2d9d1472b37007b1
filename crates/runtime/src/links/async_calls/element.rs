//! The element types of streams and futures as Rust types, with their encoding.

use wasmtime::component::{ComponentType, Lift, Lower};
use weft_wire::{
    DecodeError, Decoder, EncodeError, Encoder, Limits, MAX_VALUE_BYTES, for_each_scalar,
};

/// Number of elements per chunk, for elements of a few bytes.
const SCALARS_PER_CHUNK: usize = 16 << 10;

/// Number of elements per chunk, for elements that may be long.
const TEXTS_PER_CHUNK: usize = 16;

/// Limits of a received chunk: twice the number of elements that a sender puts into one.
const CHUNK_LIMITS: Limits = Limits {
    elements: 2 * SCALARS_PER_CHUNK as u64,
    ..Limits::LINK
};

/// A value of a stream or a future.
pub(super) trait StreamItem: ComponentType + Lift + Lower + Send + Sync + 'static {
    /// Number of values per chunk.
    const PER_CHUNK: usize = SCALARS_PER_CHUNK;

    /// Appends the value.
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    /// Reads a value.
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// The value that reports the failure of a future's writer, for types that have one.
    fn failure(_reason: &str) -> Option<Self> {
        None
    }
}

/// Encodes elements as one chunk.
///
/// # Errors
/// If the chunk exceeds the size limit of links.
pub(super) fn encode_chunk<T: StreamItem>(elements: &[T]) -> Result<Vec<u8>, EncodeError> {
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
pub(super) fn decode_chunk<T: StreamItem>(payload: &[u8]) -> Result<Vec<T>, DecodeError> {
    let mut decoder = Decoder::new(payload, CHUNK_LIMITS)?;
    let count = decoder.list(1)?;
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        elements.push(T::decode(&mut decoder)?);
    }
    decoder.finish()?;
    Ok(elements)
}

macro_rules! scalars {
    ($($scalar:ident: $ty:ty, $method:ident;)*) => {
        $(impl StreamItem for $ty {
            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
                encoder.$method(*self)
            }

            fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                decoder.$method()
            }
        })*
    };
}

for_each_scalar!(scalars);

impl StreamItem for String {
    const PER_CHUNK: usize = TEXTS_PER_CHUNK;

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.string(self)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.string().map(str::to_owned)
    }
}

impl StreamItem for Vec<u8> {
    const PER_CHUNK: usize = TEXTS_PER_CHUNK;

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.bytes(self)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.bytes().map(<[u8]>::to_vec)
    }
}

impl StreamItem for Result<(), String> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Ok(()) => encoder.ok(),
            Err(error) => {
                encoder.err()?;
                encoder.string(error)
            }
        }
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(match decoder.is_ok()? {
            true => Ok(()),
            false => Err(String::decode(decoder)?),
        })
    }

    fn failure(reason: &str) -> Option<Self> {
        Some(Err(reason.to_owned()))
    }
}

/// The `ok` of a result other than `()`.
pub(super) trait ResultValue: StreamItem {}

macro_rules! result_values {
    ($($scalar:ident: $ty:ty, $method:ident;)*) => {
        $(impl ResultValue for $ty {})*
    };
}

for_each_scalar!(result_values);
impl ResultValue for String {}
impl ResultValue for Vec<u8> {}

impl<T: ResultValue> StreamItem for Result<T, String> {
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Ok(value) => {
                encoder.ok()?;
                value.encode(encoder)
            }
            Err(error) => {
                encoder.err()?;
                encoder.string(error)
            }
        }
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(match decoder.is_ok()? {
            true => Ok(T::decode(decoder)?),
            false => Err(String::decode(decoder)?),
        })
    }

    fn failure(reason: &str) -> Option<Self> {
        Some(Err(reason.to_owned()))
    }
}
