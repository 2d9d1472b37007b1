//! The check supports every keyword that the types produce.

use serde_json::Value;

use super::scalar::text_check;
use crate::app_schema;

/// Keywords that the check supports, and keywords that do not restrict a value.
const KNOWN_KEYWORDS: [&str; 19] = [
    "$defs",
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "default",
    "description",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minLength",
    "minimum",
    "oneOf",
    "pattern",
    "required",
    "title",
    "writeOnly",
];

fn visit(schema: &Value, visitor: &mut impl FnMut(&str, &Value)) {
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        visitor(keyword, value);
        match keyword.as_str() {
            "properties" | "$defs" => {
                value
                    .as_object()
                    .unwrap()
                    .values()
                    .for_each(|it| visit(it, visitor));
            }
            "oneOf" | "anyOf" => value
                .as_array()
                .unwrap()
                .iter()
                .for_each(|it| visit(it, visitor)),
            "items" | "additionalProperties" => visit(value, visitor),
            _ => {}
        }
    }
}

#[test]
fn every_keyword_of_the_schema_is_understood() {
    visit(&app_schema(), &mut |keyword, _| {
        let is_known =
            KNOWN_KEYWORDS.contains(&keyword) || ["type", "properties"].contains(&keyword);
        assert!(is_known, "`{keyword}` is not checked");
    });
}

#[test]
fn every_text_form_is_checked_by_its_type() {
    for (name, definition) in app_schema()["$defs"].as_object().unwrap() {
        assert_eq!(
            definition.get("pattern").is_some(),
            text_check(name).is_some(),
            "`{name}`"
        );
    }
}

#[test]
fn patterns_stand_only_where_their_type_is_known() {
    let schema = app_schema();
    let mut patterns = 0;
    visit(&schema, &mut |keyword, _| {
        patterns += usize::from(keyword == "pattern")
    });
    let definitions = schema["$defs"].as_object().unwrap().values();
    assert_eq!(
        patterns,
        definitions.filter(|it| it.get("pattern").is_some()).count()
    );
}
