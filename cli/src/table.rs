//! Text tables: columns as wide as their longest cell, two spaces between them. On a terminal a
//! table fits its width: cells of the widest columns are shortened or wrapped.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::styled::{Style, Styled, printable};

/// The text of an empty cell, so that scripts can count columns.
const EMPTY_CELL: &str = "-";

/// The spaces between two columns.
const GAP: &str = "  ";

/// The least width of a shortened column: enough to tell names apart.
const SHORTENED_MIN: usize = 8;

/// The replacement for what is left out of a shortened cell.
const ELLIPSIS: char = '…';

/// The way to shorten the cells of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Without the middle: both ends of a name tell it from others.
    Middle,
    /// Without the end, as for sentences.
    End,
    /// In lines of whole words: nothing is left out.
    Wrap,
}

/// A cell and its style.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

/// A table with a heading for each column.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<Cell>,
    cuts: Vec<Cut>,
    rows: Vec<Vec<Cell>>,
}

impl Cell {
    /// A cell in a style. Line ends become spaces.
    pub(crate) fn new(style: Style, text: impl AsRef<str>) -> Cell {
        let text = printable(text.as_ref()).trim().to_owned();
        if text.is_empty() {
            return Cell {
                text: EMPTY_CELL.to_owned(),
                style: Style::Faint,
            };
        }
        let text = text
            .lines()
            .collect::<Vec<_>>()
            .join(" ")
            .replace('\t', " ");
        Cell { text, style }
    }

    /// A state in its style.
    pub(crate) fn state(state: &str) -> Cell {
        Cell::new(Style::of_state(state), state)
    }

    /// A number of ready replicas beside the desired one: `2/3`.
    pub(crate) fn readiness(ready: u32, wanted: u32) -> Cell {
        let style = Style::of_readiness(ready, wanted);
        Cell::new(style, format!("{ready}/{wanted}"))
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::new(Style::Plain, text)
    }
}

impl Table {
    /// Creates a table without rows, with a way to shorten the cells of each column.
    pub(crate) fn new<'h>(columns: impl IntoIterator<Item = (&'h str, Cut)>) -> Table {
        let columns = columns.into_iter();
        let columns = columns.map(|(heading, cut)| (Cell::new(Style::Heading, heading), cut));
        let (headings, cuts) = columns.unzip();
        Table {
            headings,
            cuts,
            rows: Vec::new(),
        }
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells: Vec<_> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.headings.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// The table for a terminal of this many columns, or without a limit.
    pub(crate) fn styled(&self, columns: Option<usize>) -> Styled {
        let widths = self.widths(columns.unwrap_or(usize::MAX));
        let mut text = Styled::default();
        for row in std::iter::once(&self.headings).chain(&self.rows) {
            let cells = row.iter().zip(&widths).zip(&self.cuts);
            let cells = cells.map(|((cell, width), cut)| fit(&cell.text, *width, *cut));
            let cells: Vec<_> = cells.collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or_default();
            for line in 0..height {
                let cells = cells.iter().zip(row);
                let pieces = cells.map(|(lines, cell)| {
                    let piece = lines.get(line).map_or("", String::as_str);
                    (piece, cell.style)
                });
                push_line(&mut text, &pieces.collect::<Vec<_>>(), &widths);
            }
        }
        text
    }

    /// The widths of all columns: those of the longest cells, and less for the widest columns if
    /// the table would exceed `limit`.
    fn widths(&self, limit: usize) -> Vec<usize> {
        let headings = self.headings.iter().map(|heading| heading.text.width());
        let mut widths: Vec<_> = headings.collect();
        let least: Vec<_> = widths
            .iter()
            .map(|width| SHORTENED_MIN.max(*width))
            .collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.text.width().max(*width);
            }
        }
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > limit {
            let shrinkable = (0..widths.len()).filter(|&column| widths[column] > least[column]);
            // Of equally wide columns the last: sentences are behind names.
            let Some(widest) = shrinkable.max_by_key(|&column| widths[column]) else {
                break;
            };
            widths[widest] -= 1;
        }
        widths
    }
}

/// Adds a line of cells; without spaces behind the last one.
fn push_line(text: &mut Styled, pieces: &[(&str, Style)], widths: &[usize]) {
    let used = pieces.iter().rposition(|(piece, _)| !piece.is_empty());
    let used = used.map_or(0, |last| last + 1);
    for (column, (piece, style)) in pieces[..used].iter().enumerate() {
        text.push(*style, *piece);
        if column + 1 < used {
            let padding = widths[column].saturating_sub(piece.width());
            text.push(Style::Plain, " ".repeat(padding) + GAP);
        }
    }
    text.push(Style::Plain, "\n");
}

/// The lines of a cell in a column of this width: one, unless it is wrapped.
fn fit(cell: &str, width: usize, cut: Cut) -> Vec<String> {
    if cell.width() <= width {
        return vec![cell.to_owned()];
    }
    match cut {
        Cut::Middle => {
            let kept = width.saturating_sub(1);
            let end = suffix(cell, kept / 2);
            vec![format!("{}{ELLIPSIS}{end}", prefix(cell, kept - kept / 2))]
        }
        Cut::End => {
            let start = prefix(cell, width.saturating_sub(1));
            vec![format!("{}{ELLIPSIS}", start.trim_end())]
        }
        Cut::Wrap => wrap(cell, width),
    }
}

/// The longest beginning of a text of at most this width.
fn prefix(text: &str, width: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, character)| {
        used += character.width().unwrap_or_default();
        used > width
    });
    &text[..end.map_or(text.len(), |(index, _)| index)]
}

/// The longest end of a text of at most this width.
fn suffix(text: &str, width: usize) -> &str {
    let mut used = 0;
    let start = text.char_indices().rev().take_while(|(_, character)| {
        used += character.width().unwrap_or_default();
        used <= width
    });
    &text[start.last().map_or(text.len(), |(index, _)| index)..]
}

/// Lines of whole words of at most this width; longer words are broken.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for mut word in text.split_whitespace() {
        loop {
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= width {
                line += &" "[..gap];
                line += word;
                break;
            }
            if line.is_empty() {
                // At least one character, so that the loop ends.
                let first = word.chars().next().map_or(0, char::len_utf8);
                let (start, rest) = word.split_at(prefix(word, width).len().max(first));
                lines.push(start.to_owned());
                word = rest;
            } else {
                lines.push(std::mem::take(&mut line));
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn middle(heading: &str) -> (&str, Cut) {
        (heading, Cut::Middle)
    }

    fn cells(texts: &[&str]) -> Vec<Cell> {
        texts.iter().map(Cell::from).collect()
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let mut table = Table::new(["APP", "REVISION"].map(middle));
        table.row(cells(&["storefront", "1"]));
        table.row(cells(&["café", "12"]));
        table.row(cells(&["店", "3"]));
        let expected = "APP         REVISION\nstorefront  1\ncafé        12\n店          3\n";
        assert_eq!(table.styled(None).to_string(), expected);
    }

    #[test]
    fn an_empty_cell_is_a_dash_and_a_cell_stays_on_its_line() {
        let mut table = Table::new(["A", "B"].map(middle));
        table.row(cells(&["", "one\ntwo"]));
        assert_eq!(table.styled(None).to_string(), "A  B\n-  one two\n");
    }

    #[test]
    fn the_widest_columns_are_shortened_until_the_table_fits() {
        let columns = [
            ("FROM", Cut::Middle),
            ("INTERFACE", Cut::Middle),
            ("REASON", Cut::End),
        ];
        let mut table = Table::new(columns);
        let reason = "no host has the label `cloud`";
        table.row(cells(&["cart", "shop:catalog/pricing@0.1.0", reason]));
        let expected = "\
FROM  INTERFACE          REASON
cart  shop:cat…ng@0.1.0  no host has the…
";
        assert_eq!(table.styled(Some(42)).to_string(), expected);
        let whole = table.styled(None).to_string();
        assert!(whole.contains("shop:catalog/pricing@0.1.0"), "{whole}");
        assert!(whole.contains(reason), "{whole}");
    }

    #[test]
    fn a_wrapped_cell_loses_no_word() {
        let mut table = Table::new([("HOST", Cut::Middle), ("REASON", Cut::Wrap)]);
        table.row(cells(&["north", "label `cloud` is not `b`; would fit"]));
        let expected = "\
HOST   REASON
north  label `cloud` is
       not `b`; would
       fit
";
        assert_eq!(table.styled(Some(23)).to_string(), expected);
        assert_eq!(wrap("abcdef gh", 3), ["abc", "def", "gh"]);
    }

    #[test]
    fn wide_characters_count_two_columns() {
        assert_eq!(fit("店店店店店店", 8, Cut::Middle), ["店店…店"]);
        assert_eq!(fit("店店店店店店", 8, Cut::End), ["店店店…"]);
    }

    #[test]
    fn a_table_that_cannot_fit_keeps_readable_columns() {
        let mut table = Table::new(["APP", "COMPONENT"].map(middle));
        table.row(cells(&[
            "a-long-name-of-an-app",
            "a-long-name-of-a-component",
        ]));
        let text = table.styled(Some(5)).to_string();
        assert_eq!(text, "APP       COMPONENT\na-lo…app  a-lo…nent\n");
    }
}
