//! Rust types of values that cross links by their own types, with their encoding.

use wasmtime::component::{ComponentType, Lift, Lower};
use weft_stub::plan::Outcome;
use weft_wire::{DecodeError, Decoder, EncodeError, Encoder, Scalar, SimpleType, for_each_scalar};

/// A result of a typed function, or a value of a stream or a future.
pub(crate) trait LinkValue: ComponentType + Lift + Lower + Send + Sync + 'static {
    /// The type.
    const OUTCOME: Outcome;

    /// Appends the value.
    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    /// Length of a value that may be long.
    fn long_bytes(&self) -> usize {
        0
    }

    /// Reads a value.
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// The value that reports a failure, for types that have one.
    fn failure(_reason: &dyn ToString) -> Option<Self> {
        None
    }
}

/// A value without parts.
pub(crate) trait SimpleValue: LinkValue {
    /// The type.
    const TYPE: SimpleType;
}

macro_rules! simple_value {
    ($ty:ty, $simple:expr, $encode:expr, $decode:expr, $long_bytes:expr) => {
        impl SimpleValue for $ty {
            const TYPE: SimpleType = $simple;
        }

        impl LinkValue for $ty {
            const OUTCOME: Outcome = Outcome::Plain($simple);

            fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
                $encode(self, encoder)
            }

            fn long_bytes(&self) -> usize {
                $long_bytes(self)
            }

            fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                $decode(decoder)
            }
        }
    };
}

macro_rules! scalars {
    ($($scalar:ident: $ty:ty, $name:ident;)*) => {
        $(simple_value!(
            $ty,
            SimpleType::Scalar(Scalar::$scalar),
            |value: &$ty, encoder: &mut Encoder<'_>| encoder.$name(*value),
            |decoder: &mut Decoder<'_>| decoder.$name(),
            |_: &$ty| 0
        );)*
    };
}

for_each_scalar!(scalars);

simple_value!(
    String,
    SimpleType::String,
    |value: &String, encoder: &mut Encoder<'_>| encoder.string(value),
    |decoder: &mut Decoder<'_>| decoder.string().map(str::to_owned),
    String::len
);

simple_value!(
    Vec<u8>,
    SimpleType::Bytes,
    |value: &Vec<u8>, encoder: &mut Encoder<'_>| encoder.bytes(value),
    |decoder: &mut Decoder<'_>| decoder.bytes().map(<[u8]>::to_vec),
    Vec::len
);

/// The absent value of a result.
impl LinkValue for () {
    const OUTCOME: Outcome = Outcome::Nothing;

    fn encode(&self, _: &mut Encoder<'_>) -> Result<(), EncodeError> {
        Ok(())
    }

    fn decode(_: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

impl<T: LinkValue> LinkValue for Result<T, String> {
    const OUTCOME: Outcome = Outcome::Fallible(match T::OUTCOME {
        Outcome::Plain(ty) => Some(ty),
        Outcome::Nothing | Outcome::Fallible(_) => None,
    });

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

    fn failure(reason: &dyn ToString) -> Option<Self> {
        Some(Err(reason.to_string()))
    }
}
