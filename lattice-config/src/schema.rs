//! The JSON Schema of the manifest, generated from the types.

use schemars::SchemaGenerator;
use serde_json::Value;

use crate::app::App;

/// Generates the JSON Schema of `kind: App`, for editors and other tools; committed as
/// `schemas/app.v1alpha1.json`.
///
/// Keys are sorted, because their order otherwise depends on the features of `serde_json`.
#[must_use]
pub fn app_schema() -> Value {
    let mut schema = SchemaGenerator::default()
        .into_root_schema_for::<App>()
        .to_value();
    schema.sort_all_objects();
    schema
}
