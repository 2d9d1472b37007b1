//! Problems of a body: what a client can fix, each with its place.

use std::fmt;

use serde::Serialize;

/// The most problems that one answer lists: enough to fix a body at once, and a bound for the work
/// and the memory that a wrong body costs.
pub const MAX_PROBLEMS: usize = 32;

/// The longest part of a pointer, in bytes. Keys of the body can be of any length.
const SEGMENT_BYTES_MAX: usize = 128;

/// The longest quotation of a body, in bytes.
const QUOTE_BYTES_MAX: usize = 40;

/// The most names that a text lists.
const NAMES_MAX: usize = 12;

/// A part of a body that does not have the type that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The place, as a JSON Pointer (RFC 6901). Long keys end in `…` there.
    pub pointer: String,
    /// The form that the value needs.
    pub expected: String,
    /// The form that the value has.
    pub found: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pointer,
            expected,
            found,
        } = self;
        write!(
            formatter,
            "at `{pointer}`: expected {expected}, found {found}"
        )
    }
}

/// A place in a body, as a list that is linked through the stack.
#[derive(Clone, Copy)]
pub(crate) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// The place as a JSON Pointer. The recursion is as deep as the type.
    pub(crate) fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Index(parent, index) => format!("{}/{index}", parent.pointer()),
            Self::Key(parent, key) => {
                let key = cut(key, SEGMENT_BYTES_MAX);
                let key = key.replace('~', "~0").replace('/', "~1");
                format!("{}/{key}", parent.pointer())
            }
        }
    }
}

/// A text for messages, cut if it is long.
pub(crate) fn quote(text: &str) -> String {
    format!("{:?}", cut(text, QUOTE_BYTES_MAX))
}

/// A number for messages, cut if it is long.
pub(crate) fn cut_number(text: &str) -> String {
    cut(text, QUOTE_BYTES_MAX)
}

fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes_max)])
}

/// The names in backticks: `` one of `a`, `b` ``.
pub(crate) fn one_of<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names = names.map(|name| format!("`{name}`"));
    let mut listed: Vec<_> = names.by_ref().take(NAMES_MAX).collect();
    if names.next().is_some() {
        listed.push("…".to_owned());
    }
    match &listed[..] {
        [] => "no key".to_owned(),
        [only] => only.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}
