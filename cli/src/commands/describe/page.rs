//! A page of fields and sections.

use crate::styled::{Style, Styled};

/// The width of the names of fields.
const FIELD_COLUMNS: usize = 12;

/// A page of text that is being written.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: Styled,
}

impl Page {
    /// Begins a page about a subject.
    pub(super) fn new(kind: &str, name: &str) -> Page {
        let mut page = Page::default();
        page.text.push(Style::Plain, format!("{kind} "));
        page.text.push(Style::Heading, format!("{name}\n"));
        page
    }

    /// Adds a field, unless its value is empty.
    pub(super) fn field(&mut self, name: &str, value: impl Into<String>) {
        self.styled_field(name, Style::Plain, value);
    }

    /// Adds a field with a styled value, unless the value is empty.
    pub(super) fn styled_field(&mut self, name: &str, style: Style, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            return;
        }
        self.text
            .push(Style::Faint, format!("  {name:FIELD_COLUMNS$}"));
        self.text.push(style, value);
        self.text.push(Style::Plain, "\n");
    }

    /// Adds a section, unless it is empty.
    pub(super) fn section(&mut self, title: &str, text: Styled) {
        if text.is_empty() {
            return;
        }
        self.text.push(Style::Heading, format!("\n{title}\n"));
        self.text.append(text);
    }

    /// The text of the page.
    pub(super) fn finish(self) -> Styled {
        self.text
    }
}
