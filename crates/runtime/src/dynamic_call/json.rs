//! Values in JSON, as `docs/json.md` describes them: through the bytes of the wire, so that the
//! mapping exists once.

use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{FutureAny, StreamAny, Val};
use weft_json::{
    Argument, Case, DecodeError, EnumCase, Field, Flag, Format, Kind, Name, Param, Settings, Type,
    TypeProblem, decode, encode,
};
use weft_wire::{Limits, MAX_VALUE_BYTES, SimpleType};

use crate::links::codec::{self, CodecError, FunctionShape, FutureValue, Shape, StreamTransfer};

/// The most problems of a body in one message.
const PROBLEMS_SHOWN_MAX: usize = 4;

/// The types of a function, for JSON and for dynamic values.
pub(super) struct JsonTypes {
    parameters: Vec<Param>,
    result: Option<Type>,
    shape: FunctionShape,
}

impl JsonTypes {
    /// Converts the types of a function. They nest no deeper than its caller allows.
    ///
    /// # Errors
    /// The type that JSON cannot carry.
    pub(super) fn new(function: &ComponentFunc) -> Result<Self, String> {
        let shape = FunctionShape::of(function).map_err(|error| error.to_string())?;
        let parameters = function.params().zip(&shape.params);
        let parameters = parameters.map(|((name, _), shape)| {
            Ok(Param {
                name: Name::new(name),
                ty: json_type(shape)?,
            })
        });
        let parameters = parameters.collect::<Result<_, TypeProblem>>();
        let result = shape.results.first().map(json_type).transpose();
        Ok(Self {
            parameters: parameters.map_err(|problem| problem.to_string())?,
            result: result.map_err(|problem| problem.to_string())?,
            shape,
        })
    }

    /// Reads arguments: an object of parameters.
    ///
    /// # Errors
    /// The mistakes of the body, each with its place.
    pub(super) fn read(&self, body: &str) -> Result<Vec<Val>, String> {
        let arguments: Vec<_> = self.parameters.iter().map(Argument::Body).collect();
        let mut bytes = Vec::new();
        let decoded = decode::arguments(
            Format::Json,
            body.as_bytes(),
            &arguments,
            Settings::default(),
            Limits::LINK,
            &mut bytes,
        );
        decoded.map_err(|error| mistakes(&error))?;
        let values = codec::decode(&bytes, &self.shape.params, &mut NoStreams);
        values.map_err(|error| error.to_string())
    }

    /// Writes a result.
    ///
    /// # Errors
    /// If it is too large.
    pub(super) fn write(&self, value: &Val) -> Result<String, String> {
        let Some(ty) = &self.result else {
            return Ok("null".to_owned());
        };
        let values = std::slice::from_ref(value);
        let bytes = codec::encode(values, &self.shape.results, &mut NoStreams);
        let bytes = bytes.map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        let encoded = encode::value(
            Format::Json,
            &bytes,
            ty,
            Settings::default(),
            MAX_VALUE_BYTES,
            &mut text,
        );
        encoded.map_err(|error| error.to_string())?;
        String::from_utf8(text).map_err(|error| error.to_string())
    }
}

/// The first mistakes of a body.
fn mistakes(error: &DecodeError) -> String {
    let DecodeError::Invalid(problems) = error else {
        return error.to_string();
    };
    let shown = problems.iter().take(PROBLEMS_SHOWN_MAX);
    let mut text = shown
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ");
    let hidden = problems.len().saturating_sub(PROBLEMS_SHOWN_MAX);
    if hidden > 0 {
        text += &format!("; and {hidden} more");
    }
    text
}

/// Converts a type. The recursion is as deep as the type, which its caller bounds.
fn json_type(shape: &Shape) -> Result<Type, TypeProblem> {
    let optional = |shape: Option<&Shape>| shape.map(json_type).transpose();
    let kind = match shape {
        Shape::Scalar(scalar) => Kind::Scalar(*scalar),
        Shape::String => Kind::String,
        Shape::List { element, .. } => Kind::list_of(json_type(element)?),
        Shape::Map { entry, .. } => Kind::Map {
            key: json_type(&entry.0)?,
            value: json_type(&entry.1)?,
        },
        Shape::Record(fields) => {
            let fields = fields.iter().map(|(name, shape)| {
                Ok(Field {
                    name: Name::new(name),
                    docs: None,
                    ty: json_type(shape)?,
                })
            });
            Kind::Record(fields.collect::<Result<_, TypeProblem>>()?)
        }
        Shape::Tuple(members) => {
            Kind::Tuple(members.iter().map(json_type).collect::<Result<_, _>>()?)
        }
        Shape::Variant(cases) => {
            let cases = cases.iter().map(|(name, payload)| {
                Ok(Case {
                    name: name.clone(),
                    docs: None,
                    ty: optional(payload.as_ref())?,
                })
            });
            Kind::Variant(cases.collect::<Result<_, TypeProblem>>()?)
        }
        Shape::Enum(names) => {
            let cases = names.iter().map(|name| EnumCase {
                name: name.clone(),
                docs: None,
            });
            Kind::Enum(cases.collect())
        }
        Shape::Option(some) => Kind::Option(json_type(some)?),
        Shape::Result { ok, err } => Kind::Result {
            ok: optional(ok.as_deref())?,
            err: optional(err.as_deref())?,
        },
        Shape::Flags(names) => {
            let flags = names.iter().map(|name| Flag {
                name: Name::new(name),
                docs: None,
            });
            Kind::Flags(flags.collect())
        }
        Shape::Stream(_) | Shape::Future(_) => {
            return Err(TypeProblem::Unsupported {
                found: "a stream or a future".into(),
            });
        }
    };
    Type::unnamed(kind)
}

/// Rejects streams and futures, which no text carries.
struct NoStreams;

/// The reason for which a stream or a future is rejected.
const NO_STREAMS: CodecError = CodecError::Transfer("expected a value with a text form");

impl StreamTransfer for NoStreams {
    fn give_stream(&mut self, _: &StreamAny, _: SimpleType) -> Result<u32, CodecError> {
        Err(NO_STREAMS)
    }

    fn give_future(&mut self, _: &FutureAny, _: FutureValue) -> Result<u32, CodecError> {
        Err(NO_STREAMS)
    }

    fn take_stream(&mut self, _: u32, _: SimpleType) -> Result<StreamAny, CodecError> {
        Err(NO_STREAMS)
    }

    fn take_future(&mut self, _: u32, _: FutureValue) -> Result<FutureAny, CodecError> {
        Err(NO_STREAMS)
    }
}
