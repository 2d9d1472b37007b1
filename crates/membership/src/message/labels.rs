//! Labels of a host: its location, and further ones set by operators.

use std::collections::BTreeMap;

use thiserror::Error;

use super::limits::{MAX_LABEL_BYTES, MAX_LABELS};

/// The labels of a host, by name. [`routing`](crate::routing) uses `cloud`, `region` and `zone`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(BTreeMap<String, String>);

/// The reason why a label is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LabelError {
    /// The name is invalid.
    #[error(
        "`{}` is not a label's name: expected 1 to {MAX_LABEL_BYTES} characters of `A-Za-z0-9-_./`",
        .text.escape_debug()
    )]
    Name {
        /// The name, truncated if long.
        text: String,
    },
    /// The value is invalid.
    #[error(
        "`{}` is not a label's value: expected up to {MAX_LABEL_BYTES} characters of `A-Za-z0-9-_./`",
        .text.escape_debug()
    )]
    Value {
        /// The value, truncated if long.
        text: String,
    },
    /// The host has too many labels.
    #[error("too many labels of a host: at most {MAX_LABELS} are allowed")]
    TooMany,
}

impl Labels {
    /// Adds a label, or replaces its value.
    ///
    /// # Errors
    /// If the name or the value is invalid, or there are too many labels.
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

    /// All labels, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn is_label_text(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    text.len() <= MAX_LABEL_BYTES && text.bytes().all(allowed)
}

/// The beginning of a rejected text, for an error.
fn truncated(text: &str) -> String {
    text.chars().take(MAX_LABEL_BYTES).collect()
}
