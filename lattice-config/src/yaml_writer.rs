//! Writes JSON as YAML in block style, with the keys in their order.
//!
//! A text is written without quotes only if no version of YAML reads it as anything else; otherwise
//! it is a JSON string, which YAML accepts in double quotes.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The indentation of each level.
const INDENT: &str = "  ";

/// A JSON value whose keys keep their order.
enum Tree {
    /// A number, a truth value, null or a quoted text, as written.
    Scalar(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// Writes a JSON text as YAML.
///
/// # Errors
/// The text is not JSON.
pub(crate) fn write(json: &str) -> Result<String, serde_json::Error> {
    let tree: Tree = serde_json::from_str(json)?;
    let mut lines = Vec::new();
    match &tree {
        Tree::Scalar(_) => lines.push(inline(&tree)),
        Tree::List(_) | Tree::Map(_) => block(&tree, 0, &mut lines),
    }
    Ok(lines.join("\n") + "\n")
}

/// Adds the lines of a list or map at a depth.
fn block(tree: &Tree, depth: usize, lines: &mut Vec<String>) {
    let indent = INDENT.repeat(depth);
    match tree {
        Tree::Map(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let key = text(key);
                if is_inline(value) {
                    lines.push(format!("{indent}{key}: {}", inline(value)));
                    continue;
                }
                lines.push(format!("{indent}{key}:"));
                // The items of a list stand below the first letter of its key.
                let is_list = matches!(value, Tree::List(_));
                block(value, if is_list { depth } else { depth + 1 }, lines);
            }
        }
        Tree::List(items) if !items.is_empty() => {
            for item in items {
                if is_inline(item) {
                    lines.push(format!("{indent}- {}", inline(item)));
                    continue;
                }
                let first = lines.len();
                block(item, depth + 1, lines);
                let start = indent.len();
                lines[first].replace_range(start..start + INDENT.len(), "- ");
            }
        }
        Tree::Scalar(_) | Tree::List(_) | Tree::Map(_) => {
            lines.push(format!("{indent}{}", inline(tree)));
        }
    }
}

/// True for a value that follows its key on the same line.
fn is_inline(tree: &Tree) -> bool {
    match tree {
        Tree::Scalar(_) => true,
        Tree::List(items) => items.is_empty(),
        Tree::Map(entries) => entries.is_empty(),
    }
}

fn inline(tree: &Tree) -> String {
    match tree {
        Tree::Scalar(text) => text.clone(),
        Tree::List(_) => "[]".to_owned(),
        Tree::Map(_) => "{}".to_owned(),
    }
}

/// A text, quoted unless it is a plain word, path, version or digest.
fn text(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    // Serializing a string does not fail.
    let json = serde_json::to_string(text).unwrap_or_default();
    let mut quoted = String::with_capacity(json.len());
    for character in json.chars() {
        if is_printable(character) {
            quoted.push(character);
        } else {
            quoted += &format!("\\u{:04x}", u32::from(character));
        }
    }
    quoted
}

/// True for characters that YAML allows in a quoted text and does not read as a line end.
fn is_printable(character: char) -> bool {
    let is_special = matches!(
        character,
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    );
    !character.is_control() && !is_special
}

/// True if YAML reads the text without quotes as this text: it starts with a letter or `/`, and is
/// no word that some version of YAML reads as a truth value or null; or it is a quantity.
fn is_plain(text: &str) -> bool {
    const RESERVED: [&str; 10] = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan",
    ];
    let is_safe =
        |character: char| character.is_ascii_alphanumeric() || "/_.-@:+=".contains(character);
    let starts_safely = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let is_word = starts_safely
        && text.chars().all(is_safe)
        && !text.ends_with(':')
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str());
    is_word || is_quantity(text)
}

/// True for digits with a unit, as in `64MiB`. A number in hexadecimal or octal begins with 0.
fn is_quantity(text: &str) -> bool {
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let has_digits = unit.len() < text.len() && !text.starts_with('0');
    has_digits && !unit.is_empty() && unit.chars().all(|unit| unit.is_ascii_alphabetic())
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        let number = serde_json::Number::from_f64(value);
        let number = number.ok_or_else(|| E::custom("a number is not finite"))?;
        Ok(Tree::Scalar(number.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(text(value)))
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar("null".to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_lists_stand_below_their_key() {
        let json = r#"{
            "name": "shop",
            "spec": {"links": [{"to": "db", "config": {"b": 1, "a": [1, 2]}}, {"to": "x"}]},
            "empty": {}, "none": [], "nested": [[1], []]
        }"#;
        let expected = "\
name: shop
spec:
  links:
  - to: db
    config:
      b: 1
      a:
      - 1
      - 2
  - to: x
empty: {}
none: []
nested:
- - 1
- []
";
        assert_eq!(write(json).unwrap(), expected);
    }

    #[test]
    fn a_text_that_could_be_something_else_is_quoted() {
        for plain in [
            "shop",
            "weft.dev/v1alpha1",
            "shop:catalog/pricing@0.1.0",
            "/",
            "/api/v1",
            "sha256:00ff",
            "a=b",
            "5s",
            "64MiB",
        ] {
            assert_eq!(text(plain), plain);
        }
        for quoted in [
            "",
            "1",
            "0x1f",
            "1e3",
            "-",
            "- a",
            "true",
            "Yes",
            "null",
            "~",
            "a: b",
            "a:",
            "a #b",
            "*",
            "&a",
            "12:30",
            "1e3s4",
            "a\nb",
            "'a'",
            "é",
            "{a}",
            ".5",
            "@a",
            "=",
            "2026-01-01",
        ] {
            assert_eq!(
                text(quoted),
                serde_json::to_string(quoted).unwrap(),
                "{quoted}"
            );
        }
        assert_eq!(text("tab\t\"q\"\u{1}"), r#""tab\t\"q\"\u0001""#);
    }
}
