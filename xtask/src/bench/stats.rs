//! Medians of repeated measurements.

use std::time::Duration;

/// The median; zero without values.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

/// As [`median`], in milliseconds.
pub(super) fn median_ms(durations: &[Duration]) -> f64 {
    let milliseconds = |duration: &Duration| duration.as_secs_f64() * 1000.0;
    median(durations.iter().map(milliseconds).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_sorted_values() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
        assert_eq!(median(Vec::new()), 0.0);
        let durations = [Duration::from_micros(1500), Duration::from_micros(500)];
        assert_eq!(median_ms(&durations), 1.0);
    }
}
