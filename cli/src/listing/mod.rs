//! The rows of one resource as text or JSON, and the comparison of rows for `--watch`.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::get_columns::{self, Row};
use crate::output::Report;
use crate::styled::{Style, Styled};
use crate::time::now_ms;

/// The fields that change all the time and so are no news: the uptime of a host, and its calls in
/// flight.
const VOLATILE_FIELDS: [&str; 2] = ["uptime_s", "running"];

/// The forms of the text of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// A table with the most important columns, which fits a terminal.
    #[default]
    Table,
    /// A table with all columns and whole cells.
    Wide,
    /// A name on each line.
    Names,
}

/// The rows of one resource.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Listing<R> {
    pub(crate) rows: Vec<R>,
    #[serde(skip)]
    pub(crate) form: Form,
    /// The reason for an empty list, and the next step.
    #[serde(skip)]
    pub(crate) note: Option<String>,
}

/// The rows that were printed last.
#[derive(Debug, Default)]
pub(crate) struct News {
    last: Option<Value>,
}

impl<R: Row> Listing<R> {
    fn table(&self, columns: Option<usize>, now_ms: u64) -> Styled {
        if self.rows.is_empty() {
            return Styled::default();
        }
        let is_wide = self.form == Form::Wide;
        let table = get_columns::table(&self.rows, is_wide, now_ms);
        let mut text = table.styled(columns.filter(|_| !is_wide));
        for row in &self.rows {
            for note in row.footnotes() {
                text.push(Style::Name, row.name());
                text.push(Style::Waiting, format!(": {note}\n"));
            }
        }
        text
    }

    /// The distinct names, in the order of the rows.
    fn names(&self) -> String {
        let mut seen = BTreeSet::new();
        let names = self.rows.iter().map(Row::name);
        let names = names.filter(|name| seen.insert(name.clone()));
        names.map(|name| name + "\n").collect()
    }
}

impl<R: Row> Report for Listing<R> {
    fn text(&self) -> String {
        self.styled(None).to_string()
    }

    fn styled(&self, columns: Option<usize>) -> Styled {
        match self.form {
            Form::Names => Styled::plain(self.names()),
            Form::Table | Form::Wide => self.table(columns, now_ms()),
        }
    }

    fn note(&self) -> Option<String> {
        self.note.clone()
    }
}

impl News {
    /// True if the rows differ from those of the last call in more than volatile fields.
    pub(crate) fn are_in(&mut self, rows: &impl Serialize) -> bool {
        let mut rows = serde_json::to_value(rows).unwrap_or_default();
        for row in rows.as_array_mut().into_iter().flatten() {
            if let Some(fields) = row.as_object_mut() {
                fields.retain(|name, _| !VOLATILE_FIELDS.contains(&name.as_str()));
            }
        }
        let is_new = self.last.as_ref() != Some(&rows);
        self.last = Some(rows);
        is_new
    }

    /// True before the first call of [`are_in`](Self::are_in).
    pub(crate) fn is_first(&self) -> bool {
        self.last.is_none()
    }
}

#[cfg(test)]
mod tests;
