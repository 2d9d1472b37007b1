//! The parameters of an operation: in its path, its query and its headers.

use serde_json::{Value, json};
use weft_json::text::{self, Bindable};
use weft_json::{Int64, Kind, Settings, Type, schema};
use weft_wire::Scalar;

use super::path_names::PathNames;
use super::schemas::Schemas;
use crate::inputs::{TextInput, TextSource};
use crate::operation::Operation;

/// Headers that a document must not have as parameters.
const NOT_PARAMETERS: [&str; 2] = ["authorization", "content-type"];

/// The texts that can be a segment of a path: those that the host does not refuse.
const SEGMENT_PATTERN: &str = r"^(?!\.{1,2}$)[^\u0000-\u001f\u007f-\u009f/\\]+$";

/// The description of all further segments of a path.
const REST: &str = "All further segments of the path. The slashes between them are not escaped.";

pub(super) fn of(operation: &Operation, names: &PathNames, schemas: &Schemas) -> Vec<Value> {
    let names = names.of(&operation.request().path);
    let texts = operation.inputs.texts.iter();
    texts
        .filter_map(|text| parameter(text, names, schemas))
        .collect()
}

fn parameter(input: &TextInput, names: &[String], schemas: &Schemas) -> Option<Value> {
    let (place, name) = match &input.source {
        TextSource::Segment(index, name) => ("path", names.get(*index).unwrap_or(name)),
        TextSource::Rest(name) => ("path", names.last().unwrap_or(name)),
        TextSource::Query(key) => ("query", key),
        TextSource::Header(lower, _) if NOT_PARAMETERS.contains(&lower.as_str()) => return None,
        TextSource::Header(_, name) => ("header", name),
    };
    let is_required = input.default.is_none() && text::bindable(&input.ty) == Some(Bindable::One);
    let mut parameter = json!({
        "name": name,
        "in": place,
        "required": place == "path" || is_required,
        "schema": input_schema(input, schemas),
    });
    let docs = match &input.source {
        TextSource::Rest(_) => Some(REST),
        _ => input.docs.as_deref(),
    };
    if let Some(docs) = docs {
        parameter["description"] = docs.into();
    }
    Some(parameter)
}

fn input_schema(input: &TextInput, schemas: &Schemas) -> Value {
    match (&input.source, input.ty.kind()) {
        // Clients escape the slashes of a parameter, so they can send one segment alone.
        (TextSource::Rest(_), _) | (TextSource::Segment(..), Kind::String) => {
            json!({ "type": "string", "pattern": SEGMENT_PATTERN })
        }
        (TextSource::Segment(..), Kind::Scalar(Scalar::Char)) => json!({
            "type": "string",
            "minLength": 1,
            "maxLength": 1,
            "pattern": SEGMENT_PATTERN,
        }),
        (_, Kind::List(element)) => {
            json!({ "type": "array", "items": text_schema(element, schemas) })
        }
        (_, Kind::Option(some)) => with_default(text_schema(some, schemas), some, input),
        _ => with_default(text_schema(&input.ty, schemas), &input.ty, input),
    }
}

/// The schema of a single text.
fn text_schema(ty: &Type, schemas: &Schemas) -> Value {
    let Kind::Scalar(_) = ty.kind() else {
        return schemas.mention(ty);
    };
    let settings = Settings {
        int64: Int64::Number,
        ..schemas.settings()
    };
    let mut schema = schema::of(ty, settings, &|name| name.name.clone());
    // A text has no second form of an integer: the first of both is the number.
    let forms = schema.get_mut("anyOf").and_then(Value::as_array_mut);
    match forms.and_then(|forms| forms.first_mut()) {
        Some(number) if number["type"] == "integer" => number.take(),
        _ => schema,
    }
}

fn with_default(mut schema: Value, ty: &Type, input: &TextInput) -> Value {
    let Some(default) = &input.default else {
        return schema;
    };
    let is_json = matches!(ty.kind(), Kind::Scalar(scalar) if *scalar != Scalar::Char);
    let value = serde_json::from_str(default).ok().filter(|_| is_json);
    schema["default"] = value.unwrap_or_else(|| default.as_str().into());
    schema
}
