//! Host ids: public keys, and their text form.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Length of an ed25519 public key.
pub const HOST_ID_BYTES: usize = 32;

/// First character of the text: a host id is a DNS label, which begins with a letter.
const PREFIX: char = 'h';

/// RFC 4648, in lower case: ids are used unescaped in subjects, file names and Kubernetes labels.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Bits per character.
const BITS: u32 = 5;

/// Number of characters after the prefix: 256 bits, 5 in each.
const DIGITS: usize = (HOST_ID_BYTES * 8).div_ceil(BITS as usize);

/// A host, identified by its ed25519 public key. The text is `h` and the key in base32: a DNS label
/// of 53 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId([u8; HOST_ID_BYTES]);

/// The text is not a host id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{}` is not a host id: expected `h` and {DIGITS} characters of `a-z2-7`", .text.escape_debug())]
pub struct HostIdError {
    text: String,
}

impl HostId {
    /// The host with this public key.
    #[must_use]
    pub const fn from_key(key: [u8; HOST_ID_BYTES]) -> Self {
        Self(key)
    }

    /// The public key.
    #[must_use]
    pub const fn key(&self) -> &[u8; HOST_ID_BYTES] {
        &self.0
    }

    /// The first characters of the text, for display: unique within any lattice, and short enough
    /// for a column.
    #[must_use]
    pub fn short(&self) -> String {
        const SHORT_LENGTH: usize = 9;
        let mut text = self.to_string();
        text.truncate(SHORT_LENGTH);
        text
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(1 + DIGITS);
        text.push(PREFIX);
        // Holds at most 12 bits at any time.
        let (mut buffer, mut bits) = (0_u32, 0);
        for byte in self.0 {
            buffer = (buffer << 8) | u32::from(byte);
            bits += 8;
            while bits >= BITS {
                bits -= BITS;
                text.push(digit(buffer >> bits));
            }
            buffer &= (1 << bits) - 1;
        }
        text.push(digit(buffer << (BITS - bits)));
        formatter.pad(&text)
    }
}

impl fmt::Debug for HostId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HostId({})", self.short())
    }
}

impl FromStr for HostId {
    type Err = HostIdError;

    fn from_str(text: &str) -> Result<Self, HostIdError> {
        let error = || HostIdError {
            // Longer text is not a host id, and is not repeated in full.
            text: text.chars().take(2 * DIGITS).collect(),
        };
        parse(text).ok_or_else(error)
    }
}

/// Parses the canonical text of an id, in which the unused bits are zero.
fn parse(text: &str) -> Option<HostId> {
    let digits = text.strip_prefix(PREFIX)?.as_bytes();
    if digits.len() != DIGITS {
        return None;
    }
    let mut key = [0; HOST_ID_BYTES];
    let mut bytes = key.iter_mut();
    let (mut buffer, mut bits) = (0_u32, 0);
    for digit in digits {
        let value = ALPHABET.iter().position(|known| known == digit)?;
        buffer = (buffer << BITS) | u32::try_from(value).ok()?;
        bits += BITS;
        if bits >= 8 {
            bits -= 8;
            *bytes.next()? = u8::try_from(buffer >> bits).ok()?;
            buffer &= (1 << bits) - 1;
        }
    }
    (buffer == 0).then_some(HostId(key))
}

fn digit(bits: u32) -> char {
    let index = (bits as usize) % ALPHABET.len();
    char::from(ALPHABET[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let counting = std::array::from_fn(|index| index as u8);
        let texts = [
            (
                [0; 32],
                "haaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ),
            (
                [0xff; 32],
                "h777777777777777777777777777777777777777777777777777q",
            ),
            (
                counting,
                "haaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq",
            ),
        ];
        for (key, text) in texts {
            let id = HostId::from_key(key);
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id));
        }
    }

    #[test]
    fn other_spellings_are_rejected() {
        let good = HostId::from_key([0; 32]).to_string();
        let bits_left_over = format!("{}b", &good[..52]);
        let refused = [
            "",
            "h",
            &good[1..],
            &good[..52],
            &good.to_uppercase(),
            &good.replace('a', "1"),
            &format!("{good}a"),
            &good.replacen("haa", "h*.", 1),
            &bits_left_over,
            &"é".repeat(26),
        ];
        for text in refused {
            assert!(text.parse::<HostId>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_quotes_the_text_shortened_and_escaped() {
        let error = format!("h\n{}", "x".repeat(10_000)).parse::<HostId>();
        let text = error.expect_err("not an id").to_string();
        assert!(text.len() < 250 && !text.contains('\n'), "{text}");
    }
}
