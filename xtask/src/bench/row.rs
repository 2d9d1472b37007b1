//! A row of the table: a value, its baseline and its target.

use serde::{Serialize, Serializer};

/// A measured value. Missing fields are `null` in JSON and `-` in the table.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    /// The name of the baseline; its value has the same unit.
    pub(super) baseline: Option<String>,
    pub(super) baseline_value: Option<f64>,
    /// The value divided by that of the baseline.
    pub(super) ratio: Option<f64>,
    pub(super) target: Option<Target>,
    pub(super) met: Option<bool>,
}

/// The limit for a value or its ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// The ratio to the baseline is at most this.
    RatioAtMost(f64),
    /// The ratio to the baseline is at least this.
    RatioAtLeast(f64),
    /// The value itself is at most this.
    ValueAtMost(f64),
    /// The value itself is at least this.
    ValueAtLeast(f64),
}

impl Row {
    /// A value without baseline and target.
    pub(super) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            baseline: None,
            baseline_value: None,
            ratio: None,
            target: None,
            met: None,
        }
    }

    /// Compares the value with a baseline of the same unit.
    pub(super) fn against(mut self, baseline: impl Into<String>, value: f64) -> Self {
        self.baseline = Some(baseline.into());
        self.baseline_value = Some(value);
        // JSON has no infinity.
        self.ratio = Some(self.value / value).filter(|ratio| ratio.is_finite());
        self
    }

    /// Sets the target. A target for a ratio is missed without a baseline.
    pub(super) fn target(mut self, target: Target) -> Self {
        self.met = Some(match target {
            Target::RatioAtMost(limit) => self.ratio.is_some_and(|ratio| ratio <= limit),
            Target::RatioAtLeast(limit) => self.ratio.is_some_and(|ratio| ratio >= limit),
            Target::ValueAtMost(limit) => self.value <= limit,
            Target::ValueAtLeast(limit) => self.value >= limit,
        });
        self.target = Some(target);
        self
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RatioAtMost(limit) => write!(formatter, "ratio ≤ {limit}"),
            Self::RatioAtLeast(limit) => write!(formatter, "ratio ≥ {limit}"),
            Self::ValueAtMost(limit) => write!(formatter, "≤ {limit}"),
            Self::ValueAtLeast(limit) => write!(formatter, "≥ {limit}"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(row: &Row) -> bool {
        row.met.expect("the row has a target")
    }

    #[test]
    fn a_target_for_the_ratio_looks_at_the_baseline() {
        let row = Row::new("call", 11.0, "ns").against("composed", 10.0);
        assert!(met(&row.clone().target(Target::RatioAtMost(1.1))));
        assert!(!met(&row.clone().target(Target::RatioAtMost(1.05))));
        assert!(met(&row.clone().target(Target::RatioAtLeast(1.1))));
        assert!(!met(&row.target(Target::RatioAtLeast(3.0))));
    }

    #[test]
    fn a_target_without_the_baseline_it_needs_is_missed() {
        let alone = Row::new("call", 11.0, "ns");
        assert!(!met(&alone.clone().target(Target::RatioAtMost(1.1))));
        assert!(met(&alone.clone().target(Target::ValueAtMost(11.0))));
        assert!(met(&alone.clone().target(Target::ValueAtLeast(11.0))));
        assert!(!met(&alone.clone().target(Target::ValueAtLeast(11.1))));
        let nothing = alone.against("nothing", 0.0);
        assert!(!met(&nothing.target(Target::RatioAtLeast(1.0))));
    }

    #[test]
    fn a_row_is_flat_in_json_with_null_for_missing_fields() {
        let row = Row::new("start", 120.0, "ms").target(Target::ValueAtMost(150.0));
        let json = serde_json::to_value(&row).expect("a row serializes");
        let expected = serde_json::json!({
            "name": "start", "value": 120.0, "unit": "ms", "baseline": null,
            "baseline_value": null, "ratio": null, "target": "≤ 150", "met": true,
        });
        assert_eq!(json, expected);
    }
}
