//! The responses of an operation.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};
use weft_json::{Kind, Type};
use weft_lattice_config::template::Method;

use super::path_names::PathNames;
use super::schemas::Schemas;
use super::{bodies, links};
use crate::api::Api;
use crate::operation::Operation;
use crate::outcome::{ErrorOutput, ErrorRule, Output, guest_problem_kind, title};
use crate::problem::{INPUT_ERRORS_MAX, PROBLEM_JSON};

const PROBLEM_REFERENCE: &str = "#/components/responses/problem";

/// The key of the schema of problems of the host. No name in WIT has a dot.
const PROBLEM_KEY: &str = "host.problem";

/// The responses by their status. All others are problems of the host.
pub(super) fn of(
    api: &Api,
    operation: &Operation,
    targets: (&[String], &PathNames),
    schemas: &Schemas,
) -> Value {
    let mut responses = error_responses(operation, schemas);
    let status = match operation.socket() {
        Some(_) => {
            let reference = json!({ "$ref": PROBLEM_REFERENCE });
            responses.entry("426").or_insert(reference);
            StatusCode::SWITCHING_PROTOCOLS
        }
        None => operation.outcome.status,
    };
    let status = status.as_str().to_owned();
    responses.insert(status, success(api, operation, targets, schemas));
    if has_etag(operation) {
        let unchanged = json!({ "description": "The value has the tag of `if-none-match`." });
        responses.insert("304".to_owned(), unchanged);
    }
    for status in ["400", "404", "default"] {
        if is_of_host(operation, status) {
            let reference = json!({ "$ref": PROBLEM_REFERENCE });
            responses.entry(status).or_insert(reference);
        }
    }
    responses.into()
}

/// True if the host itself responds with the status, too.
fn is_of_host(operation: &Operation, status: &str) -> bool {
    match status {
        "404" => operation.outcome.is_none_missing,
        "426" => operation.socket().is_some(),
        "400" | "406" | "413" | "415" | "500" | "502" | "503" | "504" | "default" => true,
        _ => false,
    }
}

fn has_etag(operation: &Operation) -> bool {
    operation.request().method == Method::Get
        && matches!(operation.output(), Output::Value(_) | Output::Bytes)
}

fn success(
    api: &Api,
    operation: &Operation,
    targets: (&[String], &PathNames),
    schemas: &Schemas,
) -> Value {
    let description = match operation.output() {
        Output::None => "Done.",
        Output::Value(ty) => ty.docs().unwrap_or("The result."),
        Output::Stream(_) if operation.socket().is_some() => {
            "The connection is a WebSocket from now on."
        }
        Output::Bytes | Output::Stream(_) => "The result.",
    };
    let mut response = json!({ "description": description });
    if let Some(content) = bodies::response(operation, schemas) {
        response["content"] = content;
    }
    let mut headers = Map::new();
    if operation.location.is_some() {
        let location = json!({
            "description": "The location of the result.",
            "schema": { "type": "string", "format": "uri-reference" },
        });
        headers.insert("location".to_owned(), location);
    }
    if has_etag(operation) {
        let tag = json!({
            "description": "A tag of the value, for `if-none-match`.",
            "schema": { "type": "string" },
        });
        headers.insert("etag".to_owned(), tag);
    }
    if !headers.is_empty() {
        response["headers"] = headers.into();
    }
    let links = links::of(api, operation, targets);
    if !links.is_empty() {
        response["links"] = links.into();
    }
    response
}

// === errors ===

/// A case of the error of a function, or all of its errors.
#[derive(Default)]
struct ErrorForm<'t> {
    case: Option<&'t str>,
    docs: Option<&'t str>,
    payload: Option<&'t Type>,
}

impl ErrorForm<'_> {
    fn title(&self) -> String {
        title(self.docs, self.case.unwrap_or("failed"))
    }
}

fn error_responses(operation: &Operation, schemas: &Schemas) -> Map<String, Value> {
    let mut by_status: BTreeMap<&str, Vec<(String, Value)>> = BTreeMap::new();
    if let Some(errors) = &operation.outcome.errors {
        for (index, form) in error_forms(errors).into_iter().enumerate() {
            let rule = errors.rules.rule(index);
            let schema = error_schema(operation, errors, (rule, &form), schemas);
            let reference = schemas.problem(&error_key(operation, errors, &form, schemas), schema);
            let status = errors.rules.status_text(index);
            by_status
                .entry(status)
                .or_default()
                .push((form.title(), reference));
        }
    }
    let responses = by_status.into_iter().map(|(status, forms)| {
        let (titles, mut forms): (Vec<_>, Vec<_>) = forms.into_iter().unzip();
        if is_of_host(operation, status) {
            forms.push(problem_reference(schemas));
        }
        let schema = match forms.len() {
            1 => forms.remove(0),
            _ => json!({ "anyOf": forms }),
        };
        let content = problem_content(&schema);
        let response = json!({ "description": titles.join("; "), "content": content });
        (status.to_owned(), response)
    });
    responses.collect()
}

/// The key of the schema of an error. The errors of a named type are those of all its functions.
fn error_key(
    operation: &Operation,
    errors: &ErrorOutput,
    form: &ErrorForm<'_>,
    schemas: &Schemas,
) -> String {
    match (errors.ty.as_ref().and_then(Type::name), form.case) {
        (Some(name), Some(case)) => format!("{}.{case}", schemas.key(name)),
        (Some(name), None) => format!("{}.error", schemas.key(name)),
        (None, _) => format!("function.{}.error", operation.function()),
    }
}

fn error_forms(errors: &ErrorOutput) -> Vec<ErrorForm<'_>> {
    let Some(ty) = &errors.ty else {
        return vec![ErrorForm::default()];
    };
    match ty.kind() {
        Kind::Variant(cases) => {
            let forms = cases.iter().map(|case| ErrorForm {
                case: Some(&case.name),
                docs: case.docs.as_deref(),
                payload: case.ty.as_ref(),
            });
            forms.collect()
        }
        Kind::Enum(cases) => {
            let forms = cases.iter().map(|case| ErrorForm {
                case: Some(&case.name),
                docs: case.docs.as_deref(),
                payload: None,
            });
            forms.collect()
        }
        _ => vec![ErrorForm {
            case: None,
            docs: ty.docs(),
            payload: Some(ty),
        }],
    }
}

fn error_schema(
    operation: &Operation,
    errors: &ErrorOutput,
    (rule, form): (ErrorRule, &ErrorForm<'_>),
    schemas: &Schemas,
) -> Value {
    let kind = guest_problem_kind(operation, errors.ty.as_ref(), form.case);
    let mut properties = json!({
        "type": { "const": kind },
        "title": { "type": "string" },
        "status": { "const": rule.status.as_u16() },
    });
    let mut required = vec!["type", "title", "status"];
    if let Some(case) = form.case {
        properties["case"] = json!({ "const": case });
        required.push("case");
    }
    if let Some(payload) = form.payload.filter(|_| !rule.is_hidden) {
        properties["value"] = schemas.mention(payload);
        required.push("value");
    }
    let mut schema = json!({
        "type": "object",
        "title": form.title(),
        "properties": properties,
        "required": required,
    });
    if let Some(docs) = form.docs {
        schema["description"] = docs.into();
    }
    schema
}

// === problems of the host ===

/// The response of the host itself.
pub(super) fn problem(schemas: &Schemas) -> Value {
    json!({
        "description": "A problem document (RFC 9457) of the host.",
        "content": problem_content(&problem_reference(schemas)),
    })
}

fn problem_reference(schemas: &Schemas) -> Value {
    schemas.problem(PROBLEM_KEY, problem_schema())
}

fn problem_content(schema: &Value) -> Value {
    json!({ PROBLEM_JSON: { "schema": schema } })
}

fn problem_schema() -> Value {
    let item = json!({
        "type": "object",
        "properties": {
            "in": { "enum": ["path", "query", "header", "body"] },
            "name": { "type": "string" },
            "pointer": { "type": "string", "format": "json-pointer" },
            "expected": { "type": "string" },
            "found": { "type": "string" },
        },
        "required": ["in", "expected", "found"],
    });
    json!({
        "type": "object",
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "case": { "type": "string" },
            "errors": { "type": "array", "items": item, "maxItems": INPUT_ERRORS_MAX },
        },
        "required": ["type", "title", "status"],
    })
}
