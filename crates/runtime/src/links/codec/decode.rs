//! Decodes bytes into dynamic values.

use wasmtime::component::Val;
use weft_wire::{Decoder, Limits};

use super::{CodecError, Shape, StreamTransfer};

/// Decodes the parameters or the results of a function, one after another, to the last byte.
///
/// # Errors
/// If the bytes do not match the shapes, or exceed the limits of links. Streams and futures before
/// the error have been taken then.
pub(crate) fn decode(
    bytes: &[u8],
    shapes: &[Shape],
    transfer: &mut dyn StreamTransfer,
) -> Result<Vec<Val>, CodecError> {
    let mut reader = Reader {
        decoder: Decoder::new(bytes, Limits::LINK)?,
        transfer,
    };
    let values = reader.all(shapes)?;
    reader.decoder.finish()?;
    Ok(values)
}

struct Reader<'a> {
    decoder: Decoder<'a>,
    transfer: &'a mut dyn StreamTransfer,
}

impl Reader<'_> {
    fn read(&mut self, shape: &Shape) -> Result<Val, CodecError> {
        let decoder = &mut self.decoder;
        Ok(match shape {
            Shape::Bool => Val::Bool(decoder.bool()?),
            Shape::U8 => Val::U8(decoder.u8()?),
            Shape::S8 => Val::S8(decoder.s8()?),
            Shape::U16 => Val::U16(decoder.u16()?),
            Shape::S16 => Val::S16(decoder.s16()?),
            Shape::U32 => Val::U32(decoder.u32()?),
            Shape::S32 => Val::S32(decoder.s32()?),
            Shape::U64 => Val::U64(decoder.u64()?),
            Shape::S64 => Val::S64(decoder.s64()?),
            Shape::F32 => Val::Float32(decoder.f32()?),
            Shape::F64 => Val::Float64(decoder.f64()?),
            Shape::Char => Val::Char(decoder.char()?),
            Shape::String => Val::String(decoder.string()?.to_owned()),
            Shape::Enum(names) => Val::Enum(names[self.case(names.len())?].clone()),
            Shape::Flags(names) => self.flags(names)?,
            Shape::Stream(element) => {
                let number = decoder.stream()?;
                Val::Stream(self.transfer.take_stream(number, *element)?)
            }
            Shape::Future(value) => {
                let number = decoder.stream()?;
                Val::Future(self.transfer.take_future(number, *value)?)
            }
            composite => self.nested(composite)?,
        })
    }

    /// Decodes a value that contains others.
    fn nested(&mut self, shape: &Shape) -> Result<Val, CodecError> {
        self.decoder.enter()?;
        let value = match shape {
            Shape::List { element, bytes_min } => self.list(element, *bytes_min)?,
            Shape::Record(fields) => self.record(fields)?,
            Shape::Tuple(members) => Val::Tuple(self.all(members)?),
            Shape::Variant(cases) => {
                let case = self.case(cases.len())?;
                let (name, payload) = &cases[case];
                Val::Variant(name.clone(), self.payload(payload.as_ref())?)
            }
            Shape::Option(some) => match self.decoder.is_some()? {
                true => Val::Option(self.payload(Some(some))?),
                false => Val::Option(None),
            },
            Shape::Result { ok, err } => Val::Result(match self.decoder.is_ok()? {
                true => Ok(self.payload(ok.as_deref())?),
                false => Err(self.payload(err.as_deref())?),
            }),
            // The remaining shapes contain no values.
            _ => {
                return Err(CodecError::Value {
                    expected: "a value that contains others",
                });
            }
        };
        self.decoder.leave();
        Ok(value)
    }

    fn list(&mut self, element: &Shape, bytes_min: usize) -> Result<Val, CodecError> {
        // Checked and charged by the decoder: the remaining bytes can hold this many.
        let count = self.decoder.list(bytes_min)?;
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.read(element)?);
        }
        Ok(Val::List(values))
    }

    fn record(&mut self, fields: &[(String, Shape)]) -> Result<Val, CodecError> {
        // Each field takes a value and a name.
        self.decoder.charge(2 * fields.len() as u64)?;
        let mut values = Vec::with_capacity(fields.len());
        for (name, shape) in fields {
            values.push((name.clone(), self.read(shape)?));
        }
        Ok(Val::Record(values))
    }

    fn all(&mut self, shapes: &[Shape]) -> Result<Vec<Val>, CodecError> {
        self.decoder.charge(shapes.len() as u64)?;
        let mut values = Vec::with_capacity(shapes.len());
        for shape in shapes {
            values.push(self.read(shape)?);
        }
        Ok(values)
    }

    fn payload(&mut self, shape: Option<&Shape>) -> Result<Option<Box<Val>>, CodecError> {
        let Some(shape) = shape else {
            return Ok(None);
        };
        self.decoder.charge(1)?;
        Ok(Some(Box::new(self.read(shape)?)))
    }

    fn case(&mut self, count: usize) -> Result<usize, CodecError> {
        // For the name of the case.
        self.decoder.charge(1)?;
        let cases = u32::try_from(count).unwrap_or(u32::MAX);
        // Below the number of cases, so it is an index.
        Ok(self.decoder.discriminant(cases)? as usize)
    }

    fn flags(&mut self, names: &[String]) -> Result<Val, CodecError> {
        let flags = self.decoder.flags(names.len())?;
        let set = names.iter().enumerate();
        let set = set.filter(|(index, _)| flags.is_set(*index));
        let set: Vec<String> = set.map(|(_, name)| name.clone()).collect();
        // A flag is encoded as a bit and decoded as a name.
        self.decoder.charge(set.len() as u64)?;
        Ok(Val::Flags(set))
    }
}
