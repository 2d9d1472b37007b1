//! Counters: numbers stored as text, so that `get` shows the result of `increment`.

use super::KeyValueError;

/// Adds `delta` to the number in `current`; a missing value counts as 0.
///
/// # Errors
///
/// If `current` is not a whole decimal number, or if the sum does not fit into 64 bits.
///
/// # Examples
///
/// ```
/// use weft_provider::keyvalue::add_to_counter;
///
/// assert_eq!(add_to_counter(None, 5), Ok(5));
/// assert_eq!(add_to_counter(Some(b"7"), -10), Ok(-3));
/// assert!(add_to_counter(Some(b"seven"), 1).is_err());
/// ```
pub fn add_to_counter(current: Option<&[u8]>, delta: i64) -> Result<i64, KeyValueError> {
    let Some(bytes) = current else {
        return Ok(delta);
    };
    let number = str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    let number = number.ok_or_else(|| {
        KeyValueError::Other(
            "the value is not a whole number in decimal, so it cannot be incremented".to_owned(),
        )
    })?;
    number.checked_add(delta).ok_or_else(|| {
        KeyValueError::Other(format!(
            "the sum of {number} and {delta} does not fit into a signed 64-bit integer"
        ))
    })
}
