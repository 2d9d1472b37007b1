//! Diagnostics of a manifest, displayed all together in the style of a compiler.

use std::fmt;

use serde::Serialize;

/// Maximum number of reported mistakes; the rest is counted.
pub(crate) const SHOWN_MAX: usize = 50;
/// Maximum number of collected mistakes, because hostile text can hold one in every few bytes; the
/// rest is counted.
const COLLECTED_MAX: usize = 1000;
/// Maximum length of a source line in a message; of a longer line, the part around the mistake is
/// shown.
const EXCERPT_CHARACTERS_MAX: usize = 120;

/// All mistakes in one manifest, in the order of the text.
///
/// Displayed as one block for each: position, message, source line with a caret, and a help line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct ManifestErrors {
    diagnostics: Vec<Diagnostic>,
    omitted: usize,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file name passed to the parser.
    pub file: String,
    /// The position in the text; `None` for an app that was not read from YAML.
    #[serde(flatten)]
    pub position: Option<Position>,
    /// The path in the app, such as `spec.links[1].to`; empty for the app itself.
    pub path: String,
    /// The mistake, with the expected and the found value.
    pub message: String,
    /// The next step for the user.
    pub help: Option<String>,
    #[serde(skip)]
    excerpt: Option<Excerpt>,
}

/// A position in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line, counted from one.
    pub line: usize,
    /// The column, counted from one, in characters.
    pub column: usize,
}

impl ManifestErrors {
    /// Returns the mistakes, at most 50.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Number of mistakes beyond those in [`ManifestErrors::diagnostics`].
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n\n" };
            write!(formatter, "{separator}{diagnostic}")?;
        }
        if self.omitted > 0 {
            write!(formatter, "\n\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.file)?;
        match self.position {
            Some(Position { line, column }) => write!(formatter, "{line}:{column}:")?,
            None if self.path.is_empty() => {}
            None => write!(formatter, " {}:", self.path)?,
        }
        write!(formatter, " error: {}", self.message)?;
        let margin = self
            .position
            .map_or(0, |position| position.line.to_string().len());
        if let (Some(excerpt), Some(position)) = (&self.excerpt, self.position) {
            write!(formatter, "\n{:margin$} |", "")?;
            write!(formatter, "\n{} | {}", position.line, excerpt.text)?;
            write!(
                formatter,
                "\n{:margin$} | {:caret$}^",
                "",
                "",
                caret = excerpt.caret
            )?;
        }
        match &self.help {
            Some(help) => write!(formatter, "\n{:margin$} = help: {help}", ""),
            None => Ok(()),
        }
    }
}

/// The source line of a mistake, or the part of it around the mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    text: String,
    /// Characters before the caret.
    caret: usize,
}

impl Excerpt {
    fn new(line: &str, column: usize) -> Excerpt {
        let before = column.saturating_sub(1);
        let skipped = before.saturating_sub(EXCERPT_CHARACTERS_MAX / 2);
        // A tab or an escape sequence would misplace the caret or control the terminal.
        let plain = |character: char| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        };
        let shown = line
            .chars()
            .skip(skipped)
            .take(EXCERPT_CHARACTERS_MAX)
            .map(plain);
        let text = shown.collect::<String>().trim_end().to_owned();
        Excerpt {
            text,
            caret: before - skipped,
        }
    }
}

/// Collects the mistakes of one manifest while it is checked.
pub(crate) struct Report<'a> {
    file: &'a str,
    diagnostics: Vec<Diagnostic>,
    dropped: usize,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str) -> Report<'a> {
        Report {
            file,
            diagnostics: Vec::new(),
            dropped: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Adds a mistake. The path is formatted only if the mistake is collected.
    pub(crate) fn add(
        &mut self,
        position: Option<Position>,
        path: impl fmt::Display,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        if self.diagnostics.len() == COLLECTED_MAX {
            self.dropped += 1;
            return;
        }
        self.diagnostics.push(Diagnostic {
            file: self.file.to_owned(),
            position,
            path: path.to_string(),
            message: message.into(),
            help: help.into(),
            excerpt: None,
        });
    }

    /// Returns the mistakes in the order of the text, with excerpts from `text`.
    pub(crate) fn into_errors(mut self, text: &str) -> ManifestErrors {
        self.diagnostics
            .sort_by_key(|diagnostic| diagnostic.position);
        let omitted = self.dropped + self.diagnostics.len().saturating_sub(SHOWN_MAX);
        self.diagnostics.truncate(SHOWN_MAX);
        for diagnostic in &mut self.diagnostics {
            diagnostic.excerpt = diagnostic.position.and_then(|Position { line, column }| {
                Some(Excerpt::new(source_line(text, line)?, column))
            });
        }
        ManifestErrors {
            diagnostics: self.diagnostics,
            omitted,
        }
    }
}

/// Lines end as in YAML: at a line feed, a carriage return, or both.
fn source_line(text: &str, line: usize) -> Option<&str> {
    let mut rest = text;
    for _ in 1..line {
        let end = rest.find(['\n', '\r'])?;
        let width = if rest[end..].starts_with("\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + width..];
    }
    rest.split(['\n', '\r']).next()
}
