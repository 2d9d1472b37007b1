//! Two builds of `weft`, measured alternately: the effect of a change on every row.

use anyhow::Result;

use super::row::Row;
use super::stats::median;
use super::tools::Tools;
use super::{Effort, Group};

/// Rounds of each group, with both builds in each. A slow phase of the machine meets both.
const ROUNDS: usize = 3;

/// Measures a group with the builds of `before` and `after`. Each row has the median of the build
/// after the change, with that of the build before it as its baseline.
///
/// # Errors
/// If a build cannot be measured.
pub(super) fn measure(
    group: Group,
    before: &Tools,
    after: &Tools,
    effort: Effort,
) -> Result<Vec<Row>> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for _ in 0..effort.choose(ROUNDS, 1) {
        group.measure(before, effort, &mut old)?;
        group.measure(after, effort, &mut new)?;
    }
    Ok(compare(&old, &new))
}

/// A row for each name of `after` that `before` has too, in the order of their first appearance.
fn compare(before: &[Row], after: &[Row]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for row in after {
        if rows.iter().any(|known| known.name == row.name) {
            continue;
        }
        let values = |rows: &[Row]| -> Vec<f64> {
            let named = rows.iter().filter(|known| known.name == row.name);
            named.map(|known| known.value).collect()
        };
        let old = values(before);
        if !old.is_empty() {
            let new = Row::new(row.name.clone(), median(values(after)), row.unit);
            rows.push(new.against("before", median(old)));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_medians_of_both_builds_once() {
        let rows = |values: [f64; 3]| {
            let rows = values.map(|value| Row::new("call", value, "ns"));
            rows.to_vec()
        };
        let mut after = rows([9.0, 30.0, 12.0]);
        after.push(Row::new("new row", 1.0, "ns"));
        let compared = compare(&rows([10.0, 8.0, 100.0]), &after);
        let [row] = &compared[..] else {
            panic!("one row expected, found {compared:?}");
        };
        assert_eq!((row.value, row.baseline_value), (12.0, Some(10.0)));
        assert_eq!(row.ratio, Some(1.2));
    }
}
