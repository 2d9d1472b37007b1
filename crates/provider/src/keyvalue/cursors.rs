//! Cursors as numbers, for the draft of `wasi:keyvalue` whose cursor is a `u64`.

use std::collections::VecDeque;

use super::KeyValueError;

/// How many cursors of a bucket handle are remembered: a guest follows one or a few walks at a time.
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
    kept: VecDeque<String>,
    forgotten: u64,
}

impl Cursors {
    /// The number to give to a guest for `cursor`. The oldest cursor is forgotten when there are more
    /// than [`CURSORS_MAX`].
    pub fn number(&mut self, cursor: String) -> u64 {
        if self.kept.len() == CURSORS_MAX {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back(cursor);
        self.forgotten + self.kept.len() as u64
    }

    /// The cursor with this number.
    ///
    /// # Errors
    ///
    /// If the number was never given out or is forgotten.
    pub fn get(&self, number: u64) -> Result<&str, KeyValueError> {
        let index = number
            .checked_sub(self.forgotten + 1)
            .and_then(|index| usize::try_from(index).ok());
        let cursor = index.and_then(|index| self.kept.get(index));
        cursor.map(String::as_str).ok_or_else(|| {
            KeyValueError::Other(format!(
                "`{number}` is no cursor of the last {CURSORS_MAX}; list from the start"
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
