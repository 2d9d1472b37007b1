//! The types of typed shapes: how each is taken out of the importer's store, put into the target's, and
//! written as bytes where something else lies between.

use std::borrow::Cow;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower, WasmList, WasmStr};
use weft_stub::plan::{Kind, Outcome};
use weft_wire::{DecodeError, Decoder, EncodeError, Encoder};

use crate::guest::GuestState;
use crate::links::{LinkFailure, LinkedFunction};

/// A parameter of a typed shape.
pub(super) trait Param {
    const KIND: Kind;
    /// As it comes from the importer's store.
    type Lifted: ComponentType + Lift + Send + Sync + 'static;
    /// As it lies in the importer's memory, or in a message.
    type Held<'a>: Send + Sync;
    /// As it goes into the target's store.
    type Lowered<'a>: ComponentType + Lower + Copy + Send + Sync;

    fn hold<'a>(
        lifted: &Self::Lifted,
        importer: &'a StoreContextMut<'_, GuestState>,
    ) -> wasmtime::Result<Self::Held<'a>>;

    fn lower<'a>(held: &'a Self::Held<'_>) -> Self::Lowered<'a>;

    fn encode(held: &Self::Held<'_>, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    fn decode<'a>(decoder: &mut Decoder<'a>) -> Result<Self::Held<'a>, DecodeError>;
}

/// A value that a typed shape returns.
pub(super) trait Value:
    ComponentType + Lift + Lower + Send + Sync + Sized + 'static
{
    const KIND: Kind;

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;
}

/// What a typed shape returns.
pub(super) trait Returned:
    ComponentNamedList + Lift + Lower + Send + Sync + Sized + 'static
{
    const OUTCOME: Outcome;

    /// What the importer gets in place of a result.
    ///
    /// # Errors
    /// Its trap, if the result cannot say it.
    fn failed(failure: LinkFailure, function: &LinkedFunction) -> wasmtime::Result<Self>;

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError>;

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError>;
}

/// A `string` parameter.
pub(super) struct Text;

/// A `list<u8>` parameter.
pub(super) struct Bytes;

// === scalars ===

macro_rules! scalars {
    ($($ty:ty: $kind:ident, $method:ident;)*) => {
        $(
            impl Param for $ty {
                const KIND: Kind = Kind::$kind;
                type Lifted = $ty;
                type Held<'a> = $ty;
                type Lowered<'a> = $ty;

                fn hold(
                    lifted: &$ty,
                    _: &StoreContextMut<'_, GuestState>,
                ) -> wasmtime::Result<$ty> {
                    Ok(*lifted)
                }

                fn lower(held: &$ty) -> $ty {
                    *held
                }

                fn encode(held: &$ty, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
                    encoder.$method(*held)
                }

                fn decode(decoder: &mut Decoder<'_>) -> Result<$ty, DecodeError> {
                    decoder.$method()
                }
            }

            impl Value for $ty {
                const KIND: Kind = Kind::$kind;

                fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
                    encoder.$method(*self)
                }

                fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                    decoder.$method()
                }
            }
        )*
    };
}

scalars! {
    bool: Bool, bool;
    u8: U8, u8;
    i8: S8, s8;
    u16: U16, u16;
    i16: S16, s16;
    u32: U32, u32;
    i32: S32, s32;
    u64: U64, u64;
    i64: S64, s64;
    f32: F32, f32;
    f64: F64, f64;
    char: Char, char;
}

// === strings and bytes ===

impl Param for Text {
    const KIND: Kind = Kind::String;
    type Lifted = WasmStr;
    type Held<'a> = Cow<'a, str>;
    type Lowered<'a> = &'a str;

    fn hold<'a>(
        lifted: &WasmStr,
        importer: &'a StoreContextMut<'_, GuestState>,
    ) -> wasmtime::Result<Cow<'a, str>> {
        lifted.to_str(importer)
    }

    fn lower<'a>(held: &'a Cow<'_, str>) -> &'a str {
        held
    }

    fn encode(held: &Cow<'_, str>, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.string(held)
    }

    fn decode<'a>(decoder: &mut Decoder<'a>) -> Result<Cow<'a, str>, DecodeError> {
        decoder.string().map(Cow::Borrowed)
    }
}

impl Param for Bytes {
    const KIND: Kind = Kind::Bytes;
    type Lifted = WasmList<u8>;
    type Held<'a> = &'a [u8];
    type Lowered<'a> = &'a [u8];

    fn hold<'a>(
        lifted: &WasmList<u8>,
        importer: &'a StoreContextMut<'_, GuestState>,
    ) -> wasmtime::Result<&'a [u8]> {
        Ok(lifted.as_le_slice(importer))
    }

    fn lower<'a>(held: &'a &[u8]) -> &'a [u8] {
        held
    }

    fn encode(held: &&[u8], encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.bytes(held)
    }

    fn decode<'a>(decoder: &mut Decoder<'a>) -> Result<&'a [u8], DecodeError> {
        decoder.bytes()
    }
}

impl Value for String {
    const KIND: Kind = Kind::String;

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.string(self)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.string().map(str::to_owned)
    }
}

impl Value for Vec<u8> {
    const KIND: Kind = Kind::Bytes;

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.bytes(self)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.bytes().map(<[u8]>::to_vec)
    }
}

// === results ===

impl Returned for () {
    const OUTCOME: Outcome = Outcome::Nothing;

    fn failed(failure: LinkFailure, function: &LinkedFunction) -> wasmtime::Result<Self> {
        Err(function.trap(failure))
    }

    fn encode(&self, _: &mut Encoder<'_>) -> Result<(), EncodeError> {
        Ok(())
    }

    fn decode(_: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

impl<V: Value> Returned for (V,) {
    const OUTCOME: Outcome = Outcome::Plain(V::KIND);

    fn failed(failure: LinkFailure, function: &LinkedFunction) -> wasmtime::Result<Self> {
        Err(function.trap(failure))
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok((V::decode(decoder)?,))
    }
}

impl Returned for (Result<(), String>,) {
    const OUTCOME: Outcome = Outcome::Fallible(None);

    fn failed(failure: LinkFailure, _: &LinkedFunction) -> wasmtime::Result<Self> {
        Ok((Err(failure.to_string()),))
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match &self.0 {
            Ok(()) => encoder.ok(),
            Err(error) => {
                encoder.err()?;
                encoder.string(error)
            }
        }
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok((if decoder.is_ok()? {
            Ok(())
        } else {
            Err(String::decode(decoder)?)
        },))
    }
}

impl<V: Value> Returned for (Result<V, String>,) {
    const OUTCOME: Outcome = Outcome::Fallible(Some(V::KIND));

    fn failed(failure: LinkFailure, _: &LinkedFunction) -> wasmtime::Result<Self> {
        Ok((Err(failure.to_string()),))
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match &self.0 {
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
        Ok((if decoder.is_ok()? {
            Ok(V::decode(decoder)?)
        } else {
            Err(String::decode(decoder)?)
        },))
    }
}
