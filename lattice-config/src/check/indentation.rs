//! Keys that belong to the value before them: wrong indentation is the usual mistake of a manifest.

use serde_json::Value;

use super::schema_view::{Choice, Schema, optional, reference};
use crate::spanned_yaml::{Data, Node, Path};

/// The value before an unknown key.
pub(super) struct ValueBefore<'a, 's> {
    pub(super) node: &'a Node,
    pub(super) schema: &'s Schema,
    pub(super) path: Path<'a>,
}

impl<'s> ValueBefore<'_, 's> {
    /// The path of the map at the end of the value that expects `key` and lacks it. `root` is the
    /// schema with the definitions. The recursion ends with the value, whose nesting is bounded.
    pub(super) fn lacks(&self, key: &str, root: &'s Schema) -> Option<String> {
        let Self { node, schema, path } = self;
        let schema = definition(schema, root);
        if let (Data::List(items), Some(Value::Object(schema))) = (&node.data, schema.get("items"))
        {
            let index = items.len().checked_sub(1)?;
            let last = ValueBefore {
                node: &items[index],
                schema,
                path: Path::Index(path, index),
            };
            return last.lacks(key, root);
        }
        if let Data::Map(entries) = &node.data
            && let Some(last) = entries.last()
            && let Some(schema) = property(schema, &last.key)
        {
            let below = ValueBefore {
                node: &last.value,
                schema,
                path: Path::Key(path, &last.key),
            };
            if let Some(found) = below.lacks(key, root) {
                return Some(found);
            }
        }
        let is_open = matches!(node.data, Data::Null | Data::Map(_)) && node.get(key).is_none();
        (is_open && property(schema, key).is_some()).then(|| path.to_string())
    }
}

/// The schema behind a reference, and behind an optional value.
fn definition<'s>(schema: &'s Schema, root: &'s Schema) -> &'s Schema {
    let schema = optional(schema).unwrap_or(schema);
    let definitions = root.get("$defs");
    let named = reference(schema).and_then(|name| definitions?.get(name)?.as_object());
    named.unwrap_or(schema)
}

/// The schema of a key of a map.
fn property<'s>(schema: &'s Schema, key: &str) -> Option<&'s Schema> {
    if let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) {
        let tags = Choice::new(alternatives).tags;
        return tags
            .into_iter()
            .find_map(|(tag, schema)| (tag == key).then_some(schema));
    }
    schema.get("properties")?.get(key)?.as_object()
}
