//! The types in signatures: each is lifted from the importer's store, lowered into the target's, or
//! encoded where a task or a transport lies between.

use std::borrow::Cow;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower, WasmList, WasmStr};
use weft_stub::plan::Outcome;
use weft_wire::{DecodeError, Decoder, EncodeError, Encoder, SimpleType};

use crate::guest::GuestState;
use crate::links::codec::{LinkValue, SimpleValue};
use crate::links::{LinkFailure, LinkedFunction};

/// A parameter of a signature.
pub(super) trait Param {
    const TYPE: SimpleType;
    /// The value as lifted from the importer's store.
    type Lifted: ComponentType + Lift + Send + Sync + 'static;
    /// The value as borrowed from the importer's memory, or from a frame.
    type Borrowed<'a>: Send + Sync;
    /// The value as lowered into the target's store.
    type Lowered<'a>: ComponentType + Lower + Copy + Send + Sync;

    fn borrow<'a>(
        lifted: &Self::Lifted,
        importer: &'a StoreContextMut<'_, GuestState>,
    ) -> wasmtime::Result<Self::Borrowed<'a>>;

    fn lower<'a>(value: &'a Self::Borrowed<'_>) -> Self::Lowered<'a>;

    fn encode(value: &Self::Borrowed<'_>, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    fn decode<'a>(decoder: &mut Decoder<'a>) -> Result<Self::Borrowed<'a>, DecodeError>;
}

/// The result of a signature.
pub(super) trait ReturnType:
    ComponentNamedList + Lift + Lower + Send + Sync + Sized + 'static
{
    const OUTCOME: Outcome;

    /// The result that carries a failure.
    ///
    /// # Errors
    /// The importer's trap, if the result cannot carry a failure.
    fn from_failure(failure: LinkFailure, function: &LinkedFunction) -> wasmtime::Result<Self>;

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;
}

/// A `string` parameter.
pub(super) struct Text;

/// A `list<u8>` parameter.
pub(super) struct Bytes;

// === scalars ===

impl<T: SimpleValue + Copy> Param for T {
    const TYPE: SimpleType = T::TYPE;
    type Lifted = T;
    type Borrowed<'a> = T;
    type Lowered<'a> = T;

    fn borrow(lifted: &T, _: &StoreContextMut<'_, GuestState>) -> wasmtime::Result<T> {
        Ok(*lifted)
    }

    fn lower(value: &T) -> T {
        *value
    }

    fn encode(value: &T, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        value.encode(encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<T, DecodeError> {
        <T as LinkValue>::decode(decoder)
    }
}

// === strings and bytes ===

impl Param for Text {
    const TYPE: SimpleType = SimpleType::String;
    type Lifted = WasmStr;
    type Borrowed<'a> = Cow<'a, str>;
    type Lowered<'a> = &'a str;

    fn borrow<'a>(
        lifted: &WasmStr,
        importer: &'a StoreContextMut<'_, GuestState>,
    ) -> wasmtime::Result<Cow<'a, str>> {
        lifted.to_str(importer)
    }

    fn lower<'a>(value: &'a Cow<'_, str>) -> &'a str {
        value
    }

    fn encode(value: &Cow<'_, str>, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.string(value)
    }

    fn decode<'a>(decoder: &mut Decoder<'a>) -> Result<Cow<'a, str>, DecodeError> {
        decoder.string().map(Cow::Borrowed)
    }
}

impl Param for Bytes {
    const TYPE: SimpleType = SimpleType::Bytes;
    type Lifted = WasmList<u8>;
    type Borrowed<'a> = &'a [u8];
    type Lowered<'a> = &'a [u8];

    fn borrow<'a>(
        lifted: &WasmList<u8>,
        importer: &'a StoreContextMut<'_, GuestState>,
    ) -> wasmtime::Result<&'a [u8]> {
        Ok(lifted.as_le_slice(importer))
    }

    fn lower<'a>(value: &'a &[u8]) -> &'a [u8] {
        value
    }

    fn encode(value: &&[u8], encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.bytes(value)
    }

    fn decode<'a>(decoder: &mut Decoder<'a>) -> Result<&'a [u8], DecodeError> {
        decoder.bytes()
    }
}

// === results ===

impl ReturnType for () {
    const OUTCOME: Outcome = Outcome::Nothing;

    fn from_failure(failure: LinkFailure, function: &LinkedFunction) -> wasmtime::Result<Self> {
        Err(function.trap(failure))
    }

    fn encode(&self, _: &mut Encoder<'_>) -> Result<(), EncodeError> {
        Ok(())
    }

    fn decode(_: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

impl<V: LinkValue> ReturnType for (V,) {
    const OUTCOME: Outcome = V::OUTCOME;

    fn from_failure(failure: LinkFailure, function: &LinkedFunction) -> wasmtime::Result<Self> {
        match V::failure(&failure) {
            Some(value) => Ok((value,)),
            None => Err(function.trap(failure)),
        }
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok((V::decode(decoder)?,))
    }
}
