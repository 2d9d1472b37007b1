//! Functions of few scalars without a typed shape: stub and skeleton pass each scalar as a word.
//! Calls between two stores are not encoded.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::LinkerInstance;
use weft_stub::plan::{CallPath, MAX_SCALARS, Scalars};
use weft_wire::{DecodeError, Decoder, EncodeError, Encoder, Scalar};

use super::encoded_call::{call_encoded, encode_with, read_reply};
use super::local_call::run_in;
use super::{Callee, Link, LinkFailure, LinkedFunction, boxed};
use crate::endpoint::Failure;
use crate::guest::GuestState;

/// Scalars, each in the low bits of a word.
type Words = [u64; MAX_SCALARS];

/// Defines `call-scalars` of `weft:link/call` in a linker, for one link.
pub(super) fn bind(
    linker: &mut LinkerInstance<'_, GuestState>,
    link: &Arc<Link>,
) -> wasmtime::Result<()> {
    let link = link.clone();
    linker.func_wrap_async("call-scalars", move |importer, (index, a, b, c, d)| {
        let link = link.clone();
        boxed(move || async move {
            let function = link.function(index)?;
            let result = call(function, importer, [a, b, c, d]).await?;
            Ok((result,))
        })
    })
}

/// Makes a call. A failure is a trap of the importer, because a scalar cannot carry one.
async fn call(
    function: &Arc<LinkedFunction>,
    mut importer: StoreContextMut<'_, GuestState>,
    words: Words,
) -> wasmtime::Result<u64> {
    let importer = importer.data_mut();
    let result = if function.target.delivery.is_inline() {
        match function.begin(importer) {
            Ok(mut callee) => {
                let outcome = invoke(&mut callee, function.target_index, words).await;
                function.end(importer, callee, outcome)
            }
            Err(failure) => Err(failure),
        }
    } else {
        let (arguments, result) = encode_arguments(function, words)?;
        // Boxed: the future is large, and would be moved with every call on the other path.
        let call = boxed(|| call_over_bytes(function, importer, arguments, result));
        Box::into_pin(call).await
    };
    result.map_err(|failure| function.trap(failure))
}

/// Calls the callee's skeleton.
async fn invoke(callee: &mut Callee, index: u32, [a, b, c, d]: Words) -> Result<u64, Failure> {
    callee.ready().await?;
    let invoke = callee.invoke_scalars()?;
    let (result,) = run_in!(callee, invoke, (index, a, b, c, d))?;
    Ok(result)
}

/// The encoded arguments, and the type of the result.
fn encode_arguments(
    function: &LinkedFunction,
    words: Words,
) -> wasmtime::Result<(Vec<u8>, Option<Scalar>)> {
    let CallPath::Scalars(Scalars { params, result }) = &function.path else {
        let name = &function.name;
        let error = format!("expected a function of scalars, found `{name}`");
        return Err(wasmtime::Error::msg(error));
    };
    let arguments = encode_with(|encoder| {
        let mut scalars = params.iter().zip(words);
        scalars.try_for_each(|(scalar, word)| encode(*scalar, word, encoder))
    })?;
    Ok((arguments, *result))
}

/// Makes an encoded call, for links with a task or a transport between the two stores.
async fn call_over_bytes(
    function: &Arc<LinkedFunction>,
    importer: &mut GuestState,
    arguments: Vec<u8>,
    result: Option<Scalar>,
) -> Result<u64, LinkFailure> {
    let reply = call_encoded(function, importer, arguments).await?;
    read_reply(function, &reply, |decoder| match result {
        Some(scalar) => decode(scalar, decoder),
        None => Ok(0),
    })
}

/// Writes a scalar from the low bits of a word.
fn encode(scalar: Scalar, word: u64, encoder: &mut Encoder<'_>) -> wasmtime::Result<()> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "bits above those of the scalar have no meaning"
    )]
    let written: Result<(), EncodeError> = match scalar {
        Scalar::Bool => encoder.bool(word as u32 != 0),
        Scalar::U8 => encoder.u8(word as u8),
        Scalar::S8 => encoder.s8(word as i8),
        Scalar::U16 => encoder.u16(word as u16),
        Scalar::S16 => encoder.s16(word as i16),
        Scalar::U32 => encoder.u32(word as u32),
        Scalar::S32 => encoder.s32(word as i32),
        Scalar::U64 => encoder.u64(word),
        Scalar::S64 => encoder.s64(word.cast_signed()),
        Scalar::F32 => encoder.f32(f32::from_bits(word as u32)),
        Scalar::F64 => encoder.f64(f64::from_bits(word)),
        Scalar::Char => match char::from_u32(word as u32) {
            Some(char) => encoder.char(char),
            None => {
                return Err(wasmtime::Error::msg(
                    "expected a character, found a surrogate or a larger number",
                ));
            }
        },
    };
    Ok(written?)
}

/// Reads a scalar into the low bits of a word.
fn decode(scalar: Scalar, decoder: &mut Decoder<'_>) -> Result<u64, DecodeError> {
    Ok(match scalar {
        Scalar::Bool => decoder.bool()?.into(),
        Scalar::U8 => decoder.u8()?.into(),
        Scalar::S8 => i64::from(decoder.s8()?).cast_unsigned(),
        Scalar::U16 => decoder.u16()?.into(),
        Scalar::S16 => i64::from(decoder.s16()?).cast_unsigned(),
        Scalar::U32 => decoder.u32()?.into(),
        Scalar::S32 => i64::from(decoder.s32()?).cast_unsigned(),
        Scalar::U64 => decoder.u64()?,
        Scalar::S64 => decoder.s64()?.cast_unsigned(),
        Scalar::F32 => decoder.f32()?.to_bits().into(),
        Scalar::F64 => decoder.f64()?.to_bits(),
        Scalar::Char => u32::from(decoder.char()?).into(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weft_wire::Limits;

    use super::*;

    proptest! {
        #[test]
        fn scalars_come_back_from_their_bytes_unchanged(word in any::<u64>()) {
            for scalar in Scalar::ALL {
                let bits = match scalar {
                    Scalar::Bool => 1,
                    Scalar::Char => 16,
                    other => 8 * other.bytes(),
                };
                let low = |word: u64| word & (u64::MAX >> (64 - bits));
                // A surrogate is not a character.
                let sent = if scalar == Scalar::Char { low(word) & 0x7fff } else { low(word) };
                let bytes = encode_with(|encoder| encode(scalar, sent, encoder)).unwrap();
                let mut decoder = Decoder::new(&bytes, Limits::LINK).unwrap();
                let found = decode(scalar, &mut decoder).unwrap();
                prop_assert_eq!(low(found), sent, "{:?}", scalar);
                prop_assert!(decoder.finish().is_ok());
            }
        }
    }

    #[test]
    fn an_invalid_character_is_not_sent() {
        let sent = encode_with(|encoder| encode(Scalar::Char, 0xd800, encoder));
        assert_eq!(
            sent.unwrap_err().to_string(),
            "expected a character, found a surrogate or a larger number"
        );
    }
}
