//! A manifest as a tree of values with their positions.
//!
//! YAML manifests and stored JSON are both converted to this tree, so that the same code checks
//! both. Nodes from JSON have no position.

use std::fmt;

use serde_json::{Map, Number, Value};

use crate::diagnostic::Position;

/// A value and the position of its start.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) position: Option<Position>,
    pub(crate) data: Data,
}

#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// An unreadable value whose mistake is already reported, so later checks skip the value.
    Invalid,
}

/// A key of a map with its value. The keys of a map are unique.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_position: Option<Position>,
    pub(crate) value: Node,
}

/// The path from the root to a value; formatted only if a mistake is reported there.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

// === impl Node ===

impl Node {
    pub(crate) fn from_value(value: Value) -> Node {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(bool) => Data::Bool(bool),
            Value::Number(number) => Data::Number(number),
            Value::String(text) => Data::Text(text),
            Value::Array(items) => Data::List(items.into_iter().map(Node::from_value).collect()),
            Value::Object(map) => Data::Map(map.into_iter().map(Entry::from_pair).collect()),
        };
        Node {
            position: None,
            data,
        }
    }

    pub(crate) fn into_value(self) -> Value {
        match self.data {
            Data::Null | Data::Invalid => Value::Null,
            Data::Bool(bool) => Value::Bool(bool),
            Data::Number(number) => Value::Number(number),
            Data::Text(text) => Value::String(text),
            Data::List(items) => items.into_iter().map(Node::into_value).collect(),
            Data::Map(entries) => Value::Object(
                entries
                    .into_iter()
                    .map(|entry| (entry.key, entry.value.into_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Returns the value of a key; `None` if the node is not a map or the key is missing.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// Returns the entries of a map; empty for other nodes.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the items of a list; empty for other nodes.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Describes the value for "found …" in a message.
    pub(crate) fn description(&self) -> String {
        match &self.data {
            Data::Null | Data::Invalid => "nothing".to_owned(),
            Data::Bool(bool) => format!("`{bool}`"),
            Data::Number(number) => format!("the number {number}"),
            Data::Text(text) => format!("the text {}", crate::quote::quoted(text)),
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a map".to_owned(),
        }
    }
}

impl Entry {
    fn from_pair((key, value): (String, Value)) -> Entry {
        Entry {
            key,
            key_position: None,
            value: Node::from_value(value),
        }
    }
}

// === impl Path ===

impl Path<'_> {
    /// Formats the path for a sentence: in backticks, or "the manifest" for the root.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Path::Root => "the manifest".to_owned(),
            Path::Key(..) | Path::Index(..) => format!("`{self}`"),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Index(parent, index) => write!(formatter, "{parent}[{index}]"),
            Path::Key(parent, key) => {
                let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                match (parent, key.chars().all(is_plain) && !key.is_empty()) {
                    (Path::Root, true) => formatter.write_str(key),
                    (_, true) => write!(formatter, "{parent}.{key}"),
                    (_, false) => {
                        let shown: String = key.chars().take(80).collect();
                        write!(formatter, "{parent}[{shown:?}]")
                    }
                }
            }
        }
    }
}
