//! The bodies of requests, and of responses with a value.

use serde_json::{Map, Value, json};
use weft_json::text::{self, Bindable};
use weft_json::{Format, Kind, Param, Type};
use weft_wire::{Scalar, SimpleType};

use super::schemas::Schemas;
use crate::inputs::form::is_bytes;
use crate::inputs::{BodyInput, Form};
use crate::media::OCTETS;
use crate::multipart::FORM;
use crate::operation::Operation;
use crate::outcome::Output;
use crate::streams::{LINES, StreamFormat};

/// The body of the requests of an operation.
pub(super) fn request(operation: &Operation, schemas: &Schemas) -> Option<Value> {
    let mut body = match operation.body() {
        BodyInput::None | BodyInput::Messages(_) => return None,
        BodyInput::Object(parts) if parts.is_empty() => return None,
        BodyInput::Form => json!({ "content": {}, "required": true }),
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
    };
    if let Some(form) = &operation.inputs.form {
        body["content"][FORM] = form_content(form, schemas);
        if let Some(index) = form.stream.filter(|_| form.parts.len() > 1) {
            let name = form.parts[index].name.key(schemas.settings().names);
            let description = format!("`{name}` is the last part of the form.");
            body["description"] = description.into();
        }
    }
    Some(body)
}

/// A form of parts. Values without a text are JSON, which is not what clients send by default for
/// all of them.
fn form_content(form: &Form, schemas: &Schemas) -> Value {
    let names = schemas.settings().names;
    let mut schema = object(&form.parts, schemas);
    // A list of texts is any number of parts.
    let is_required = |part: &&Param| {
        part.ty.optional().is_none() && text::bindable(&part.ty) != Some(Bindable::Many)
    };
    let required = form.parts.iter().filter(is_required);
    schema["required"] = required.map(|part| part.name.key(names)).collect();
    let mut encoding = Map::new();
    for part in &form.parts {
        let key = part.name.key(names);
        if is_file(&part.ty) {
            schema["properties"][key] = json!({ "type": "string", "contentMediaType": OCTETS });
            encoding.insert(key.to_owned(), json!({ "contentType": "*/*" }));
            continue;
        }
        match (text::bindable(&part.ty), part.ty.optional()) {
            (None, _) => {
                let json = Format::Json.media_type();
                encoding.insert(key.to_owned(), json!({ "contentType": json }));
            }
            // A missing text is no `null`.
            (Some(_), Some(some)) => schema["properties"][key] = schemas.mention(some),
            (Some(_), None) => {}
        }
    }
    json!({ "schema": schema, "encoding": encoding })
}

fn is_file(ty: &Type) -> bool {
    is_bytes(ty) || matches!(ty.kind(), Kind::Stream(_))
}

/// The body of the responses of an operation that are not errors.
pub(super) fn response(operation: &Operation, schemas: &Schemas) -> Option<Value> {
    match operation.output() {
        Output::None => None,
        Output::Value(ty) => Some(values(&response_schema(operation, ty, schemas))),
        Output::Bytes => Some(octets()),
        Output::Stream(_) if operation.socket().is_some() => None,
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
