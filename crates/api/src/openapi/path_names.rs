//! The names of values in paths.

use std::collections::BTreeMap;

use weft_lattice_config::template::{PathTemplate, Segment};

use crate::api::Api;

/// The separator of the parts of a name, for a value that is a field of a parameter. Tools that
/// generate clients take a `.` in a path for an access to a field of theirs; WIT has no name with
/// this character.
const SEPARATOR: &str = "_";

/// The names of the values of all paths. Templates that differ in names alone are one path in a
/// document, with the names of the first one.
pub(super) struct PathNames(BTreeMap<String, Vec<String>>);

impl PathNames {
    pub(super) fn new(api: &Api) -> Self {
        let mut names = BTreeMap::new();
        for operation in api.operations() {
            let path = &operation.request().path;
            let values = path
                .values()
                .map(|value| value.to_string().replace('.', SEPARATOR));
            names.entry(shape(path)).or_insert_with(|| values.collect());
        }
        Self(names)
    }

    /// The names of the values of a path. That of the rest is the last one.
    pub(super) fn of(&self, path: &PathTemplate) -> &[String] {
        self.0.get(&shape(path)).map_or(&[], Vec::as_slice)
    }

    /// A path as a document has it.
    pub(super) fn path(&self, path: &PathTemplate) -> String {
        let mut names = self.of(path).iter();
        let mut text = String::new();
        for part in shape(path).split_inclusive("{}") {
            match part.strip_suffix("{}") {
                Some(before) => {
                    let name = names.next().map_or("", String::as_str);
                    text += &format!("{before}{{{name}}}");
                }
                None => text += part,
            }
        }
        text
    }
}

/// A path without the names of its values.
fn shape(path: &PathTemplate) -> String {
    let segments = path.segments.iter().map(|segment| match segment {
        Segment::Literal(literal) => format!("/{literal}"),
        Segment::Value(_) => "/{}".to_owned(),
    });
    let rest = path.rest.iter().map(|_| "/{}".to_owned());
    let text: String = segments.chain(rest).collect();
    if text.is_empty() {
        "/".to_owned()
    } else {
        text
    }
}
