//! Formats of times: points in time in UTC as in RFC 3339, spans in their largest unit.

use std::time::{SystemTime, UNIX_EPOCH};

const MS_PER_DAY: u64 = 24 * 60 * 60 * 1000;

/// The current time in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// Formats a point in time, as `2026-01-31T23:59:59.123Z`.
pub(crate) fn utc(time_ms: u64) -> String {
    let (year, month, day) = date(time_ms / MS_PER_DAY);
    let ms = time_ms % MS_PER_DAY;
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z",
        ms % 1000
    )
}

/// Formats a span in its largest unit: `3d`, `5h`, `12m`, `7s`.
pub(crate) fn span(seconds: u64) -> String {
    let units = [("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60)];
    let largest = units.into_iter().find(|(_, unit_s)| seconds >= *unit_s);
    let (unit, unit_s) = largest.unwrap_or(("s", 1));
    format!("{}{unit}", seconds / unit_s)
}

/// The Gregorian year, month and day of a number of days since the Unix epoch.
///
/// Years are counted from March, so that the leap day is the last of its year; 400 years are
/// 146,097 days.
fn date(days_since_epoch: u64) -> (u64, u64, u64) {
    const DAYS_FROM_YEAR_0_TO_EPOCH: u64 = 719_468;
    let days = days_since_epoch.saturating_add(DAYS_FROM_YEAR_0_TO_EPOCH);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = day_of_era / 1460 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days + day_of_era / 36_524) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_shown_in_utc() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_767_225_599_123, "2025-12-31T23:59:59.123Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00.000Z"),
        ];
        for (time_ms, expected) in cases {
            assert_eq!(utc(time_ms), expected);
        }
    }

    #[test]
    fn a_span_is_shown_in_its_largest_unit() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (7_200, "2h"),
            (200_000, "2d"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(seconds), expected);
        }
    }
}
