//! Text tables: columns as wide as their longest cell, two spaces between them.

use std::fmt;

/// The text of an empty cell, so that scripts can count columns.
const EMPTY_CELL: &str = "-";

/// A table with a heading for each column.
#[derive(Debug)]
pub(crate) struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    /// Creates a table without rows.
    pub(crate) fn new(headings: &[&str]) -> Table {
        Table {
            lines: vec![headings.iter().map(|&heading| heading.to_owned()).collect()],
        }
    }

    /// Adds a row with a cell for each column. Line ends in a cell become spaces.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.lines[0].len(), "a cell for each column");
        let one_line = |cell: String| match cell.trim() {
            "" => EMPTY_CELL.to_owned(),
            text => text.lines().collect::<Vec<_>>().join(" "),
        };
        self.lines.push(cells.into_iter().map(one_line).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![0; self.lines[0].len()];
        for line in &self.lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        widths
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for line in &self.lines {
            let cells = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            let text = cells.collect::<Vec<_>>().join("  ");
            writeln!(formatter, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let mut table = Table::new(&["APP", "REVISION"]);
        table.row(vec!["storefront".to_owned(), "1".to_owned()]);
        table.row(vec!["café".to_owned(), "12".to_owned()]);
        let expected = "APP         REVISION\nstorefront  1\ncafé        12\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn an_empty_cell_is_a_dash_and_a_cell_stays_on_its_line() {
        let mut table = Table::new(&["A", "B"]);
        table.row(vec![String::new(), "one\ntwo".to_owned()]);
        assert_eq!(table.to_string(), "A  B\n-  one two\n");
    }
}
