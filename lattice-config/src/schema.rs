//! The JSON Schema of the manifest, made from the types.

use schemars::SchemaGenerator;
use serde_json::Value;

use crate::app::App;

/// The JSON Schema of `kind: App`, for editors and other tools; committed as
/// `schemas/app.v1alpha1.json`.
///
/// Keys are sorted, so that the text does not depend on how `serde_json` was built.
#[must_use]
pub fn app_schema() -> Value {
    let mut schema = SchemaGenerator::default()
        .into_root_schema_for::<App>()
        .to_value();
    schema.sort_all_objects();
    schema
}
