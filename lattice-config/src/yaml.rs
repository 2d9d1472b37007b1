//! From YAML text to a tree with positions.
//!
//! Only the part of YAML that is JSON in better clothes is taken: one document, no anchors, no
//! aliases, no tags, no duplicate keys. Everything is bounded, because the text may be hostile: the
//! events are read in a loop and never by recursion.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::diagnostic::{Position, Report};
use crate::number::{is_not_finite, number};
use crate::quote::quoted;
use crate::spanned_yaml::{Data, Entry, Node, Path};

/// The deepest manifest a person writes has seven levels; the rest is for provider settings.
pub(crate) const DEPTH_MAX: usize = 64;

/// Reads the text. `None` means that it could not be read at all; why is in the report.
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
                let message = format!("this is not YAML: {}", error.info());
                builder
                    .report
                    .add(Some(position(*error.marker())), Path::Root, message, None);
                return None;
            }
        }
    }
    if builder.root.is_none() {
        let start = Position { line: 1, column: 1 };
        builder
            .report
            .add(Some(start), Path::Root, "the manifest is empty", None);
    }
    builder.root
}

fn position(marker: Marker) -> Position {
    Position {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

struct Builder<'a, 'r> {
    report: &'a mut Report<'r>,
    /// The lists and maps that are not closed yet, outermost first.
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
        /// Where each key stands, to find duplicates without comparing all pairs.
        seen: BTreeMap<String, Position>,
        /// The key whose value comes next.
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
    /// The key is reported as a mistake already.
    Rejected,
}

impl Builder<'_, '_> {
    /// Takes one event. `None` stops the reading; why is in the report.
    fn event(&mut self, event: Event<'_>, position: Position) -> Option<()> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let help = "put each app in a file of its own".to_owned();
                self.add(
                    position,
                    "a second document: a manifest is one document",
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
                    "aliases are not supported",
                    Some(WRITE_OUT.to_owned()),
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
                format!("nested deeper than {DEPTH_MAX} levels"),
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

    /// Puts a finished value where it belongs. `written` is its text if it is a scalar, which makes
    /// it fit to be a key.
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
            let message = format!("the key {} is given twice", quoted(&text));
            let help = format!("it was given in line {} already", first.line);
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
                let help = "write a finite number, or put it in quotes".to_owned();
                self.add(
                    position,
                    format!("{} is not a number", quoted(text)),
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
                "anchors are not supported",
                Some(WRITE_OUT.to_owned()),
            );
        }
        if let Some(tag) = tag {
            let help = "write the value without it; put text in quotes".to_owned();
            let message = format!("tags are not supported, found {}", quoted(&tag.to_string()));
            self.add(position, message, Some(help));
        }
    }

    fn add(&mut self, position: Position, message: impl Into<String>, help: Option<String>) {
        let path = self.path();
        self.report.add(Some(position), path, message, help);
    }

    /// The path of the innermost list or map that is open.
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

const WRITE_OUT: &str = "write the value out in each place";
