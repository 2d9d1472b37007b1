//! From value bytes to a body, along a type.

use weft_wire::{Decoder, Limits, Scalar};

use crate::error::EncodeError;
use crate::settings::{Format, Settings};
use crate::types::{Field, Kind, Type};
use crate::writer::{CborWriter, Full, JsonWriter, Output, Skip, Writer};

/// Writes one value, which is the whole body, and appends it to the output.
///
/// The bytes can be hostile. After an error, the output has a part of the body.
///
/// ```
/// use weft_json::{Format, Interface, Settings, encode};
///
/// let text = "package a:b; interface i {
///     record p { unit-price: u64, note: option<string>, tags: list<string> } f: func() -> p; }";
/// let interface = Interface::from_text(text, "a:b/i")?;
/// let ty = interface.functions[0].result.as_ref().expect("a result");
///
/// let (bytes, mut body) = ([7, 0, 1, 2, b'h', b'i'], Vec::new());
/// encode::value(Format::Json, &bytes, ty, Settings::default(), 100, &mut body)?;
/// assert_eq!(body, br#"{"unitPrice":7,"tags":["hi"]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the bytes are not a value of the type, or the body takes more than `limit` bytes.
pub fn value(
    format: Format,
    bytes: &[u8],
    ty: &Type,
    settings: Settings,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let output = Output::new(out, limit);
    match format {
        Format::Json => {
            let writer = JsonWriter::new(output, settings.int64);
            whole(bytes, ty, settings, writer, limit)
        }
        Format::Cbor => whole(bytes, ty, settings, CborWriter::new(output), limit),
    }
}

/// The case of an encoded variant, enum, option or result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaseValue<'t, 'b> {
    /// The name of the case: in WIT, or `some`, `none`, `ok` or `err`.
    pub name: &'t str,
    /// The type and the value bytes of the payload.
    pub payload: Option<(&'t Type, &'b [u8])>,
}

/// Returns the case of an encoded variant, enum, option or result; `None` for other types. The
/// payload is not checked.
///
/// # Errors
/// If the bytes do not begin with a case of the type.
pub fn case<'t, 'b>(
    ty: &'t Type,
    bytes: &'b [u8],
) -> Result<Option<CaseValue<'t, 'b>>, EncodeError> {
    let mut decoder = Decoder::new(bytes, Limits::LINK)?;
    let (name, payload) = match ty.kind() {
        Kind::Variant(cases) => {
            let case = &cases[decoder.discriminant(count(cases.len()))? as usize];
            (&*case.name, case.ty.as_ref())
        }
        Kind::Enum(cases) => {
            let case = &cases[decoder.discriminant(count(cases.len()))? as usize];
            (&*case.name, None)
        }
        Kind::Option(some) => match decoder.is_some()? {
            true => ("some", Some(some)),
            false => ("none", None),
        },
        Kind::Result { ok, err } => match decoder.is_ok()? {
            true => ("ok", ok.as_ref()),
            false => ("err", err.as_ref()),
        },
        _ => return Ok(None),
    };
    let rest = &bytes[decoder.offset()..];
    let payload = payload.map(|ty| (ty, rest));
    Ok(Some(CaseValue { name, payload }))
}

/// Returns the type and the bytes of a field of an encoded record, along a path of WIT names;
/// `None` if the type has no such field. An empty path is the value itself.
///
/// # Errors
/// If the bytes are not a value of the type up to the field.
pub fn field<'t, 'b>(
    ty: &'t Type,
    bytes: &'b [u8],
    path: &[&str],
) -> Result<Option<(&'t Type, &'b [u8])>, EncodeError> {
    let decoder = Decoder::new(bytes, Limits::LINK)?;
    let mut encoder = Encoder {
        bytes,
        decoder,
        settings: Settings::default(),
        writer: Skip,
        limit: 0,
    };
    let mut ty = ty;
    for name in path {
        let Kind::Record(fields) = ty.kind() else {
            return Ok(None);
        };
        let Some(index) = fields.iter().position(|field| field.name.wit() == *name) else {
            return Ok(None);
        };
        for field in &fields[..index] {
            encoder.value(&field.ty)?;
        }
        ty = &fields[index].ty;
    }
    let start = encoder.decoder.offset();
    encoder.value(ty)?;
    Ok(Some((ty, &bytes[start..encoder.decoder.offset()])))
}

fn whole(
    bytes: &[u8],
    ty: &Type,
    settings: Settings,
    writer: impl Writer,
    limit: usize,
) -> Result<(), EncodeError> {
    let decoder = Decoder::new(bytes, Limits::LINK)?;
    let mut encoder = Encoder {
        bytes,
        decoder,
        settings,
        writer,
        limit,
    };
    encoder.value(ty)?;
    Ok(encoder.decoder.finish()?)
}

struct Encoder<'b, W> {
    bytes: &'b [u8],
    decoder: Decoder<'b>,
    settings: Settings,
    writer: W,
    limit: usize,
}

impl<W: Writer> Encoder<'_, W> {
    /// Writes with the writer; the limit of the output becomes an error.
    fn write(&mut self, write: impl FnOnce(&mut W) -> Result<(), Full>) -> Result<(), EncodeError> {
        let limit = self.limit;
        write(&mut self.writer).map_err(|Full| EncodeError::TooLarge { limit })
    }

    /// Writes a value. The recursion is as deep as the type.
    fn value(&mut self, ty: &Type) -> Result<(), EncodeError> {
        match ty.kind() {
            Kind::Scalar(scalar) => self.scalar(*scalar),
            Kind::String => {
                let text = self.decoder.string()?;
                self.write(|writer| writer.text(text))
            }
            Kind::Bytes => {
                let bytes = self.decoder.bytes()?;
                self.write(|writer| writer.bytes(bytes))
            }
            Kind::Enum(cases) => {
                let case = self.decoder.discriminant(count(cases.len()))?;
                self.write(|writer| writer.text(&cases[case as usize].name))
            }
            Kind::List(element) => {
                let length = self.decoder.list(element.bytes_min())?;
                self.write(|writer| writer.list(length))?;
                for _ in 0..length {
                    self.write(W::element)?;
                    self.value(element)?;
                }
                self.write(W::end_list)
            }
            Kind::Tuple(members) => {
                self.write(|writer| writer.list(members.len()))?;
                for member in members {
                    self.write(W::element)?;
                    self.value(member)?;
                }
                self.write(W::end_list)
            }
            Kind::Map { key, value } => {
                let bytes_min = key.bytes_min() + value.bytes_min();
                let length = self.decoder.list(bytes_min)?;
                self.write(|writer| writer.object(Some(length)))?;
                for _ in 0..length {
                    self.map_key(key)?;
                    self.value(value)?;
                }
                self.write(|writer| writer.end_object(Some(length)))
            }
            Kind::Record(fields) => self.record(fields),
            Kind::Flags(flags) => {
                let values = self.decoder.flags(flags.len())?;
                let (length, names) = (Some(flags.len()), self.settings.names);
                self.write(|writer| {
                    writer.object(length)?;
                    for (index, flag) in flags.iter().enumerate() {
                        writer.key(flag.name.key(names))?;
                        writer.bool(values.is_set(index))?;
                    }
                    writer.end_object(length)
                })
            }
            Kind::Option(some) if ty.is_nullable() => match self.decoder.is_some()? {
                true => self.value(some),
                false => self.write(W::null),
            },
            Kind::Variant(_) | Kind::Option(_) | Kind::Result { .. } => self.tagged(ty),
            Kind::Stream(_) | Kind::Future(_) => Err(EncodeError::Stream),
        }
    }

    fn scalar(&mut self, scalar: Scalar) -> Result<(), EncodeError> {
        let value: i128 = match scalar {
            Scalar::Bool => {
                let value = self.decoder.bool()?;
                return self.write(|writer| writer.bool(value));
            }
            Scalar::F32 => {
                let value = self.decoder.f32()?;
                return self.write(|writer| writer.single(value));
            }
            Scalar::F64 => {
                let value = self.decoder.f64()?;
                return self.write(|writer| writer.double(value));
            }
            Scalar::Char => {
                let value = self.decoder.char()?;
                return self.write(|writer| writer.text(value.encode_utf8(&mut [0; 4])));
            }
            integer => self.integer(integer)?,
        };
        let is_wide = crate::number::is_wide(scalar);
        self.write(|writer| writer.integer(value, is_wide))
    }

    /// Reads an integer; zero for other types.
    fn integer(&mut self, scalar: Scalar) -> Result<i128, EncodeError> {
        let decoder = &mut self.decoder;
        Ok(match scalar {
            Scalar::U8 => decoder.u8()?.into(),
            Scalar::S8 => decoder.s8()?.into(),
            Scalar::U16 => decoder.u16()?.into(),
            Scalar::S16 => decoder.s16()?.into(),
            Scalar::U32 => decoder.u32()?.into(),
            Scalar::S32 => decoder.s32()?.into(),
            Scalar::U64 => decoder.u64()?.into(),
            Scalar::S64 => decoder.s64()?.into(),
            Scalar::Bool | Scalar::F32 | Scalar::F64 | Scalar::Char => 0,
        })
    }

    fn map_key(&mut self, ty: &Type) -> Result<(), EncodeError> {
        match ty.kind() {
            Kind::Scalar(Scalar::Bool) => {
                let key = self.decoder.bool()?;
                self.write(|writer| writer.bool_key(key))
            }
            Kind::Scalar(Scalar::Char) => {
                let key = self.decoder.char()?;
                self.write(|writer| writer.key(key.encode_utf8(&mut [0; 4])))
            }
            Kind::Scalar(integer) => {
                let key = self.integer(*integer)?;
                self.write(|writer| writer.integer_key(key))
            }
            _ => {
                let key = self.decoder.string()?;
                self.write(|writer| writer.key(key))
            }
        }
    }

    /// Writes a record; an option without a value has no key.
    fn record(&mut self, fields: &[Field]) -> Result<(), EncodeError> {
        let has_optional = fields.iter().any(|field| field.ty.is_nullable());
        let length = (!has_optional).then_some(fields.len());
        self.write(|writer| writer.object(length))?;
        let names = self.settings.names;
        for field in fields {
            self.key_and_value(field.name.key(names), &field.ty)?;
        }
        self.write(|writer| writer.end_object(length))
    }

    fn key_and_value(&mut self, key: &str, ty: &Type) -> Result<(), EncodeError> {
        let is_none = self.bytes.get(self.decoder.offset()) == Some(&0);
        if is_none && ty.is_nullable() {
            self.decoder.is_some()?;
            return Ok(());
        }
        self.write(|writer| writer.key(key))?;
        self.value(ty)
    }

    fn tagged(&mut self, ty: &Type) -> Result<(), EncodeError> {
        let Some(cases) = ty.tagged() else {
            return self.write(W::null);
        };
        let discriminant = self.decoder.discriminant(count(cases.count()))?;
        let Some((name, payload)) = cases.get(discriminant as usize) else {
            return self.write(W::null);
        };
        let length = match payload {
            Some(payload) if payload.is_nullable() => None,
            Some(_) => Some(2),
            None => Some(1),
        };
        self.write(|writer| {
            writer.object(length)?;
            writer.key("tag")?;
            writer.text(name)
        })?;
        if let Some(payload) = payload {
            self.key_and_value("val", payload)?;
        }
        self.write(|writer| writer.end_object(length))
    }
}

/// Types have fewer cases than a `u32` counts.
fn count(cases: usize) -> u32 {
    u32::try_from(cases).unwrap_or(u32::MAX)
}
