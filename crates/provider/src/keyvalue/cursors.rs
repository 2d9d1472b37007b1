//! Cursors as numbers, for the draft of `wasi:keyvalue` with `u64` cursors.

use std::collections::VecDeque;

use super::KeyValueError;

/// Number of cursors stored per bucket handle: a guest follows one or a few iterations at a time.
pub const CURSORS_MAX: usize = 64;

/// The cursors of one bucket handle, by number.
///
/// # Examples
///
/// ```
/// use weft_provider::keyvalue::Cursors;
///
/// let mut cursors = Cursors::default();
/// let number = cursors.number("last-key".to_owned());
/// assert_eq!(cursors.get(number), Ok("last-key"));
/// assert!(cursors.get(number + 1).is_err());
/// ```
#[derive(Debug, Default)]
pub struct Cursors {
    cursors: VecDeque<String>,
    evicted: u64,
}

impl Cursors {
    /// Stores `cursor` and returns its number for the guest. The oldest cursor is evicted when
    /// there are more than [`CURSORS_MAX`].
    pub fn number(&mut self, cursor: String) -> u64 {
        if self.cursors.len() == CURSORS_MAX {
            self.cursors.pop_front();
            self.evicted += 1;
        }
        self.cursors.push_back(cursor);
        self.evicted + self.cursors.len() as u64
    }

    /// Returns the cursor with this number.
    ///
    /// # Errors
    ///
    /// If the number was never issued, or its cursor was evicted.
    pub fn get(&self, number: u64) -> Result<&str, KeyValueError> {
        let index = number
            .checked_sub(self.evicted + 1)
            .and_then(|index| usize::try_from(index).ok());
        let cursor = index.and_then(|index| self.cursors.get(index));
        cursor.map(String::as_str).ok_or_else(|| {
            KeyValueError::Other(format!(
                "unknown cursor `{number}`, expected one of the last {CURSORS_MAX}; list from the start"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cursors_are_kept_and_older_ones_refused() {
        let mut cursors = Cursors::default();
        for index in 1..=100_u64 {
            assert_eq!(cursors.number(format!("key-{index}")), index);
        }
        assert_eq!(cursors.get(100), Ok("key-100"));
        assert_eq!(cursors.get(37), Ok("key-37"));
        for number in [0, 36, 101, u64::MAX] {
            assert!(cursors.get(number).is_err(), "{number}");
        }
    }
}
