//! Decodes bytes into dynamic values.

use wasmtime::component::Val;
use weft_wire::{DecodeError, Decoder, Limits, Scalar, for_each_scalar};

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
            Shape::Scalar(scalar) => read_scalar(decoder, *scalar)?,
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
            Shape::Map { entry, bytes_min } => self.map(entry, *bytes_min)?,
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
                    expected: "a value that contains others".to_owned(),
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

    fn map(&mut self, (key, value): &(Shape, Shape), bytes_min: usize) -> Result<Val, CodecError> {
        let count = self.decoder.list(bytes_min)?;
        // Each entry takes a level, a key and a value, as in a list of tuples.
        self.decoder.enter()?;
        self.decoder.charge(2 * count as u64)?;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push((self.read(key)?, self.read(value)?));
        }
        self.decoder.leave();
        Ok(Val::Map(entries))
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

macro_rules! scalar_reader {
    ($($scalar:ident: $ty:ty, $name:ident;)*) => {
        fn read_scalar(decoder: &mut Decoder<'_>, scalar: Scalar) -> Result<Val, DecodeError> {
            use Val::{Float32 as F32, Float64 as F64, *};
            match scalar {
                $(Scalar::$scalar => decoder.$name().map($scalar),)*
            }
        }
    };
}

for_each_scalar!(scalar_reader);
