//! The committed JSON Schema.

use std::fs;

use serde_json::Value;
use weft_lattice_config::app_schema;

use crate::golden;

#[test]
fn the_committed_schema_is_the_one_the_types_make() {
    let file = golden::folder("schemas/app.v1alpha1.json");
    let text = serde_json::to_string_pretty(&app_schema()).unwrap() + "\n";
    if let Err(difference) = golden::compare(&file, &text) {
        panic!("{difference}");
    }
    let committed: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(committed, app_schema());
}

#[test]
fn every_property_has_a_description_for_the_user() {
    let schema = app_schema();
    let definitions = schema["$defs"].as_object().unwrap().iter();
    for (name, definition) in definitions
        .map(|(name, it)| (name.as_str(), it))
        .chain([("App", &schema)])
    {
        assert!(
            definition["description"].is_string(),
            "`{name}` has no description"
        );
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            assert!(
                property["description"].is_string(),
                "`{name}.{key}` has no description"
            );
        }
    }
}
