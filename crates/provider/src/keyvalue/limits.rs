//! The limits of keys, values, pages and batches.

use super::KeyValueError;

/// The longest key, in bytes: common stores accept it, and it is short enough to index.
pub const KEY_LEN_MAX: usize = 1 << 10;

/// The largest value, in bytes: the guest and the host have it in memory at once. Larger data
/// belongs into a blob store. A backend may have a lower limit.
pub const VALUE_LEN_MAX: usize = 16 << 20;

/// The largest number of keys in a page: with the longest keys a page has 1 MiB.
pub const PAGE_KEYS_MAX: usize = 1_000;

/// The largest number of keys in a batch: that of a page, so that a page can be read or deleted at
/// once.
pub const BATCH_KEYS_MAX: usize = PAGE_KEYS_MAX;

/// The largest number of value bytes in a batch: four values of the largest size.
pub const BATCH_BYTES_MAX: usize = 4 * VALUE_LEN_MAX;

/// The longest name of a bucket, in bytes.
pub const BUCKET_NAME_LEN_MAX: usize = 128;

/// The number of value bytes that still fit into a batch.
pub(super) struct BatchBudget {
    bytes_left: usize,
}

pub(super) fn check_key(key: &str) -> Result<(), KeyValueError> {
    let problem = if key.is_empty() {
        "the key is empty".to_owned()
    } else if key.len() > KEY_LEN_MAX {
        format!(
            "the key has {} bytes, at most {KEY_LEN_MAX} are allowed",
            key.len()
        )
    } else if let Some(character) = key.chars().find(|character| character.is_control()) {
        // Keys are printed in logs and lists, where control characters could forge lines.
        format!("the key has the control character {character:?}")
    } else {
        return Ok(());
    };
    Err(KeyValueError::Other(problem))
}

pub(super) fn check_value(value: &[u8], max: usize) -> Result<(), KeyValueError> {
    if value.len() <= max {
        return Ok(());
    }
    let len = value.len();
    Err(KeyValueError::Other(format!(
        "the value has {len} bytes, at most {max} are allowed"
    )))
}

pub(super) fn check_batch(keys_len: usize) -> Result<(), KeyValueError> {
    if keys_len <= BATCH_KEYS_MAX {
        return Ok(());
    }
    Err(KeyValueError::Other(format!(
        "the batch has {keys_len} keys, at most {BATCH_KEYS_MAX} are allowed"
    )))
}

// === impl BatchBudget ===

impl Default for BatchBudget {
    fn default() -> Self {
        Self {
            bytes_left: BATCH_BYTES_MAX,
        }
    }
}

impl BatchBudget {
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), KeyValueError> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(|| {
            KeyValueError::Other(format!("the values of the batch have more than {BATCH_BYTES_MAX} bytes; use smaller batches"))
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_printable() {
        let longest = "k".repeat(KEY_LEN_MAX);
        for key in ["a", "ä/b c:ü", longest.as_str()] {
            assert_eq!(check_key(key), Ok(()), "{key}");
        }
        let too_long = "k".repeat(KEY_LEN_MAX + 1);
        for key in ["", "a\nb", "a\0", too_long.as_str()] {
            assert!(check_key(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn values_and_batches_have_an_end() {
        assert!(check_value(&vec![0; VALUE_LEN_MAX], VALUE_LEN_MAX).is_ok());
        assert!(check_value(&vec![0; VALUE_LEN_MAX + 1], VALUE_LEN_MAX).is_err());
        assert!(check_batch(BATCH_KEYS_MAX).is_ok());
        assert!(check_batch(BATCH_KEYS_MAX + 1).is_err());
        let mut budget = BatchBudget::default();
        assert!(budget.spend(BATCH_BYTES_MAX).is_ok());
        assert!(budget.spend(1).is_err());
    }
}
