//! The readable parts of a route.

use super::{Located, OptionalField, located_key, located_value, optional_field, read_field};
use crate::app::{CASES_MAX, OPERATIONS_MAX};
use crate::interface::InterfaceName;
use crate::spanned_yaml::{Data, Entry, Node, Path};
use crate::template::{RequestTemplate, ValuePath};
use crate::{ComponentName, HostPattern, PathPrefix, WitName};

/// The keys of a route that need an interface.
const TYPED_KEYS: [&str; 5] = ["operations", "errors", "names", "int64", "faces"];

/// A route.
pub(crate) struct PartialRoute<'a> {
    pub(crate) host: OptionalField<HostPattern>,
    pub(crate) path: OptionalField<PathPrefix>,
    pub(crate) to: Option<Located<ComponentName>>,
    pub(crate) location: Located<()>,
    pub(crate) interface: OptionalField<InterfaceName>,
    /// The keys that need an interface, as far as the route has them.
    pub(crate) typed_keys: Vec<Located<&'a str>>,
    pub(crate) operations: Vec<PartialOperation<'a>>,
    pub(crate) errors: Vec<PartialErrorType<'a>>,
    /// The value of `faces`, and the items that are text.
    pub(crate) faces: Option<(Located<()>, Vec<Located<&'a str>>)>,
}

/// An operation of a route.
pub(crate) struct PartialOperation<'a> {
    pub(crate) request: Option<Located<RequestTemplate>>,
    pub(crate) ok: Option<Located<u64>>,
    /// The header names, with the values that are readable.
    pub(crate) headers: Vec<(Located<&'a str>, Option<Located<ValuePath>>)>,
    pub(crate) body: Option<Located<WitName>>,
}

/// An error type of a route.
pub(crate) struct PartialErrorType<'a> {
    pub(crate) name: Located<&'a str>,
    /// The statuses, without `default`.
    pub(crate) statuses: Vec<Located<&'a str>>,
    pub(crate) is_empty: bool,
}

impl<'a> PartialRoute<'a> {
    pub(super) fn of(item: &'a Node, path: &Path<'_>) -> PartialRoute<'a> {
        let typed_keys = TYPED_KEYS.iter().filter_map(|key| item.entry(key));
        let set_keys = typed_keys.filter(|entry| !matches!(entry.value.data, Data::Null));
        PartialRoute {
            host: optional_field(item, "host"),
            path: optional_field(item, "path"),
            to: read_field(item, "to", path),
            location: Located {
                value: (),
                position: item.position,
                path: path.to_string(),
            },
            interface: optional_field(item, "interface"),
            typed_keys: set_keys
                .map(|entry| located_key(entry, entry.key.as_str(), path))
                .collect(),
            operations: operations(item, path),
            errors: errors(item, path),
            faces: item.get("faces").map(|node| faces(node, path)),
        }
    }
}

fn operations<'a>(route: &'a Node, path: &Path<'_>) -> Vec<PartialOperation<'a>> {
    let items = route.get("operations").map_or(&[][..], Node::items);
    if items.len() > OPERATIONS_MAX {
        return Vec::new();
    }
    let path = Path::Key(path, "operations");
    let items = items.iter().enumerate();
    items
        .map(|(index, item)| PartialOperation::of(item, &Path::Index(&path, index)))
        .collect()
}

impl<'a> PartialOperation<'a> {
    fn of(item: &'a Node, path: &Path<'_>) -> PartialOperation<'a> {
        let path_of_headers = Path::Key(path, "headers");
        let headers = item.get("headers").map_or(&[][..], Node::entries).iter();
        let headers = headers.map(|entry| {
            let value_path = Path::Key(&path_of_headers, &entry.key);
            let name = located_key(entry, entry.key.as_str(), &path_of_headers);
            (name, located_value(&entry.value, value_path))
        });
        PartialOperation {
            request: read_field(item, "as", path),
            ok: item
                .get("ok")
                .and_then(|node| located_number(node, Path::Key(path, "ok"))),
            headers: headers.collect(),
            body: read_field(item, "body", path),
        }
    }
}

fn errors<'a>(route: &'a Node, path: &Path<'_>) -> Vec<PartialErrorType<'a>> {
    let path = Path::Key(path, "errors");
    let types = route.get("errors").map_or(&[][..], Node::entries).iter();
    let read = types.map(|entry| {
        let path_of_type = Path::Key(&path, &entry.key);
        let statuses = entry.value.entries().iter().take(CASES_MAX);
        let statuses = statuses.filter(|status| status.key != "default");
        PartialErrorType {
            name: located_key(entry, entry.key.as_str(), &path),
            statuses: statuses
                .map(|status| located_key(status, status.key.as_str(), &path_of_type))
                .collect(),
            is_empty: matches!(&entry.value.data, Data::Map(entries) if entries.iter().all(is_null)),
        }
    });
    read.collect()
}

/// True for a key without a value, which is as good as absent.
fn is_null(entry: &Entry) -> bool {
    matches!(entry.value.data, Data::Null)
}

fn faces<'a>(node: &'a Node, path: &Path<'_>) -> (Located<()>, Vec<Located<&'a str>>) {
    let path = Path::Key(path, "faces");
    let items = node.items().iter().enumerate();
    let texts = items.filter_map(|(index, item)| {
        Some(Located {
            value: item.text()?,
            position: item.position,
            path: Path::Index(&path, index).to_string(),
        })
    });
    let list = Located {
        value: (),
        position: node.position,
        path: path.to_string(),
    };
    (list, texts.collect())
}

fn located_number(node: &Node, path: Path<'_>) -> Option<Located<u64>> {
    match &node.data {
        Data::Number(number) => Some(Located {
            value: number.as_u64()?,
            position: node.position,
            path: path.to_string(),
        }),
        _ => None,
    }
}
