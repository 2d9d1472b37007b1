//! The bodies of requests, and of responses with a value.

use serde_json::{Map, Value, json};
use weft_json::{Format, Param, Type};
use weft_wire::{Scalar, SimpleType};

use super::schemas::Schemas;
use crate::inputs::BodyInput;
use crate::media::OCTETS;
use crate::operation::Operation;
use crate::outcome::Output;
use crate::streams::{LINES, StreamFormat};

/// The body of the requests of an operation.
pub(super) fn request(operation: &Operation, schemas: &Schemas) -> Option<Value> {
    Some(match operation.body() {
        BodyInput::None => return None,
        BodyInput::Object(parts) if parts.is_empty() => return None,
        BodyInput::Object(parts) => json!({
            "content": values(&object(parts, schemas)),
            "required": parts.iter().any(|part| part.ty.optional().is_none()),
        }),
        BodyInput::Value(ty) => json!({
            "content": values(&schemas.mention(ty)),
            "required": ty.optional().is_none(),
        }),
        // A request without a body has an empty one, which is no bytes, or an empty stream.
        BodyInput::Bytes => json!({ "content": octets() }),
        BodyInput::Stream(element) => json!({ "content": request_stream(*element) }),
    })
}

/// The body of the responses of an operation that are not errors.
pub(super) fn response(operation: &Operation, schemas: &Schemas) -> Option<Value> {
    match operation.output() {
        Output::None => None,
        Output::Value(ty) => Some(values(&response_schema(operation, ty, schemas))),
        Output::Bytes => Some(octets()),
        Output::Stream(element) => Some(stream(*element)),
    }
}

/// The schema of a value. One that is 404 if it is missing is never missing in a body.
fn response_schema(operation: &Operation, ty: &Type, schemas: &Schemas) -> Value {
    match ty.optional() {
        Some(some) if operation.outcome.is_none_missing && some.optional().is_none() => {
            schemas.mention(some)
        }
        _ => schemas.mention(ty),
    }
}

fn values(schema: &Value) -> Value {
    let content = [Format::Json, Format::Cbor].map(|format| {
        let media_type = format.media_type().to_owned();
        (media_type, json!({ "schema": schema }))
    });
    Value::Object(content.into_iter().collect())
}

fn octets() -> Value {
    json!({ OCTETS: {} })
}

fn request_stream(element: SimpleType) -> Value {
    match element {
        SimpleType::Bytes | SimpleType::Scalar(Scalar::U8) => octets(),
        SimpleType::String | SimpleType::Scalar(_) => json!({ LINES: {} }),
    }
}

fn stream(element: SimpleType) -> Value {
    let formats = StreamFormat::of(element).iter();
    let content = formats.map(|format| (format.media_type().to_owned(), json!({})));
    Value::Object(content.collect())
}

/// The schema of an object of parameters.
fn object(parts: &[Param], schemas: &Schemas) -> Value {
    let names = schemas.settings().names;
    let properties = parts.iter().map(|part| {
        let key = part.name.key(names).to_owned();
        (key, schemas.mention(&part.ty))
    });
    let required = parts.iter().filter(|part| part.ty.optional().is_none());
    let required: Vec<_> = required.map(|part| part.name.key(names)).collect();
    json!({
        "type": "object",
        "properties": properties.collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}
