//! Links from the location of a result to the operation that reads it.

use serde_json::{Map, Value, json};
use weft_json::{Kind, Names, Type};
use weft_lattice_config::template::{LocationTemplate, Method, PathTemplate, Segment, ValuePath};

use super::path_names::PathNames;
use crate::api::Api;
use crate::operation::Operation;
use crate::outcome::Output;

/// The links of the responses of an operation, by the ids of their targets.
pub(super) fn of(
    api: &Api,
    operation: &Operation,
    (ids, names): (&[String], &PathNames),
) -> Map<String, Value> {
    let (Some(location), Output::Value(result)) = (&operation.location, operation.output()) else {
        return Map::new();
    };
    let targets = api.operations().iter().zip(ids);
    let readers = targets.filter(|(target, _)| target.request().method == Method::Get);
    let links = readers.filter_map(|(target, id)| {
        let path = &target.request().path;
        let values = values(location, path, result, api.settings().names)?;
        let names = names.of(path).iter().cloned();
        let parameters: Map<_, _> = names.zip(values).collect();
        Some((
            id.clone(),
            json!({ "operationId": id, "parameters": parameters }),
        ))
    });
    links.collect()
}

/// The values of a path, if all locations are paths of its template.
fn values(
    location: &LocationTemplate,
    path: &PathTemplate,
    result: &Type,
    names: Names,
) -> Option<Vec<Value>> {
    let location = &location.0.segments;
    if path.rest.is_some() || path.segments.len() != location.len() {
        return None;
    }
    let mut values = Vec::new();
    for (segment, source) in path.segments.iter().zip(location) {
        match (segment, source) {
            (Segment::Literal(left), Segment::Literal(right)) if left == right => {}
            (Segment::Value(_), Segment::Value(source)) => {
                let expression = format!("$response.body{}", fragment(source, result, names));
                values.push(expression.into());
            }
            _ => return None,
        }
    }
    Some(values)
}

/// The fragment of a field of the body; empty for a result that is not a record.
fn fragment(field: &ValuePath, result: &Type, names: Names) -> String {
    let (mut ty, mut fragment) = (result, String::new());
    for name in std::iter::once(&field.root).chain(&field.fields) {
        let Kind::Record(fields) = ty.kind() else {
            break;
        };
        let mut fields = fields.iter();
        let Some(field) = fields.find(|field| field.name.wit() == name.as_str()) else {
            break;
        };
        let start = if fragment.is_empty() { "#" } else { "" };
        fragment += &format!("{start}/{}", field.name.key(names));
        ty = &field.ty;
    }
    fragment
}
