//! The labels of a host: what it says about where it is, and what an operator says about it.

use std::collections::BTreeMap;

use thiserror::Error;

use super::limits::{MAX_LABEL_BYTES, MAX_LABELS};

/// The labels of a host, by name. The three that [`routing`](crate::routing) knows are `cloud`, `region` and
/// `zone`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(BTreeMap<String, String>);

/// Why a label is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LabelError {
    /// The name cannot be one.
    #[error(
        "`{}` is not a label's name: expected 1 to {MAX_LABEL_BYTES} characters of `A-Za-z0-9-_./`",
        .text.escape_debug()
    )]
    Name {
        /// The name, cut if it is long.
        text: String,
    },
    /// The value cannot be one.
    #[error(
        "`{}` is not a label's value: expected up to {MAX_LABEL_BYTES} characters of `A-Za-z0-9-_./`",
        .text.escape_debug()
    )]
    Value {
        /// The value, cut if it is long.
        text: String,
    },
    /// There are too many.
    #[error("expected at most {MAX_LABELS} labels of a host, found more")]
    TooMany,
}

impl Labels {
    /// Adds a label, or gives one another value.
    ///
    /// # Errors
    /// If the name or the value cannot be one, or there are too many.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), LabelError> {
        if name.is_empty() || !is_label_text(name) {
            return Err(LabelError::Name {
                text: truncated(name),
            });
        }
        if !is_label_text(value) {
            return Err(LabelError::Value {
                text: truncated(value),
            });
        }
        if self.0.len() == MAX_LABELS && !self.0.contains_key(name) {
            return Err(LabelError::TooMany);
        }
        self.0.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The last one, by name.
    pub(super) fn last(&self) -> Option<&str> {
        self.0.last_key_value().map(|(name, _)| name.as_str())
    }
}

fn is_label_text(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    text.len() <= MAX_LABEL_BYTES && text.bytes().all(allowed)
}

/// As much of a text that was refused as is worth repeating.
fn truncated(text: &str) -> String {
    text.chars().take(MAX_LABEL_BYTES).collect()
}
