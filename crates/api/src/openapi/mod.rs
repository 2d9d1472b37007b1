//! The OpenAPI 3.1 document of an API, as JSON.
//!
//! The document is the same for the same route and interface: objects are sorted by their keys.

mod bodies;
mod links;
mod parameters;
mod path_names;
mod responses;
pub(crate) mod schemas;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use weft_json::{Names, camel_case};

use self::path_names::PathNames;
use self::schemas::Schemas;
use crate::api::Api;
use crate::operation::Operation;
use crate::outcome::title;

/// The version of the specification.
const OPENAPI: &str = "3.1.0";

/// The version of an API whose interface has none; a document must have one.
const NO_VERSION: &str = "0.0.0";

/// The place of the definitions of types.
const DEFINITIONS: &str = "#/components/schemas/";

impl Api {
    /// The OpenAPI document of the operations.
    #[must_use]
    pub fn openapi(&self) -> Value {
        let (schemas, ids) = (Schemas::new(self, DEFINITIONS), operation_ids(self));
        let names = PathNames::new(self);
        let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for (operation, id) in self.operations().iter().zip(&ids) {
            let template = operation.request();
            let method = template.method.as_str().to_ascii_lowercase();
            let item = paths.entry(names.path(&template.path)).or_default();
            let context = (&ids[..], &names, &schemas);
            item.insert(method, self.operation_object(operation, id, context));
        }
        let problem = responses::problem(&schemas);
        let mut document = json!({
            "openapi": OPENAPI,
            "info": self.info(),
            "paths": paths,
            "components": {
                "schemas": schemas.definitions(),
                "responses": { "problem": problem },
            },
        });
        if self.prefix().as_str() != "/" {
            document["servers"] = json!([{ "url": self.prefix().as_str() }]);
        }
        document.sort_all_objects();
        document
    }

    fn info(&self) -> Value {
        let name = &*self.interface().name;
        let (name, version) = name.split_once('@').unwrap_or((name, NO_VERSION));
        let mut info = json!({ "title": name, "version": version });
        if let Some(docs) = &self.interface().docs {
            info["description"] = (&**docs).into();
        }
        info
    }

    fn operation_object(
        &self,
        operation: &Operation,
        id: &str,
        (ids, names, schemas): (&[String], &PathNames, &Schemas),
    ) -> Value {
        let docs = operation.function.docs.as_deref();
        let mut object = json!({
            "operationId": id,
            "summary": title(docs, operation.function()),
            "responses": responses::of(self, operation, (ids, names), schemas),
        });
        if let Some(docs) = docs {
            object["description"] = docs.into();
        }
        let parameters = parameters::of(operation, names, schemas);
        if !parameters.is_empty() {
            object["parameters"] = parameters.into();
        }
        if let Some(messages) = operation.socket() {
            object["x-weft-websocket"] = json!({ "messages": messages.name() });
        }
        if let Some(body) = bodies::request(operation, schemas) {
            object["requestBody"] = body;
        }
        object
    }
}

/// The ids of all operations: the names of their functions, with a number for a repeated one.
fn operation_ids(api: &Api) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let ids = api.operations().iter().map(|operation| {
        let count = counts.entry(operation.function()).or_default();
        *count += 1;
        let name = match api.settings().names {
            Names::Camel => camel_case(operation.function()),
            Names::Kebab => operation.function().to_owned(),
        };
        match *count {
            1 => name,
            // No name in WIT has a dot.
            count => format!("{name}.{count}"),
        }
    });
    ids.collect()
}
