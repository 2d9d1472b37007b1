//! Checks a tree against the JSON Schema of the types and reports every mismatch.
//!
//! Only the keywords that the types of this crate produce are supported; a test walks the schema
//! and fails if a new one appears. Text of a fixed form (names, sizes, interfaces) is checked by
//! the `FromStr` of its type, whose message is better than "does not match pattern".

mod indentation;
mod scalar;
mod schema_view;

use serde_json::{Map, Value};

use self::indentation::ValueBefore;
use self::schema_view::{Choice, Schema, optional, reference, texts, types};
use crate::diagnostic::Report;
use crate::quote::{did_you_mean, nearest, quoted, quoted_list};
use crate::spanned_yaml::{Data, Entry, Node, Path};

/// Checks `node` against the root schema `schema`.
pub(crate) fn check(schema: &Value, node: &Node, report: &mut Report<'_>) {
    if let Some(root) = schema.as_object() {
        Checker { root, report }.check(node, root, &Path::Root);
    }
}

struct Checker<'s, 'a, 'r> {
    root: &'s Schema,
    report: &'a mut Report<'r>,
}

impl<'s> Checker<'s, '_, '_> {
    fn check(&mut self, node: &Node, schema: &'s Schema, path: &Path<'_>) {
        if matches!(node.data, Data::Invalid) {
            return;
        }
        if let Some(name) = reference(schema) {
            let definition = self.root.get("$defs").and_then(|defs| defs.get(name));
            if let Some(definition) = definition.and_then(Value::as_object) {
                self.check_as(node, definition, Some(name), path);
            }
        } else {
            self.check_as(node, schema, None, path);
        }
    }

    fn check_as(&mut self, node: &Node, schema: &'s Schema, name: Option<&str>, path: &Path<'_>) {
        if let Some(optional) = optional(schema) {
            if !matches!(node.data, Data::Null) {
                self.check(node, optional, path);
            }
        } else if let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) {
            self.check_choice(node, &Choice::new(alternatives), path);
        } else {
            self.check_typed(node, schema, name, path);
        }
    }

    fn check_typed(
        &mut self,
        node: &Node,
        schema: &'s Schema,
        name: Option<&str>,
        path: &Path<'_>,
    ) {
        let types = types(schema);
        match &node.data {
            Data::Null if types.contains(&"null") => {}
            Data::Bool(_) if types.contains(&"boolean") => {}
            Data::Map(entries) if types.contains(&"object") => {
                self.check_map(node, entries, schema, path);
            }
            Data::List(items) if types.contains(&"array") => {
                self.check_list(node, items, schema, path);
            }
            Data::Text(text) if types.contains(&"string") => {
                self.check_text(node, text, (schema, name), path);
            }
            Data::Number(number) if types.contains(&"integer") && !number.is_f64() => {
                self.check_integer(node, number, schema, path);
            }
            _ => self.mismatch(node, &types, name, path),
        }
    }

    // === maps ===

    fn check_map(&mut self, node: &Node, entries: &[Entry], schema: &'s Schema, path: &Path<'_>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let keys = properties
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str);
        let absent: Vec<_> = keys.filter(|key| node.get(key).is_none()).collect();
        let mut misspelled = Vec::new();
        let mut before: Option<ValueBefore<'_, 's>> = None;
        for entry in entries {
            let path_of_entry = Path::Key(path, &entry.key);
            let rest = schema.get("additionalProperties");
            let property =
                properties.and_then(|properties| properties.get(&entry.key)?.as_object());
            match (property, rest) {
                (Some(property), _) => self.check(&entry.value, property, &path_of_entry),
                (None, Some(Value::Object(rest))) => self.check(&entry.value, rest, &path_of_entry),
                (None, Some(Value::Bool(false))) => {
                    let belongs_to = before.as_ref();
                    let belongs_to = belongs_to.and_then(|it| it.lacks(&entry.key, self.root));
                    misspelled.extend(self.unknown_key(
                        entry,
                        &absent,
                        path,
                        belongs_to.as_deref(),
                    ));
                }
                (None, _) => {}
            }
            if let Some(schema) = property {
                before = Some(ValueBefore {
                    node: &entry.value,
                    schema,
                    path: Path::Key(path, &entry.key),
                });
            }
        }
        self.check_required(node, schema, &misspelled, path);
    }

    /// Reports the key and returns the expected key that it probably misspells. `belongs_to` is the
    /// path of the map before it that lacks the key.
    fn unknown_key<'k>(
        &mut self,
        entry: &Entry,
        expected: &[&'k str],
        path: &Path<'_>,
        belongs_to: Option<&str>,
    ) -> Option<&'k str> {
        let mut message = format!("unknown key {} in {}", quoted(&entry.key), path.in_words());
        if !expected.is_empty() {
            message += ": expected ";
            message += if expected.len() == 1 { "" } else { "one of " };
            message += &quoted_list(expected.iter().copied());
        }
        let help = match belongs_to {
            Some(map) => Some(format!("indent the key to make it a part of `{map}`")),
            None => did_you_mean(&entry.key, expected.iter().copied()),
        };
        self.report.add(
            entry.key_position,
            Path::Key(path, &entry.key),
            message,
            help,
        );
        nearest(&entry.key, expected.iter().copied())
    }

    /// Reports missing keys, except those in `misspelled`, which are reported already.
    fn check_required(
        &mut self,
        node: &Node,
        schema: &Schema,
        misspelled: &[&str],
        path: &Path<'_>,
    ) {
        for key in texts(schema.get("required")) {
            if node.get(key).is_some() || misspelled.contains(&key) {
                continue;
            }
            let message = format!("missing key `{key}` in {}", path.in_words());
            let help = schema
                .get("properties")
                .and_then(|properties| properties.get(key)?.get("description")?.as_str())
                .map(|description| format!("add `{key}`, {}", as_clause(description)));
            self.report.add(node.position, path, message, help);
        }
    }

    // === lists ===

    fn check_list(&mut self, node: &Node, items: &[Node], schema: &'s Schema, path: &Path<'_>) {
        let items_max = schema.get("maxItems").and_then(Value::as_u64);
        let count = items.len();
        if let Some(items_max) =
            items_max.filter(|max| u64::try_from(count).is_ok_and(|n| n > *max))
        {
            let message = format!(
                "{} has {count} entries, at most {items_max} are allowed",
                path.in_words()
            );
            let is_of_the_app = matches!(path, Path::Key(Path::Key(Path::Root, "spec"), _));
            let help = is_of_the_app.then(|| "split the app into several apps".to_owned());
            self.report.add(node.position, path, message, help);
            return;
        }
        let Some(item_schema) = schema.get("items").and_then(Value::as_object) else {
            return;
        };
        for (index, item) in items.iter().enumerate() {
            self.check(item, item_schema, &Path::Index(path, index));
        }
    }

    // === choices ===

    fn check_choice(&mut self, node: &Node, choice: &Choice<'s>, path: &Path<'_>) {
        match &node.data {
            Data::Text(text) if choice.words.contains(&text.as_str()) => {}
            Data::Text(text) if !choice.words.is_empty() => {
                let message = format!(
                    "unknown value {} for {}: expected {}",
                    quoted(text),
                    path.in_words(),
                    choice.in_words()
                );
                let help = did_you_mean(text, choice.words.iter().copied());
                self.report.add(node.position, path, message, help);
            }
            Data::Map(entries) if !choice.tags.is_empty() => {
                self.check_tagged(node, entries, choice, path);
            }
            _ => {
                let (expected, found) = (choice.in_words(), node.description());
                let message = format!("{} must be {expected}, found {found}", path.in_words());
                self.report.add(node.position, path, message, None);
            }
        }
    }

    fn check_tagged(
        &mut self,
        node: &Node,
        entries: &[Entry],
        choice: &Choice<'s>,
        path: &Path<'_>,
    ) {
        let tags: Vec<&str> = choice.tags.iter().map(|(tag, _)| *tag).collect();
        let mut known = 0;
        for entry in entries {
            match choice.tags.iter().find(|(tag, _)| *tag == entry.key) {
                Some((tag, schema)) => {
                    known += 1;
                    self.check(&entry.value, schema, &Path::Key(path, tag));
                }
                None => {
                    self.unknown_key(entry, &tags, path, None);
                }
            }
        }
        if known > 1 || entries.is_empty() {
            let tags = quoted_list(tags);
            let message = format!(
                "{} must have exactly one of {tags}, found {known}",
                path.in_words()
            );
            self.report.add(node.position, path, message, None);
        }
    }
}

/// "The name of the app." → "the name of the app".
fn as_clause(description: &str) -> String {
    let mut clause = description.replace('\n', " ");
    if let Some(first) = clause.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    clause.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
