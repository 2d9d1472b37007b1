//! The dynamic codec: values as wasmtime has them where no type of Rust is known, to the bytes of the
//! wire and back.
//!
//! It serves what is dynamic anyway, and calls of concurrent functions, which no generated stub can
//! carry. A function's types are walked once ([`Shape`]); then values are. Streams and futures are not
//! encoded: whoever calls replaces them by numbers ([`Handover`]).
//!
//! What is decoded is hostile. A dynamic value takes forty bytes where its encoding may take one, so
//! each is charged for before room for it is made.

mod decode;
mod encode;
mod shape;
#[cfg(test)]
mod tests;

use wasmtime::component::{FutureAny, StreamAny};
use weft_wire::{DecodeError, EncodeError};

pub(crate) use self::decode::decode;
pub(crate) use self::encode::encode;
pub(crate) use self::shape::{Element, FunctionShape, FutureValue, Shape};

/// Why values cannot be encoded, or bytes not be decoded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    /// A type that links do not carry; what is deployed has none.
    #[error("expected a type that links carry, found {found}")]
    Type {
        /// What kind of type it is.
        found: &'static str,
    },
    /// The types of a function are larger than anyone writes.
    #[error("expected types of at most {limit} parts, found more")]
    TypeSize { limit: usize },
    /// A value does not have the function's types.
    #[error("expected {expected}, found another value")]
    Value {
        /// What kind of value it should be.
        expected: &'static str,
    },
    /// There are not as many values as the function has.
    #[error("expected {expected} values, found {found}")]
    Count { expected: usize, found: usize },
    /// The value exceeds a limit of the other end.
    #[error("cannot encode the values")]
    Encode(#[from] EncodeError),
    /// The bytes do not match the function's types.
    #[error("cannot decode the values")]
    Decode(#[from] DecodeError),
    /// A stream or a future cannot be handed over.
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
    /// If the store or the link does not allow it.
    fn give_stream(&mut self, stream: &StreamAny, element: Element) -> Result<u32, CodecError>;

    /// Takes the read end of a future from the store, and gives it a number.
    ///
    /// # Errors
    /// If the store or the link does not allow it.
    fn give_future(&mut self, future: &FutureAny, value: FutureValue) -> Result<u32, CodecError>;

    /// The read end, in this store, of a stream that the other side gave away under a number.
    ///
    /// # Errors
    /// If there can be no such stream.
    fn take_stream(&mut self, number: u32, element: Element) -> Result<StreamAny, CodecError>;

    /// The read end, in this store, of a future that the other side gave away under a number.
    ///
    /// # Errors
    /// If there can be no such future.
    fn take_future(&mut self, number: u32, value: FutureValue) -> Result<FutureAny, CodecError>;
}

impl CodecError {
    /// That a store refused something about a stream or a future.
    pub(crate) fn store(error: wasmtime::Error) -> Self {
        Self::Store(error.into_boxed_dyn_error())
    }
}
