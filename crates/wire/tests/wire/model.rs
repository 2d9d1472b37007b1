//! Types and values as trees, with walkers that drive the encoder and the decoder: a dynamic codec
//! in its smallest form.

use weft_wire::{DecodeError, Decoder, EncodeError, Encoder, Scalar};

/// A type of WIT. A record is a tuple here, since names are not encoded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    Scalar(Scalar),
    String,
    Bytes,
    List(Box<Type>),
    Tuple(Vec<Type>),
    Variant(Vec<Option<Type>>),
    Enum(u32),
    Option(Box<Type>),
    Result(Option<Box<Type>>, Option<Box<Type>>),
    Flags(usize),
    Handle,
    Stream,
}

/// A value. Floats are stored as bits, so that a NaN equals itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    U8(u8),
    S8(i8),
    U16(u16),
    S16(i16),
    U32(u32),
    S32(i32),
    U64(u64),
    S64(i64),
    F32(u32),
    F64(u64),
    Char(char),
    String(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Variant(u32, Option<Box<Value>>),
    Enum(u32),
    Option(Option<Box<Value>>),
    Result(Result<Option<Box<Value>>, Option<Box<Value>>>),
    Flags(Vec<bool>),
    Handle(u32),
    Stream(u32),
}

/// The encoded value.
pub(crate) fn encode(ty: &Type, value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes, usize::MAX), ty, value).expect("it fits");
    bytes
}

pub(crate) fn write(
    encoder: &mut Encoder<'_>,
    ty: &Type,
    value: &Value,
) -> Result<(), EncodeError> {
    match (ty, value) {
        (_, Value::Bool(value)) => encoder.bool(*value),
        (_, Value::U8(value)) => encoder.u8(*value),
        (_, Value::S8(value)) => encoder.s8(*value),
        (_, Value::U16(value)) => encoder.u16(*value),
        (_, Value::S16(value)) => encoder.s16(*value),
        (_, Value::U32(value)) => encoder.u32(*value),
        (_, Value::S32(value)) => encoder.s32(*value),
        (_, Value::U64(value)) => encoder.u64(*value),
        (_, Value::S64(value)) => encoder.s64(*value),
        (_, Value::F32(bits)) => encoder.f32(f32::from_bits(*bits)),
        (_, Value::F64(bits)) => encoder.f64(f64::from_bits(*bits)),
        (_, Value::Char(value)) => encoder.char(*value),
        (_, Value::String(value)) => encoder.string(value),
        (_, Value::Bytes(value)) => encoder.bytes(value),
        (_, Value::Handle(value)) => encoder.handle(*value),
        (_, Value::Stream(value)) => encoder.stream(*value),
        (Type::Enum(cases), Value::Enum(case)) => encoder.discriminant(*case, *cases),
        (Type::Flags(count), Value::Flags(flags)) => {
            let set = flags.iter().enumerate().filter(|(_, set)| **set);
            encoder.flags(*count, set.map(|(index, _)| index))
        }
        _ => write_container(encoder, ty, value),
    }
}

fn write_container(encoder: &mut Encoder<'_>, ty: &Type, value: &Value) -> Result<(), EncodeError> {
    match (ty, value) {
        (Type::List(ty), Value::List(elements)) => {
            encoder.list(elements.len())?;
            elements
                .iter()
                .try_for_each(|element| write(encoder, ty, element))
        }
        (Type::Tuple(types), Value::Tuple(fields)) => types
            .iter()
            .zip(fields)
            .try_for_each(|(ty, field)| write(encoder, ty, field)),
        (Type::Variant(cases), Value::Variant(case, payload)) => {
            encoder.discriminant(*case, cases.len() as u32)?;
            write_payload(encoder, cases[*case as usize].as_ref(), payload.as_deref())
        }
        (_, Value::Option(None)) => encoder.none(),
        (Type::Option(ty), Value::Option(Some(value))) => {
            encoder.some()?;
            write(encoder, ty, value)
        }
        (Type::Result(ty, _), Value::Result(Ok(payload))) => {
            encoder.ok()?;
            write_payload(encoder, ty.as_deref(), payload.as_deref())
        }
        (Type::Result(_, ty), Value::Result(Err(payload))) => {
            encoder.err()?;
            write_payload(encoder, ty.as_deref(), payload.as_deref())
        }
        _ => panic!("{value:?} is not a value of {ty:?}"),
    }
}

fn write_payload(
    encoder: &mut Encoder<'_>,
    ty: Option<&Type>,
    payload: Option<&Value>,
) -> Result<(), EncodeError> {
    match (ty, payload) {
        (Some(ty), Some(payload)) => write(encoder, ty, payload),
        _ => Ok(()),
    }
}

/// Decodes a value from all bytes of the decoder.
pub(crate) fn decode(ty: &Type, mut decoder: Decoder<'_>) -> Result<Value, DecodeError> {
    let value = read(&mut decoder, ty)?;
    decoder.finish()?;
    Ok(value)
}

pub(crate) fn read(decoder: &mut Decoder<'_>, ty: &Type) -> Result<Value, DecodeError> {
    Ok(match ty {
        Type::Scalar(Scalar::Bool) => Value::Bool(decoder.bool()?),
        Type::Scalar(Scalar::U8) => Value::U8(decoder.u8()?),
        Type::Scalar(Scalar::S8) => Value::S8(decoder.s8()?),
        Type::Scalar(Scalar::U16) => Value::U16(decoder.u16()?),
        Type::Scalar(Scalar::S16) => Value::S16(decoder.s16()?),
        Type::Scalar(Scalar::U32) => Value::U32(decoder.u32()?),
        Type::Scalar(Scalar::S32) => Value::S32(decoder.s32()?),
        Type::Scalar(Scalar::U64) => Value::U64(decoder.u64()?),
        Type::Scalar(Scalar::S64) => Value::S64(decoder.s64()?),
        Type::Scalar(Scalar::F32) => Value::F32(decoder.f32()?.to_bits()),
        Type::Scalar(Scalar::F64) => Value::F64(decoder.f64()?.to_bits()),
        Type::Scalar(Scalar::Char) => Value::Char(decoder.char()?),
        Type::String => Value::String(decoder.string()?.to_owned()),
        Type::Bytes => Value::Bytes(decoder.bytes()?.to_owned()),
        Type::Enum(cases) => Value::Enum(decoder.discriminant(*cases)?),
        Type::Flags(count) => {
            let flags = decoder.flags(*count)?;
            Value::Flags((0..*count).map(|index| flags.is_set(index)).collect())
        }
        Type::Handle => Value::Handle(decoder.handle()?),
        Type::Stream => Value::Stream(decoder.stream()?),
        _ => {
            decoder.enter()?;
            let value = read_container(decoder, ty)?;
            decoder.leave();
            value
        }
    })
}

fn read_container(decoder: &mut Decoder<'_>, ty: &Type) -> Result<Value, DecodeError> {
    Ok(match ty {
        Type::List(ty) => {
            let length = decoder.list(1)?;
            let mut elements = Vec::with_capacity(length);
            for _ in 0..length {
                elements.push(read(decoder, ty)?);
            }
            Value::List(elements)
        }
        Type::Tuple(types) => {
            decoder.charge(types.len() as u64)?;
            let fields = types.iter().map(|ty| read(decoder, ty));
            Value::Tuple(fields.collect::<Result<_, _>>()?)
        }
        Type::Variant(cases) => {
            let case = decoder.discriminant(cases.len() as u32)?;
            Value::Variant(case, read_payload(decoder, cases[case as usize].as_ref())?)
        }
        Type::Option(ty) => Value::Option(match decoder.is_some()? {
            true => read_payload(decoder, Some(ty))?,
            false => None,
        }),
        Type::Result(ok, err) => Value::Result(match decoder.is_ok()? {
            true => Ok(read_payload(decoder, ok.as_deref())?),
            false => Err(read_payload(decoder, err.as_deref())?),
        }),
        _ => panic!("{ty:?} contains nothing"),
    })
}

fn read_payload(
    decoder: &mut Decoder<'_>,
    ty: Option<&Type>,
) -> Result<Option<Box<Value>>, DecodeError> {
    let Some(ty) = ty else { return Ok(None) };
    decoder.charge(1)?;
    Ok(Some(Box::new(read(decoder, ty)?)))
}
