//! The tools of an API: its functions with the schemas of their parameters and results.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weft_lattice_config::template::Method;

use crate::api::Api;
use crate::openapi::schemas::Schemas;
use crate::operation::Operation;
use crate::outcome::title;

/// The place of the definitions of types in a schema.
const DEFINITIONS: &str = "#/$defs/";

/// The tools of an API.
#[derive(Debug, Clone, PartialEq)]
pub struct Tools {
    list: Vec<Value>,
    /// True for the functions whose results are an object `{"result": …}`, since clients expect
    /// objects.
    is_wrapped: BTreeMap<String, bool>,
}

impl Tools {
    /// The tools of an API, in the order of its operations.
    #[must_use]
    pub fn new(api: &Api) -> Self {
        let (mut list, mut is_wrapped) = (Vec::new(), BTreeMap::new());
        for operation in api.methods() {
            let name = operation.function();
            if is_wrapped.contains_key(name) {
                continue;
            }
            let output = output_schema(api, operation);
            let wrapped = matches!(output, Some((_, true)));
            is_wrapped.insert(name.to_owned(), wrapped);
            list.push(tool(api, operation, output.map(|(schema, _)| schema)));
        }
        Self { list, is_wrapped }
    }

    pub(super) fn list(&self) -> &[Value] {
        &self.list
    }

    pub(super) fn is_wrapped(&self, function: &str) -> bool {
        self.is_wrapped.get(function).copied().unwrap_or_default()
    }
}

fn tool(api: &Api, operation: &Operation, output: Option<Value>) -> Value {
    let docs = operation.function.docs.as_deref();
    let schemas = Schemas::new(api, DEFINITIONS);
    let input = schemas.arguments(&operation.function.params);
    let method = operation.request().method;
    let title = title(docs, operation.function());
    let mut tool = json!({
        "name": operation.function(),
        // Some clients refuse tools without one.
        "description": docs.unwrap_or(&title),
        "title": title,
        "inputSchema": with_definitions(input, &schemas),
        "annotations": {
            "readOnlyHint": method == Method::Get,
            "destructiveHint": method != Method::Get,
            "idempotentHint": operation.is_idempotent(),
        },
    });
    if let Some(output) = output {
        tool["outputSchema"] = output;
    }
    tool.sort_all_objects();
    tool
}

/// The schema of the result, and true if the value is wrapped; `None` without a value.
fn output_schema(api: &Api, operation: &Operation) -> Option<(Value, bool)> {
    let ty = operation.ok_type()?;
    let schemas = Schemas::new(api, DEFINITIONS);
    let full = schemas.full(ty);
    if full["type"] == "object" {
        return Some((with_definitions(full, &schemas), false));
    }
    let wrapped = json!({
        "type": "object",
        "properties": { "result": schemas.mention(ty) },
        "required": ["result"],
        "additionalProperties": false,
    });
    Some((with_definitions(wrapped, &schemas), true))
}

fn with_definitions(mut schema: Value, schemas: &Schemas) -> Value {
    let definitions = schemas.definitions();
    if !definitions.is_empty() {
        schema["$defs"] = definitions.into();
    }
    schema
}
