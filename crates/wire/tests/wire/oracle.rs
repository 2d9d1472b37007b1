//! Comparison with `wasm-tokio`, another implementation of the same encoding: the same bytes for
//! every value, and the same answer for every sequence of bytes.
//!
//! NaNs are left out: `wasm-tokio` writes the canonical NaN, this crate carries the payload.

use proptest::collection::vec;
use proptest::prelude::*;
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder as TheirDecoder, Encoder as TheirEncoder};
use wasm_tokio::cm::{
    BoolCodec, F32Codec, F64Codec, FlagDecoder, FlagEncoder, OptionDecoder, OptionEncoder,
    PrimValEncoder, ResultDecoder, ResultEncoder, S8Codec, S16Codec, S32Codec, S64Codec,
    TupleDecoder, TupleEncoder, U8Codec, U16Codec, U32Codec, U64Codec,
};
use wasm_tokio::{
    CoreNameDecoder, CoreNameEncoder, CoreVecDecoder, CoreVecDecoderBytes, CoreVecEncoder,
    CoreVecEncoderBytes, Leb128Encoder, Utf8Codec,
};
use weft_wire::{DecodeError, Decoder, Limits};

use crate::any::{any_typed_value, config};
use crate::model::{Type, Value, decode, encode};

/// An encoder of `wasm-tokio` for values of the types in [`crate::model`].
struct Theirs<'t>(&'t Type);

impl<'v> TheirEncoder<&'v Value> for Theirs<'_> {
    type Error = std::io::Error;

    fn encode(&mut self, value: &'v Value, out: &mut BytesMut) -> std::io::Result<()> {
        match (self.0, value) {
            (_, Value::Bool(value)) => PrimValEncoder.encode(value, out),
            (_, Value::U8(value)) => PrimValEncoder.encode(value, out),
            (_, Value::S8(value)) => PrimValEncoder.encode(value, out),
            (_, Value::U16(value)) => PrimValEncoder.encode(value, out),
            (_, Value::S16(value)) => PrimValEncoder.encode(value, out),
            (_, Value::U32(value)) => PrimValEncoder.encode(value, out),
            (_, Value::S32(value)) => PrimValEncoder.encode(value, out),
            (_, Value::U64(value)) => PrimValEncoder.encode(value, out),
            (_, Value::S64(value)) => PrimValEncoder.encode(value, out),
            (_, Value::F32(bits)) => PrimValEncoder.encode(f32::from_bits(*bits), out),
            (_, Value::F64(bits)) => PrimValEncoder.encode(f64::from_bits(*bits), out),
            (_, Value::Char(value)) => PrimValEncoder.encode(value, out),
            (_, Value::String(value)) => CoreNameEncoder.encode(value, out),
            (_, Value::Bytes(value)) => CoreVecEncoderBytes.encode(value, out),
            // The handle's bytes are a choice of this crate; the `list<u8>` around them is common
            // to both.
            (_, Value::Handle(value)) => CoreVecEncoderBytes.encode(value.to_le_bytes(), out),
            (_, Value::Stream(value)) => PrimValEncoder.encode(value, out),
            // `wasm-tokio` has no encoder for cases; its users write the number like this.
            (_, Value::Enum(case)) => Leb128Encoder.encode(case, out),
            (_, Value::Flags(flags)) => FlagEncoder.encode(packed(flags), out),
            (ty, value) => encode_container(ty, value, out),
        }
    }
}

fn encode_container(ty: &Type, value: &Value, out: &mut BytesMut) -> std::io::Result<()> {
    match (ty, value) {
        (Type::List(ty), Value::List(elements)) => CoreVecEncoder(Theirs(ty)).encode(elements, out),
        (Type::Tuple(types), Value::Tuple(fields)) => types
            .iter()
            .zip(fields)
            .try_for_each(|(ty, field)| TupleEncoder((Theirs(ty),)).encode((field,), out)),
        (Type::Variant(cases), Value::Variant(case, payload)) => {
            Leb128Encoder.encode(case, out)?;
            match (&cases[*case as usize], payload) {
                (Some(ty), Some(payload)) => Theirs(ty).encode(payload, out),
                _ => Ok(()),
            }
        }
        (Type::Option(ty), Value::Option(value)) => {
            OptionEncoder(Theirs(ty)).encode(value.as_deref(), out)
        }
        (Type::Result(ok, err), Value::Result(value)) => {
            let (ok, err) = (Payload(ok.as_deref()), Payload(err.as_deref()));
            let value = match value {
                Ok(payload) => Ok(payload.as_deref()),
                Err(payload) => Err(payload.as_deref()),
            };
            ResultEncoder { ok, err }.encode(value, out)
        }
        _ => panic!("{value:?} is not a value of {ty:?}"),
    }
}

/// The payload of one side of a `result`.
struct Payload<'t>(Option<&'t Type>);

impl<'v> TheirEncoder<Option<&'v Value>> for Payload<'_> {
    type Error = std::io::Error;

    fn encode(&mut self, value: Option<&'v Value>, out: &mut BytesMut) -> std::io::Result<()> {
        match (self.0, value) {
            (Some(ty), Some(value)) => Theirs(ty).encode(value, out),
            _ => Ok(()),
        }
    }
}

fn packed(flags: &[bool]) -> Vec<u8> {
    let bytes = flags.chunks(8).map(|chunk| {
        let bits = chunk.iter().rev();
        bits.fold(0, |byte, set| byte << 1 | u8::from(*set))
    });
    bytes.collect()
}

/// True if a value contains a NaN, which `wasm-tokio` does not carry.
fn has_nan(value: &Value) -> bool {
    match value {
        Value::F32(bits) => f32::from_bits(*bits).is_nan(),
        Value::F64(bits) => f64::from_bits(*bits).is_nan(),
        Value::List(values) | Value::Tuple(values) => values.iter().any(has_nan),
        Value::Variant(_, payload)
        | Value::Option(payload)
        | Value::Result(Ok(payload) | Err(payload)) => payload.as_deref().is_some_and(has_nan),
        _ => false,
    }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn both_write_the_same_bytes_for_any_value((ty, value) in any_typed_value()) {
        prop_assume!(!has_nan(&value));
        let mut theirs = BytesMut::new();
        Theirs(&ty).encode(&value, &mut theirs)?;
        let ours = encode(&ty, &value);
        prop_assert_eq!(&ours[..], &theirs[..]);
        let read = decode(&ty, Decoder::new(&ours, Limits::LINK)?)?;
        prop_assert_eq!(read, value);
    }

    #[test]
    fn both_answer_any_bytes_alike(bytes in vec(byte(), 0..24)) {
        agree::<BoolCodec, _>(&bytes, Decoder::bool)?;
        agree::<U8Codec, _>(&bytes, Decoder::u8)?;
        agree::<S8Codec, _>(&bytes, Decoder::s8)?;
        agree::<U16Codec, _>(&bytes, Decoder::u16)?;
        agree::<S16Codec, _>(&bytes, Decoder::s16)?;
        agree::<U32Codec, _>(&bytes, Decoder::u32)?;
        agree::<S32Codec, _>(&bytes, Decoder::s32)?;
        agree::<U64Codec, _>(&bytes, Decoder::u64)?;
        agree::<S64Codec, _>(&bytes, Decoder::s64)?;
        agree::<Bits<F32Codec>, _>(&bytes, |ours| Ok(u64::from(ours.f32()?.to_bits())))?;
        agree::<Bits<F64Codec>, _>(&bytes, |ours| Ok(ours.f64()?.to_bits()))?;
        agree::<Utf8Codec, _>(&bytes, Decoder::char)?;
        agree::<CoreNameDecoder, _>(&bytes, |ours| ours.string().map(str::to_owned))?;
        agree::<CoreVecDecoderBytes, _>(&bytes, |ours| ours.bytes().map(Bytes::copy_from_slice))?;
    }

    #[test]
    fn both_answer_any_bytes_of_compound_types_alike(bytes in vec(byte(), 0..24)) {
        agree::<OptionDecoder<U32Codec>, _>(&bytes, |ours| {
            Ok(if ours.is_some()? { Some(ours.u32()?) } else { None })
        })?;
        agree::<ResultDecoder<CoreNameDecoder, S64Codec>, _>(&bytes, |ours| {
            Ok(if ours.is_ok()? { Ok(ours.string()?.to_owned()) } else { Err(ours.s64()?) })
        })?;
        agree::<CoreVecDecoder<PairDecoder>, _>(&bytes, |ours| {
            let length = ours.list(2)?;
            (0..length).map(|_| Ok((ours.u32()?, ours.bool()?))).collect::<Result<Vec<_>, _>>()
        })?;
    }

    #[test]
    fn both_read_the_same_flags(bytes in vec(any::<u8>(), 2)) {
        let mut theirs = BytesMut::from(&bytes[..]);
        let theirs = FlagDecoder::<16>.decode(&mut theirs)?;
        let ours = Decoder::new(&bytes, Limits::LINK)?.flags(16)?;
        let set: Vec<bool> = (0..16).map(|index| ours.is_set(index)).collect();
        prop_assert_eq!(theirs.as_deref(), Some(&packed(&set)[..]));
    }
}

type PairDecoder = TupleDecoder<(U32Codec, BoolCodec), (Option<u32>, Option<bool>)>;

/// Bytes at which the forms of integers, lengths and characters change, more often than others.
fn byte() -> impl Strategy<Value = u8> {
    let edges = vec![
        0, 1, 2, 3, 0x0f, 0x3f, 0x40, 0x7e, 0x7f, 0x80, 0xbf, 0xc2, 0xe2, 0xf0, 0xff,
    ];
    prop_oneof![any::<u8>(), prop::sample::select(edges)]
}

/// Checks that both refuse the bytes, or both read the same value of the same length.
fn agree<'a, D, T>(
    bytes: &'a [u8],
    ours: impl FnOnce(&mut Decoder<'a>) -> Result<T, DecodeError>,
) -> Result<(), TestCaseError>
where
    D: TheirDecoder<Item = T> + Default,
    T: PartialEq + std::fmt::Debug,
{
    let mut left = BytesMut::from(bytes);
    let theirs = D::default().decode_eof(&mut left).ok().flatten();
    let theirs = theirs.map(|value| (value, bytes.len() - left.len()));
    let mut decoder = Decoder::new(bytes, Limits::LINK)?;
    let ours = ours(&mut decoder).ok();
    let ours = ours.map(|value| (value, decoder.offset()));
    prop_assert_eq!(ours, theirs, "{}", std::any::type_name::<D>());
    Ok(())
}

/// Floats by their bits, so that a NaN equals itself.
#[derive(Default)]
struct Bits<D>(D);

impl TheirDecoder for Bits<F32Codec> {
    type Item = u64;
    type Error = std::io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> std::io::Result<Option<u64>> {
        let value = self.0.decode(bytes)?;
        Ok(value.map(|value| value.to_bits().into()))
    }
}

impl TheirDecoder for Bits<F64Codec> {
    type Item = u64;
    type Error = std::io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> std::io::Result<Option<u64>> {
        let value = self.0.decode(bytes)?;
        Ok(value.map(f64::to_bits))
    }
}
