//! Encodes dynamic values into bytes.

use wasmtime::component::Val;
use weft_wire::{Encoder, MAX_VALUE_BYTES, Scalar, for_each_scalar};

use super::{CodecError, Shape, StreamTransfer};

/// Encodes the parameters or the results of a function, one after another.
///
/// # Errors
/// If the values do not match the shapes, or exceed the limits of the other end. Streams and
/// futures before the error have been sent then.
pub(crate) fn encode(
    values: &[Val],
    shapes: &[Shape],
    transfer: &mut dyn StreamTransfer,
) -> Result<Vec<u8>, CodecError> {
    if values.len() != shapes.len() {
        return Err(CodecError::Count {
            expected: shapes.len(),
            found: values.len(),
        });
    }
    let mut bytes = Vec::new();
    let mut writer = Writer {
        encoder: Encoder::new(&mut bytes, MAX_VALUE_BYTES),
        transfer,
    };
    for (value, shape) in values.iter().zip(shapes) {
        writer.write(value, shape)?;
    }
    Ok(bytes)
}

struct Writer<'a> {
    encoder: Encoder<'a>,
    transfer: &'a mut dyn StreamTransfer,
}

impl Writer<'_> {
    // Recurses as deep as the shape, whose depth the component tools bound.
    fn write(&mut self, value: &Val, shape: &Shape) -> Result<(), CodecError> {
        match (shape, value) {
            (Shape::Scalar(scalar), value) => write_scalar(&mut self.encoder, *scalar, value)?,
            (Shape::String, Val::String(value)) => self.encoder.string(value)?,
            (Shape::List { element, .. }, Val::List(values)) => {
                self.encoder.list(values.len())?;
                for value in values {
                    self.write(value, element)?;
                }
            }
            (Shape::Map { entry, .. }, Val::Map(entries)) => {
                self.encoder.list(entries.len())?;
                for (key, value) in entries {
                    self.write(key, &entry.0)?;
                    self.write(value, &entry.1)?;
                }
            }
            (Shape::Record(fields), Val::Record(values)) => {
                same_count(fields.len(), values.len())?;
                for ((name, shape), (found, value)) in fields.iter().zip(values) {
                    if name != found {
                        return Err(wrong("the fields of a record in their order"));
                    }
                    self.write(value, shape)?;
                }
            }
            (Shape::Tuple(members), Val::Tuple(values)) => {
                same_count(members.len(), values.len())?;
                for (shape, value) in members.iter().zip(values) {
                    self.write(value, shape)?;
                }
            }
            (Shape::Option(_), Val::Option(None)) => self.encoder.none()?,
            (Shape::Option(shape), Val::Option(Some(value))) => {
                self.encoder.some()?;
                self.write(value, shape)?;
            }
            (Shape::Result { ok, .. }, Val::Result(Ok(value))) => {
                self.encoder.ok()?;
                self.write_payload(value.as_deref(), ok.as_deref())?;
            }
            (Shape::Result { err, .. }, Val::Result(Err(value))) => {
                self.encoder.err()?;
                self.write_payload(value.as_deref(), err.as_deref())?;
            }
            (Shape::Variant(cases), Val::Variant(name, value)) => {
                let names = cases.iter().map(|(name, _)| name);
                let case = self.write_case(name, names, cases.len())?;
                self.write_payload(value.as_deref(), cases[case].1.as_ref())?;
            }
            (Shape::Enum(names), Val::Enum(name)) => {
                self.write_case(name, names.iter(), names.len())?;
            }
            (Shape::Flags(names), Val::Flags(set)) => self.write_flags(names, set)?,
            (Shape::Stream(element), Val::Stream(stream)) => {
                let number = self.transfer.give_stream(stream, *element)?;
                self.encoder.stream(number)?;
            }
            (Shape::Future(of), Val::Future(future)) => {
                let number = self.transfer.give_future(future, *of)?;
                self.encoder.stream(number)?;
            }
            (shape, _) => return Err(wrong(&shape.name())),
        }
        Ok(())
    }

    fn write_payload(
        &mut self,
        value: Option<&Val>,
        shape: Option<&Shape>,
    ) -> Result<(), CodecError> {
        match (value, shape) {
            (Some(value), Some(shape)) => self.write(value, shape),
            (None, None) => Ok(()),
            (Some(_), None) => Err(wrong("a case without a payload")),
            (None, Some(_)) => Err(wrong("a case with a payload")),
        }
    }

    fn write_case<'n>(
        &mut self,
        name: &str,
        mut names: impl Iterator<Item = &'n String>,
        count: usize,
    ) -> Result<usize, CodecError> {
        let case = names.position(|case| case == name);
        let case = case.ok_or_else(|| wrong("a case of the type"))?;
        let number = |case: usize| u32::try_from(case).map_err(|_| wrong("a case of the type"));
        self.encoder.discriminant(number(case)?, number(count)?)?;
        Ok(case)
    }

    fn write_flags(&mut self, names: &[String], set: &[String]) -> Result<(), CodecError> {
        let index = |flag: &String| {
            let index = names.iter().position(|name| name == flag);
            index.ok_or_else(|| wrong("a flag of the type"))
        };
        let set: Vec<usize> = set.iter().map(index).collect::<Result<_, _>>()?;
        Ok(self.encoder.flags(names.len(), set)?)
    }
}

fn same_count(expected: usize, found: usize) -> Result<(), CodecError> {
    if expected == found {
        Ok(())
    } else {
        Err(CodecError::Count { expected, found })
    }
}

macro_rules! scalar_writer {
    ($($scalar:ident: $ty:ty, $name:ident;)*) => {
        fn write_scalar(
            encoder: &mut Encoder<'_>,
            scalar: Scalar,
            value: &Val,
        ) -> Result<(), CodecError> {
            use Val::{Float32 as F32, Float64 as F64, *};
            match (scalar, value) {
                $((Scalar::$scalar, $scalar(value)) => encoder.$name(*value)?,)*
                _ => return Err(wrong(&Shape::Scalar(scalar).name())),
            }
            Ok(())
        }
    };
}

for_each_scalar!(scalar_writer);

fn wrong(expected: &str) -> CodecError {
    let expected = expected.to_owned();
    CodecError::Value { expected }
}

impl Shape {
    /// The kind of a value of this shape, for messages.
    fn name(&self) -> String {
        let name = match self {
            Self::Scalar(scalar) => {
                let article = if scalar.name().starts_with(['s', 'f']) {
                    "an"
                } else {
                    "a"
                };
                return format!("{article} `{scalar}`");
            }
            Self::String => "a `string`",
            Self::List { .. } => "a `list`",
            Self::Map { .. } => "a `map`",
            Self::Record(_) => "a record",
            Self::Tuple(_) => "a `tuple`",
            Self::Variant(_) => "a variant",
            Self::Enum(_) => "an enum",
            Self::Option(_) => "an `option`",
            Self::Result { .. } => "a `result`",
            Self::Flags(_) => "flags",
            Self::Stream(_) => "a `stream`",
            Self::Future(_) => "a `future`",
        };
        name.to_owned()
    }
}
