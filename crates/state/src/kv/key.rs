//! Keys of a [`KvBucket`](super::KvBucket): any names, encoded so that different names have
//! different subjects.

use std::fmt;

use weft_bus::subject::{escape, unescape};

/// The longest encoded key. Servers read control lines of up to 4,096 bytes, which hold the subject
/// with the name of the bucket, the reply subject, and two numbers.
pub const KEY_BYTES_MAX: usize = 2560;

/// The prefix of a name with all bytes in hexadecimal. An escape never begins so: `=` is followed
/// by a digit there.
const ALL_HEX: &str = "==";

/// An encoded key. Letters, digits, `_` and `-` stay, and other bytes become `=` and two
/// hexadecimal digits; where that would be longer, the name becomes `==` and the digits of all its
/// bytes, so that its length at most doubles.
///
/// # Examples
///
/// ```
/// use weft_state::kv::EntryKey;
///
/// let key = EntryKey::new(&["orders", "a.b *"])?;
/// assert_eq!(key.to_string(), "orders.a=2Eb=20=2A");
/// # Ok::<(), weft_state::kv::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey(String);

/// The reasons why names do not form a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The list of names is empty, or one of them is, which a subject cannot represent.
    #[error("invalid key: expected one or more names that are not empty, found an empty one")]
    Empty,
    /// The encoded key is too long.
    #[error("key too long: expected at most {KEY_BYTES_MAX} bytes when encoded, found {found}")]
    Long {
        /// The length of the encoded key.
        found: usize,
    },
}

impl EntryKey {
    /// Encodes names as a key.
    ///
    /// # Errors
    /// A [`KeyError`] if a name is empty, or if the key is too long.
    pub fn new(names: &[&str]) -> Result<Self, KeyError> {
        let mut text = String::new();
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                text.push('.');
            }
            text.push_str(&encode(name).ok_or(KeyError::Empty)?);
        }
        match text.len() {
            0 => Err(KeyError::Empty),
            found if found > KEY_BYTES_MAX => Err(KeyError::Long { found }),
            _ => Ok(Self(text)),
        }
    }

    /// A key of names that are already encoded.
    pub(crate) fn from_tokens(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EntryKey({})", self.0)
    }
}

fn encode(name: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    let mut text = String::with_capacity(name.len());
    escape(&mut text, name);
    if text.len() > ALL_HEX.len() + 2 * name.len() {
        text = format!("{ALL_HEX}{}", hex::encode_upper(name));
    }
    Some(text)
}

/// Decodes one name of a key; `None` for a text that [`EntryKey::new`] never writes.
pub(super) fn decode(token: &str) -> Option<String> {
    let bytes = match token.strip_prefix(ALL_HEX) {
        Some(digits) => hex::decode(digits).ok()?,
        None => unescape(token)?,
    };
    let name = String::from_utf8(bytes).ok()?;
    // Each name has one spelling; any other is foreign.
    (encode(&name)? == token).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_names_become_plain_text_and_come_back() {
        let long = "x".repeat(1024);
        let wide = "ü".repeat(512);
        let names = [
            "*",
            ">",
            ".",
            "..",
            "../a",
            "a b",
            "a.b",
            "a=2E",
            "==61",
            "=",
            "\u{1f980}",
            "$JS",
            "a\r\nPUB",
            long.as_str(),
            wide.as_str(),
        ];
        for name in names {
            let key = EntryKey::new(&["bucket", name]).unwrap().to_string();
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=".contains(&byte);
            let token = key.strip_prefix("bucket.").unwrap();
            assert!(token.bytes().all(plain), "{key}");
            assert_eq!(decode(token).as_deref(), Some(name));
        }
    }

    #[test]
    fn names_that_are_empty_or_too_long_are_refused() {
        for names in [&[][..], &[""], &["a", ""]] {
            assert_eq!(EntryKey::new(names), Err(KeyError::Empty), "{names:?}");
        }
        let long = "ü".repeat(KEY_BYTES_MAX / 4);
        let found = EntryKey::new(&[&long, "a"]).unwrap_err();
        assert_eq!(
            found,
            KeyError::Long {
                found: KEY_BYTES_MAX + 4
            }
        );
    }

    #[test]
    fn a_foreign_spelling_is_not_decoded() {
        for token in [
            "", "=", "=2", "=2e", "=41", "==", "==41", "a b", "=FF", "==zz",
        ] {
            assert_eq!(decode(token), None, "{token}");
        }
    }

    proptest! {
        #[test]
        fn no_two_names_share_a_key(one in "\\PC{1,80}", other in "[a-c=2E.*é]{1,6}") {
            let encoded = encode(&one).unwrap();
            prop_assert!(encoded.len() <= 2 * one.len() + 2);
            prop_assert_eq!(decode(&encoded), Some(one.clone()));
            prop_assert_eq!(encode(&other).unwrap() == encoded, one == other);
        }
    }
}
