//! Accessors for the schemas that schemars generates from the types of this crate.

use serde_json::{Map, Value};

use crate::quote::quoted_list;

pub(super) type Schema = Map<String, Value>;

/// The schema of an enum: single words, and maps with a single key.
pub(super) struct Choice<'s> {
    pub(super) words: Vec<&'s str>,
    pub(super) tags: Vec<(&'s str, &'s Schema)>,
}

impl<'s> Choice<'s> {
    pub(super) fn new(alternatives: &'s [Value]) -> Choice<'s> {
        let mut choice = Choice {
            words: Vec::new(),
            tags: Vec::new(),
        };
        for alternative in alternatives {
            choice
                .words
                .extend(alternative.get("const").and_then(Value::as_str));
            choice.words.extend(texts(alternative.get("enum")));
            let properties = alternative.get("properties").and_then(Value::as_object);
            for (tag, schema) in properties.into_iter().flatten() {
                choice
                    .tags
                    .extend(schema.as_object().map(|schema| (tag.as_str(), schema)));
            }
        }
        choice
    }

    /// Formats the choice: "`per-request` or a map with `reuse`".
    pub(super) fn in_words(&self) -> String {
        let words = quoted_list(self.words.iter().copied());
        let tags = quoted_list(self.tags.iter().map(|(tag, _)| *tag));
        let one_of = |count: usize| if count > 1 { "one of " } else { "" };
        match (self.words.len(), self.tags.len()) {
            (words_count, 0) => format!("{}{words}", one_of(words_count)),
            (0, tags_count) => format!("a map with {}{tags}", one_of(tags_count)),
            (_, tags_count) => format!("{words} or a map with {}{tags}", one_of(tags_count)),
        }
    }
}

/// `ComponentName` of `{"$ref": "#/$defs/ComponentName"}`.
pub(super) fn reference(schema: &Schema) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

/// `T` of `Option<T>`, which is `{"anyOf": [T, {"type": "null"}]}`.
pub(super) fn optional(schema: &Schema) -> Option<&Schema> {
    let mut alternatives = schema
        .get("anyOf")?
        .as_array()?
        .iter()
        .filter_map(Value::as_object);
    alternatives.find(|alternative| !types(alternative).contains(&"null"))
}

pub(super) fn types(schema: &Schema) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        several => texts(several).collect(),
    }
}

pub(super) fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

pub(super) fn type_names(types: &[&str]) -> String {
    let names = types
        .iter()
        .filter(|name| **name != "null")
        .map(|name| match *name {
            "object" => "a map",
            "array" => "a list",
            "string" => "text",
            "integer" => "a whole number",
            "boolean" => "`true` or `false`",
            other => other,
        });
    names.collect::<Vec<_>>().join(" or ")
}
