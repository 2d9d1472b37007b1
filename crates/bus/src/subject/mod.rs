//! Subjects of messages, and patterns of subscriptions.
//!
//! On a NATS server a subject is text in which `.`, `*`, `>` and white space have a meaning, so a
//! careless publisher reaches more subscribers than intended. Here a subject is made only from
//! names, and each name is encoded as one *token*. The encoding is injective: letters, digits, `_`
//! and `-` stay, and every other byte becomes `=` and two hexadecimal digits. The first tokens are
//! `weft` and the name of the lattice ([`Scope`]), so lattices on one server never meet. Replies to
//! requests go to `weft-inbox` and the name of the lattice, so a subscription to all of
//! `weft.<lattice>.>` does not receive them. A host needs the permissions `weft.<lattice>.>` and
//! `weft-inbox.<lattice>.>`.

use std::fmt;
use std::sync::Arc;

use weft_wire::MAX_LATTICE_BYTES;

/// Longest encoded token. Names in manifests are DNS labels (63), names of interfaces have some 80
/// characters with a fifth of them encoded, and names of Kubernetes objects have up to 253.
pub const TOKEN_BYTES_MAX: usize = 255;

/// Longest subject. A server reads control lines of up to 4,096 bytes, which hold a subject, a
/// reply subject and two numbers.
pub const SUBJECT_BYTES_MAX: usize = 1024;

/// Maximum number of names in a subject, without those of the scope. Servers match token by token.
pub const SUBJECT_NAMES_MAX: usize = 16;

const PREFIX: &str = "weft";

/// First token of reply subjects.
const INBOX_PREFIX: &str = "weft-inbox";

const ESCAPE: u8 = b'=';

/// The prefix of all subjects of one lattice.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// `weft.<lattice>.`
    start: Arc<str>,
    /// `weft-inbox.<lattice>.`
    inbox_start: Arc<str>,
    lattice: Arc<str>,
}

/// The address of a message: names, and never a wildcard.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    text: Arc<str>,
    /// Offset of the first name.
    scope_length: usize,
}

/// The subjects that a subscription matches.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    text: Arc<str>,
    /// False for a single subject, which an index finds without scanning all patterns.
    has_wildcard: bool,
}

/// One position of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Exactly this name.
    Name(&'a str),
    /// Any single name.
    Any,
    /// One or more names, to the end of the subject. Valid only as the last part.
    Rest,
}

/// The reason why names do not form a subject or a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// A name is empty, which has no encoding.
    #[error("empty name at position {place} of a subject")]
    EmptyName {
        /// Position of the name, from 1; 0 is the name of the lattice.
        place: usize,
    },
    /// The name of a lattice is longer than a frame has room for.
    #[error(
        "name of a lattice is too long: expected at most {MAX_LATTICE_BYTES} bytes, found {found}"
    )]
    LongLattice {
        /// Length of the name.
        found: usize,
    },
    /// A name is longer than a token may be.
    #[error(
        "name at position {place} of a subject is too long: expected at most {TOKEN_BYTES_MAX} bytes \
         when encoded, found {found}"
    )]
    LongName {
        /// Position of the name, from 1; 0 is the name of the lattice.
        place: usize,
        /// Encoded length of the name.
        found: usize,
    },
    /// The whole subject is too long.
    #[error("subject is too long: expected at most {SUBJECT_BYTES_MAX} bytes, found {found}")]
    LongSubject {
        /// Encoded length of the subject.
        found: usize,
    },
    /// Names are missing, or there are too many.
    #[error("wrong number of names in a subject: expected 1 to {SUBJECT_NAMES_MAX}, found {found}")]
    Count {
        /// Number of names.
        found: usize,
    },
    /// [`Part::Rest`] precedes the last position.
    #[error("misplaced rest wildcard at position {place} of a pattern: expected as the last part")]
    RestNotLast {
        /// Position of the part, from 1.
        place: usize,
    },
}

impl Scope {
    /// The scope of a lattice.
    ///
    /// # Errors
    /// [`SubjectError::EmptyName`], [`SubjectError::LongLattice`], or [`SubjectError::LongName`] if
    /// the encoding of a shorter name is too long.
    pub fn new(lattice: &str) -> Result<Self, SubjectError> {
        let found = lattice.len();
        if found > MAX_LATTICE_BYTES {
            return Err(SubjectError::LongLattice { found });
        }
        let mut token = String::new();
        push_token(&mut token, lattice, 0)?;
        Ok(Self {
            start: format!("{PREFIX}.{token}.").into(),
            inbox_start: format!("{INBOX_PREFIX}.{token}.").into(),
            lattice: lattice.into(),
        })
    }

    /// The name of the lattice.
    #[must_use]
    pub fn lattice(&self) -> &str {
        &self.lattice
    }

    /// The text with which the reply subjects of an inbox begin.
    pub(super) fn inbox(&self, inbox: &str) -> String {
        format!("{}{inbox}.", self.inbox_start)
    }

    /// The reply subject of request `number` of an inbox; `inbox` has to be a token.
    pub(super) fn answer(&self, inbox: &str, number: u64) -> Subject {
        Subject {
            text: format!("{}{inbox}.{number}", self.inbox_start).into(),
            scope_length: self.inbox_start.len(),
        }
    }

    /// True if the subject belongs to this lattice.
    pub(super) fn owns(&self, subject: &Subject) -> bool {
        self.start_of(&subject.text).is_some()
    }

    /// Makes the subject of these names in this lattice.
    ///
    /// # Errors
    /// A [`SubjectError`] if a name is empty, or a length or count is over its limit.
    pub fn subject(&self, names: &[&str]) -> Result<Subject, SubjectError> {
        check_count(names.len())?;
        let mut text = self.start.to_string();
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                text.push('.');
            }
            push_token(&mut text, name, index + 1)?;
        }
        check_length(&text)?;
        Ok(Subject {
            text: text.into(),
            scope_length: self.start.len(),
        })
    }

    /// Makes the pattern of these parts in this lattice.
    ///
    /// # Errors
    /// As for [`Scope::subject`], and [`SubjectError::RestNotLast`].
    pub fn pattern(&self, parts: &[Part<'_>]) -> Result<Pattern, SubjectError> {
        check_count(parts.len())?;
        let mut text = self.start.to_string();
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                text.push('.');
            }
            match part {
                Part::Name(name) => push_token(&mut text, name, index + 1)?,
                Part::Any => text.push('*'),
                Part::Rest if index + 1 == parts.len() => text.push('>'),
                Part::Rest => return Err(SubjectError::RestNotLast { place: index + 1 }),
            }
        }
        check_length(&text)?;
        Ok(Pattern {
            text: text.into(),
            has_wildcard: parts.iter().any(|part| !matches!(part, Part::Name(_))),
        })
    }

    /// Parses a subject received over the bus. `None` if the text belongs to another lattice or
    /// differs from the encoding of [`Scope::subject`]: then the sender is not a host of this
    /// lattice.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<Subject> {
        let start = self.start_of(text)?;
        let names = &text[start.len()..];
        let well_formed = text.len() <= SUBJECT_BYTES_MAX
            && names.split('.').count() <= SUBJECT_NAMES_MAX
            && names.split('.').all(is_token);
        well_formed.then(|| Subject {
            text: text.into(),
            scope_length: start.len(),
        })
    }

    fn start_of(&self, text: &str) -> Option<&str> {
        let starts = [&*self.start, &*self.inbox_start];
        starts.into_iter().find(|start| text.starts_with(start))
    }
}

impl Subject {
    /// The subject as text, as a NATS server has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The inbox and the request number, if this is a reply subject.
    pub(super) fn as_answer(&self) -> Option<(&str, u64)> {
        if !self.text.starts_with(INBOX_PREFIX) {
            return None;
        }
        let (inbox, number) = self.text[self.scope_length..].split_once('.')?;
        Some((inbox, number.parse().ok()?))
    }

    /// The names in the subject; of a reply subject, those of the inbox.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.text[self.scope_length..].split('.').map(decode)
    }
}

impl Pattern {
    /// The pattern as text, as a NATS server has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True if the pattern can match more than one subject.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.has_wildcard
    }

    /// True if the pattern matches `subject`, by the rules of a NATS server.
    #[must_use]
    pub fn matches(&self, subject: &Subject) -> bool {
        if !self.has_wildcard {
            return self.text == subject.text;
        }
        let mut tokens = subject.text.split('.');
        for part in self.text.split('.') {
            match (part, tokens.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (part, Some(token)) if part == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }
}

impl From<&Subject> for Pattern {
    /// The pattern that matches only this subject.
    fn from(subject: &Subject) -> Self {
        Self {
            text: subject.text.clone(),
            has_wildcard: false,
        }
    }
}

/// Encodes `name` as one token of a record key, as in a subject.
///
/// # Errors
/// A [`SubjectError`] that names `place`, if the name is empty or too long.
pub fn token(name: &str, place: usize) -> Result<String, SubjectError> {
    let mut text = String::new();
    push_token(&mut text, name, place)?;
    Ok(text)
}

/// Decodes a token; `None` if the text is not a valid token.
#[must_use]
pub fn name_of(token: &str) -> Option<String> {
    is_token(token).then(|| decode(token))
}

fn push_token(text: &mut String, name: &str, place: usize) -> Result<(), SubjectError> {
    if name.is_empty() {
        return Err(SubjectError::EmptyName { place });
    }
    let escaped = name.bytes().filter(|byte| !stays(*byte)).count();
    let found = name.len() + 2 * escaped;
    if found > TOKEN_BYTES_MAX {
        return Err(SubjectError::LongName { place, found });
    }
    escape(text, name);
    Ok(())
}

/// Appends `name` as a token, without a limit on its length.
pub fn escape(text: &mut String, name: &str) {
    for byte in name.bytes() {
        if stays(byte) {
            text.push(char::from(byte));
        } else {
            text.push(char::from(ESCAPE));
            text.push(hexadecimal(byte >> 4));
            text.push(hexadecimal(byte & 0xf));
        }
    }
}

fn check_count(found: usize) -> Result<(), SubjectError> {
    if (1..=SUBJECT_NAMES_MAX).contains(&found) {
        return Ok(());
    }
    Err(SubjectError::Count { found })
}

fn check_length(text: &str) -> Result<(), SubjectError> {
    if text.len() <= SUBJECT_BYTES_MAX {
        return Ok(());
    }
    Err(SubjectError::LongSubject { found: text.len() })
}

fn stays(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn hexadecimal(digit: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(digit & 0xf)])
}

/// True if `text` is the encoding of a name; each name has exactly one.
fn is_token(text: &str) -> bool {
    if text.is_empty() || text.len() > TOKEN_BYTES_MAX {
        return false;
    }
    // Fast path: nearly every token is a plain name, and every received message is checked.
    if text.bytes().all(stays) {
        return true;
    }
    let Some(bytes) = unescape(text) else {
        return false;
    };
    String::from_utf8(bytes).is_ok_and(|name| {
        let mut again = String::with_capacity(text.len());
        push_token(&mut again, &name, 0).is_ok() && again == text
    })
}

/// Decodes a token for which [`is_token`] holds.
fn decode(token: &str) -> String {
    let name = unescape(token).and_then(|bytes| String::from_utf8(bytes).ok());
    name.unwrap_or_else(|| token.to_owned())
}

/// Decodes the output of [`escape`]; `None` for any other text.
#[must_use]
pub fn unescape(token: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(token.len());
    let mut bytes = token.bytes();
    while let Some(byte) = bytes.next() {
        if byte != ESCAPE {
            name.push(byte);
            continue;
        }
        let (high, low) = (value(bytes.next()?)?, value(bytes.next()?)?);
        name.push(high << 4 | low);
    }
    Some(name)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Subject({})", self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pattern({})", self.text)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Scope({})", self.start)
    }
}

#[cfg(test)]
mod tests;
