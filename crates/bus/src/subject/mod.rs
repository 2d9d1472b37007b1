//! Subjects: where a message is published, and the patterns that ask for messages.
//!
//! On a NATS server a subject is text in which `.`, `*`, `>` and white space mean something, and a
//! publisher who is not careful addresses more than it meant. Here a subject is made only from
//! names, and any name becomes one *token* by an encoding that no two names share: letters, digits,
//! `_` and `-` stay, every other byte becomes `=` and two hexadecimal digits. The first tokens are
//! `weft` and the lattice's name ([`Scope`]), so that lattices on one server never meet. Answers to
//! requests go to `weft-inbox` and the lattice's name, so that who asks for everything is not given
//! them. The permissions that a host needs are `weft.<lattice>.>` and `weft-inbox.<lattice>.>`.

use std::fmt;
use std::sync::Arc;

/// The longest token, encoded. Names of the manifest are DNS labels (63), names of interfaces some
/// 80 characters with a fifth of them encoded, and of Kubernetes objects 253.
pub const TOKEN_BYTES_MAX: usize = 255;

/// The longest subject. A server reads control lines of up to 4,096 bytes, which hold a subject, the
/// subject to reply to, and two numbers.
pub const SUBJECT_BYTES_MAX: usize = 1024;

/// The most names in a subject, after those of the scope. Servers match token by token.
pub const SUBJECT_NAMES_MAX: usize = 16;

const PREFIX: &str = "weft";

/// What the subjects begin with that answers go to.
const INBOX_PREFIX: &str = "weft-inbox";

const ESCAPE: u8 = b'=';

/// A lattice as a part of subjects: what every one of them begins with.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// `weft.<lattice>.`
    start: Arc<str>,
    /// `weft-inbox.<lattice>.`
    inbox_start: Arc<str>,
    lattice: Arc<str>,
}

/// Where a message is published: names, and never a wildcard.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    text: Arc<str>,
    /// Where the names begin.
    scope_length: usize,
}

/// Which subjects a subscription asks for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    text: Arc<str>,
    /// Whether it is one subject: an index finds those without looking at each.
    has_wildcard: bool,
}

/// One place of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// This name alone.
    Name(&'a str),
    /// Any one name.
    Any,
    /// One name or more, to the end of the subject. Only the last part may be this.
    Rest,
}

/// Why names do not make a subject or a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// A name is empty, which no subject can say.
    #[error("expected a name in place {place} of a subject, found an empty one")]
    EmptyName {
        /// Which name, from 1; 0 is the lattice's.
        place: usize,
    },
    /// A name is longer than a token may be.
    #[error(
        "expected names that are at most {TOKEN_BYTES_MAX} bytes when encoded, found {found} in \
         place {place} of a subject"
    )]
    LongName {
        /// Which name, from 1; 0 is the lattice's.
        place: usize,
        /// Its length, encoded.
        found: usize,
    },
    /// All together are too long.
    #[error("expected a subject of at most {SUBJECT_BYTES_MAX} bytes, found {found}")]
    LongSubject {
        /// Its length, encoded.
        found: usize,
    },
    /// There is no name, or there are too many.
    #[error("expected 1 to {SUBJECT_NAMES_MAX} names in a subject, found {found}")]
    Count {
        /// How many there are.
        found: usize,
    },
    /// [`Part::Rest`] stands before the last place.
    #[error(
        "expected the rest of a subject as the last part of a pattern, found it in place {place}"
    )]
    RestNotLast {
        /// Which part, from 1.
        place: usize,
    },
}

impl Scope {
    /// The scope of a lattice.
    ///
    /// # Errors
    /// [`SubjectError::EmptyName`] or [`SubjectError::LongName`].
    pub fn new(lattice: &str) -> Result<Self, SubjectError> {
        let mut token = String::new();
        push_token(&mut token, lattice, 0)?;
        Ok(Self {
            start: format!("{PREFIX}.{token}.").into(),
            inbox_start: format!("{INBOX_PREFIX}.{token}.").into(),
            lattice: lattice.into(),
        })
    }

    /// The lattice's name.
    #[must_use]
    pub fn lattice(&self) -> &str {
        &self.lattice
    }

    /// What the answers to requests of an inbox go to, as the text of subjects begins.
    pub(super) fn inbox(&self, inbox: &str) -> String {
        format!("{}{inbox}.", self.inbox_start)
    }

    /// Where the answer to request `number` of an inbox goes; `inbox` has to be a token.
    pub(super) fn answer(&self, inbox: &str, number: u64) -> Subject {
        Subject {
            text: format!("{}{inbox}.{number}", self.inbox_start).into(),
            scope_length: self.inbox_start.len(),
        }
    }

    /// Whether a subject is one of this lattice.
    pub(super) fn owns(&self, subject: &Subject) -> bool {
        self.start_of(&subject.text).is_some()
    }

    /// The subject that these names make in this lattice.
    ///
    /// # Errors
    /// A [`SubjectError`] if a name is empty, or something is too long or too many.
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

    /// The pattern that these parts make in this lattice.
    ///
    /// # Errors
    /// As [`Scope::subject`], and [`SubjectError::RestNotLast`].
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

    /// Reads a subject that came over the bus. It is `None` if the text is none of this lattice, or
    /// not as [`Scope::subject`] writes it: whoever sent it is no host of ours.
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
    /// As the server sees it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The inbox and the number of the request, if this is where the answer to one goes.
    pub(super) fn as_answer(&self) -> Option<(&str, u64)> {
        if !self.text.starts_with(INBOX_PREFIX) {
            return None;
        }
        let (inbox, number) = self.text[self.scope_length..].split_once('.')?;
        Some((inbox, number.parse().ok()?))
    }

    /// The names it was made from; of where an answer goes, those of the inbox.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.text[self.scope_length..].split('.').map(decode)
    }
}

impl Pattern {
    /// As the server sees it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it asks for more than one subject.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.has_wildcard
    }

    /// Whether it asks for `subject`, by the rules of a NATS server.
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
    /// The pattern that asks for this subject alone.
    fn from(subject: &Subject) -> Self {
        Self {
            text: subject.text.clone(),
            has_wildcard: false,
        }
    }
}

/// Encodes `name`, which stands in this place, as one token of the key of a record: as in a subject.
pub fn token(name: &str, place: usize) -> Result<String, SubjectError> {
    let mut text = String::new();
    push_token(&mut text, name, place)?;
    Ok(text)
}

/// The name that `token` was made from, or `None` if it is no token.
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

/// Appends `name` as a token, of whatever length.
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

/// Whether `text` is what some name is encoded as: the only spelling of that name.
fn is_token(text: &str) -> bool {
    if text.is_empty() || text.len() > TOKEN_BYTES_MAX {
        return false;
    }
    // Nearly every token is a plain name, and every message that arrives is looked at.
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

/// What a token says. Only called on what [`is_token`] holds for.
fn decode(token: &str) -> String {
    let name = unescape(token).and_then(|bytes| String::from_utf8(bytes).ok());
    name.unwrap_or_else(|| token.to_owned())
}

/// What [`escape`] made a token from, if it did.
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
