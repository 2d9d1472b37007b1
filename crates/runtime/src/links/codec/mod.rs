//! The dynamic codec: encodes wasmtime's dynamic values as bytes of the wire, and decodes them.
//!
//! It serves callers without static types, and calls of concurrent functions, which generated stubs
//! cannot carry. A function's types are walked once ([`Shape`]), its values on each call. Streams
//! and futures are not encoded: the caller replaces them by numbers ([`StreamTransfer`]).
//!
//! Input of the decoder is not trusted. A dynamic value takes forty bytes and its encoding
//! sometimes one, so each value is charged before its memory is allocated.

mod decode;
mod encode;
mod link_value;
mod shape;
#[cfg(test)]
mod tests;

use wasmtime::component::{FutureAny, StreamAny};
use weft_wire::{DecodeError, EncodeError, SimpleType};

pub(crate) use self::decode::decode;
pub(crate) use self::encode::encode;
pub(crate) use self::link_value::{LinkValue, SimpleValue};
pub(crate) use self::shape::{FunctionShape, FutureValue, Shape};

/// Errors of encoding and decoding values.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    /// The function has a type that links do not carry; deploys reject those.
    #[error("expected a type that links carry, found {found}")]
    Type {
        /// Kind of the type.
        found: &'static str,
    },
    /// The types of the function are too large.
    #[error("expected types of at most {limit} parts, found more")]
    TypeSize { limit: usize },
    /// A value does not have the function's types.
    #[error("expected {expected}, found another value")]
    Value {
        /// Kind of the expected value.
        expected: String,
    },
    /// The number of values differs from that of the function's types.
    #[error("expected {expected} values, found {found}")]
    Count { expected: usize, found: usize },
    /// The value exceeds a limit of the other end.
    #[error("cannot encode the values")]
    Encode(#[from] EncodeError),
    /// The bytes do not match the function's types.
    #[error("cannot decode the values")]
    Decode(#[from] DecodeError),
    /// A stream or a future cannot be transferred.
    #[error("{0}")]
    Transfer(&'static str),
    /// The store rejected an operation on a stream or a future.
    #[error("cannot transfer a stream or a future")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Transfers streams and futures: each stays in its store, and the other side receives its number.
pub(crate) trait StreamTransfer {
    /// Takes the read end of a stream from the store, and assigns it a number.
    ///
    /// # Errors
    /// If the store or the link rejects it.
    fn give_stream(&mut self, stream: &StreamAny, element: SimpleType) -> Result<u32, CodecError>;

    /// Takes the read end of a future from the store, and assigns it a number.
    ///
    /// # Errors
    /// If the store or the link rejects it.
    fn give_future(&mut self, future: &FutureAny, value: FutureValue) -> Result<u32, CodecError>;

    /// The read end, in this store, of a stream that the other side sent under a number.
    ///
    /// # Errors
    /// If the number is invalid.
    fn take_stream(&mut self, number: u32, element: SimpleType) -> Result<StreamAny, CodecError>;

    /// The read end, in this store, of a future that the other side sent under a number.
    ///
    /// # Errors
    /// If the number is invalid.
    fn take_future(&mut self, number: u32, value: FutureValue) -> Result<FutureAny, CodecError>;
}

impl CodecError {
    /// Wraps the error of a store operation on a stream or a future.
    pub(crate) fn store(error: wasmtime::Error) -> Self {
        Self::Store(error.into_boxed_dyn_error())
    }
}
