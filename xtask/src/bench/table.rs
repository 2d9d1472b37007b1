//! Prints rows as a table.

use super::row::Row;

const HEADER: [&str; 8] = [
    "name", "value", "unit", "baseline", "value", "ratio", "target", "met",
];

/// True for columns of numbers, which are aligned at the right.
const RIGHT: [bool; 8] = [false, true, false, false, true, true, false, false];

/// Renders a header and one line for each row.
pub(super) fn render(rows: &[Row]) -> String {
    let lines: Vec<[String; 8]> = std::iter::once(HEADER.map(str::to_owned))
        .chain(rows.iter().map(cells))
        .collect();
    let mut widths = [0; 8];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let lines: Vec<String> = lines.iter().map(|line| join(line, &widths)).collect();
    lines.join("\n")
}

fn cells(row: &Row) -> [String; 8] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        row.name.clone(),
        number(row.value),
        row.unit.to_owned(),
        or_dash(row.baseline.clone()),
        or_dash(row.baseline_value.map(number)),
        or_dash(row.ratio.map(|ratio| format!("{ratio:.2}"))),
        or_dash(row.target.map(|target| target.to_string())),
        or_dash(row.met.map(|met| if met { "yes" } else { "NO" }.to_owned())),
    ]
}

/// Renders three significant digits; more would be noise.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        magnitude if magnitude >= 100.0 => 0,
        magnitude if magnitude >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

fn join(cells: &[String; 8], widths: &[usize; 8]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .zip(RIGHT)
        .map(|((cell, &width), right)| {
            if right {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        })
        .collect();
    padded.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::row::Target;
    use super::*;

    #[test]
    fn rows_stand_in_columns_and_a_missed_target_is_not_hidden() {
        let rows = [
            Row::new("call", 9.876, "ns")
                .against("composed", 9.0)
                .target(Target::RatioAtMost(1.1)),
            Row::new("start of the shop", 1234.5, "ms").target(Target::ValueAtMost(150.0)),
            Row::new("memory", 0.0, "KiB"),
        ];
        let expected = "\
name               value  unit  baseline  value  ratio  target       met
call                9.88  ns    composed   9.00   1.10  ratio ≤ 1.1  yes
start of the shop   1234  ms    -             -      -  ≤ 150        NO
memory              0.00  KiB   -             -      -  -            -";
        assert_eq!(render(&rows), expected);
    }
}
