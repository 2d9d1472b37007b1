//! Parses YAML text into a tree with positions.
//!
//! Only the part of YAML that corresponds to JSON is accepted: one document, no anchors, no
//! aliases, no tags, no duplicate keys. The text may be hostile, so everything is bounded, and
//! events are handled in a loop instead of by recursion.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::diagnostic::{Position, Report};
use crate::number::{is_not_finite, number};
use crate::quote::quoted;
use crate::spanned_yaml::{Data, Entry, Node, Path};

/// Maximum nesting: a manifest has seven levels of its own, the rest is for provider settings.
pub(crate) const DEPTH_MAX: usize = 64;

/// Parses the text. `None` if that failed; the reason is in the report.
pub(crate) fn parse(text: &str, report: &mut Report<'_>) -> Option<Node> {
    let mut builder = Builder {
        report,
        open: Vec::new(),
        root: None,
    };
    // A byte order mark is not content, and the parser would count it as a column.
    let mut parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((event, span))) => builder.event(event, position(span.start))?,
            Some(Err(error)) => {
                let message = format!("invalid YAML: {}", error.info());
                let help = help(error.info()).map(str::to_owned);
                builder
                    .report
                    .add(Some(position(*error.marker())), Path::Root, message, help);
                return None;
            }
        }
    }
    if builder.root.is_none() {
        let start = Position { line: 1, column: 1 };
        let help = "start with `apiVersion: weft.dev/v1alpha1` and `kind: App`".to_owned();
        builder
            .report
            .add(Some(start), Path::Root, "the manifest is empty", Some(help));
    }
    builder.root
}

/// The next step for an error of the parser.
fn help(error: &str) -> Option<&'static str> {
    if error.contains("tab") {
        return Some("indent with spaces");
    }
    let is_misaligned = error.contains("did not find expected");
    is_misaligned.then_some(
        "align the keys of a map: those of an entry of a list with the first key after its `- `",
    )
}

fn position(marker: Marker) -> Position {
    Position {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

struct Builder<'a, 'r> {
    report: &'a mut Report<'r>,
    /// The lists and maps that are still open, outermost first.
    open: Vec<Open>,
    root: Option<Node>,
}

struct Open {
    position: Position,
    children: Children,
}

enum Children {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// The position of each key, to find duplicates without comparing all pairs.
        seen: BTreeMap<String, Position>,
        /// The key of the next value.
        key: Option<Key>,
    },
}

struct Key {
    text: String,
    position: Position,
    check: KeyCheck,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyCheck {
    Accepted,
    /// The key is already reported as a mistake, so its value is dropped.
    Rejected,
}

impl Builder<'_, '_> {
    /// Handles one event. `None` stops the parser; the reason is in the report.
    fn event(&mut self, event: Event<'_>, position: Position) -> Option<()> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let help = "put each app in its own file".to_owned();
                self.add(
                    position,
                    "second YAML document: a manifest must be a single document",
                    Some(help),
                );
                return None;
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.reject_properties(anchor, tag.as_deref(), position);
                let data = self.scalar(&text, style, position);
                self.value(
                    Node {
                        position: Some(position),
                        data,
                    },
                    Some(&text),
                );
            }
            Event::Alias(_) => {
                self.add(
                    position,
                    "YAML aliases are not supported",
                    Some(REPEAT_VALUE.to_owned()),
                );
                self.value(
                    Node {
                        position: Some(position),
                        data: Data::Invalid,
                    },
                    None,
                );
            }
            Event::SequenceStart(anchor, tag) => {
                self.reject_properties(anchor, tag.as_deref(), position);
                self.open(position, Children::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.reject_properties(anchor, tag.as_deref(), position);
                let seen = BTreeMap::new();
                self.open(
                    position,
                    Children::Map {
                        entries: Vec::new(),
                        seen,
                        key: None,
                    },
                )?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Some(())
    }

    fn open(&mut self, position: Position, children: Children) -> Option<()> {
        if self.open.len() == DEPTH_MAX {
            self.add(
                position,
                format!("the manifest is nested deeper than {DEPTH_MAX} levels"),
                None,
            );
            return None;
        }
        self.open.push(Open { position, children });
        Some(())
    }

    fn close(&mut self) {
        let Some(Open { position, children }) = self.open.pop() else {
            return;
        };
        let data = match children {
            Children::List(items) => Data::List(items),
            Children::Map { entries, .. } => Data::Map(entries),
        };
        self.value(
            Node {
                position: Some(position),
                data,
            },
            None,
        );
    }

    /// Adds a finished value to the innermost open list or map. `written` is the text of a scalar,
    /// the only value that may be a key.
    fn value(&mut self, node: Node, written: Option<&str>) {
        match self.open.last_mut().map(|open| &mut open.children) {
            None => self.root = Some(node),
            Some(Children::List(items)) => items.push(node),
            Some(Children::Map { entries, key, .. }) => match key.take() {
                None => self.key(&node, written),
                Some(Key {
                    check: KeyCheck::Rejected,
                    ..
                }) => {}
                Some(Key {
                    text,
                    position,
                    check: KeyCheck::Accepted,
                }) => {
                    entries.push(Entry {
                        key: text,
                        key_position: Some(position),
                        value: node,
                    });
                }
            },
        }
    }

    fn key(&mut self, node: &Node, written: Option<&str>) {
        let position = node.position.unwrap_or(Position { line: 1, column: 1 });
        let Some(Open {
            children: Children::Map { seen, key, .. },
            ..
        }) = self.open.last_mut()
        else {
            return;
        };
        let text = written.unwrap_or_default().to_owned();
        let first = match written {
            Some(_) => seen.get(&text).copied(),
            None => None,
        };
        let is_accepted = written.is_some() && first.is_none();
        let check = if is_accepted {
            KeyCheck::Accepted
        } else {
            KeyCheck::Rejected
        };
        *key = Some(Key {
            text: text.clone(),
            position,
            check,
        });
        if is_accepted {
            seen.insert(text, position);
        } else if let Some(first) = first {
            let message = format!("duplicate key {}", quoted(&text));
            let help = format!("remove this key, or the one in line {}", first.line);
            self.add(position, message, Some(help));
        } else if !matches!(node.data, Data::Invalid) {
            self.add(
                position,
                format!("a key must be text, found {}", node.description()),
                None,
            );
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, position: Position) -> Data {
        if style != ScalarStyle::Plain {
            return Data::Text(text.to_owned());
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Data::Null,
            "true" | "True" | "TRUE" => Data::Bool(true),
            "false" | "False" | "FALSE" => Data::Bool(false),
            _ if is_not_finite(text) => {
                let help = "write a finite number, or quote the value to make it text".to_owned();
                self.add(
                    position,
                    format!("{} is not a finite number", quoted(text)),
                    Some(help),
                );
                Data::Invalid
            }
            _ => number(text).map_or_else(|| Data::Text(text.to_owned()), Data::Number),
        }
    }

    fn reject_properties(&mut self, anchor: usize, tag: Option<&Tag>, position: Position) {
        if anchor != 0 {
            self.add(
                position,
                "YAML anchors are not supported",
                Some(REPEAT_VALUE.to_owned()),
            );
        }
        if let Some(tag) = tag {
            let help = "remove the tag; quote the value to make it text".to_owned();
            let tag = quoted(&tag.to_string());
            let message = format!("YAML tags are not supported, found {tag}");
            self.add(position, message, Some(help));
        }
    }

    fn add(&mut self, position: Position, message: impl Into<String>, help: Option<String>) {
        let path = self.path();
        self.report.add(Some(position), path, message, help);
    }

    /// The path of the innermost open list or map.
    fn path(&self) -> String {
        fn write(open: &[Open], path: &Path<'_>) -> String {
            match open {
                [] => path.to_string(),
                [first, rest @ ..] => match &first.children {
                    Children::List(items) => write(rest, &Path::Index(path, items.len())),
                    Children::Map { key: Some(key), .. } => {
                        write(rest, &Path::Key(path, &key.text))
                    }
                    Children::Map { key: None, .. } => path.to_string(),
                },
            }
        }
        write(&self.open, &Path::Root)
    }
}

const REPEAT_VALUE: &str = "repeat the value in each place";
