//! A tokenizer of JSON (RFC 8259).
//!
//! `serde_json` is not used, since it reads numbers as doubles unless a feature changes it for the
//! whole workspace, ends at the first number that is out of range, and cannot go back.

use std::borrow::Cow;

use super::{Items, Reader, Text, Token};
use crate::error::{Location, SyntaxError};
use crate::number::{Number, scan};

const END: &str = "the end of the body";

/// The replacement of half a surrogate pair.
const REPLACEMENT: char = '\u{fffd}';

/// Reads a body of JSON.
pub(crate) struct JsonReader<'de> {
    text: &'de str,
    offset: usize,
}

impl<'de> JsonReader<'de> {
    pub(crate) fn new(body: &'de [u8]) -> Result<Self, SyntaxError> {
        match std::str::from_utf8(body) {
            Ok(text) => Ok(Self { text, offset: 0 }),
            Err(error) => {
                let (before, rest) = body.split_at(error.valid_up_to());
                let text = std::str::from_utf8(before).unwrap_or_default();
                let byte = rest.first().copied().unwrap_or_default();
                Err(SyntaxError {
                    location: location(text),
                    expected: "UTF-8",
                    found: format!("the byte 0x{byte:02x}"),
                })
            }
        }
    }

    fn bytes(&self) -> &'de [u8] {
        self.text.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.offset).copied()
    }

    /// Skips white space and returns the byte that follows.
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = self.peek()?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.offset += 1;
        }
    }

    fn unexpected(&self, expected: &'static str) -> SyntaxError {
        let found = match self.text[self.offset..].chars().next() {
            None => END.to_owned(),
            Some(letter) if letter.is_control() => format!("U+{:04X}", u32::from(letter)),
            Some(letter) => format!("`{letter}`"),
        };
        self.error(self.offset, expected, found)
    }

    fn literal(
        &mut self,
        literal: &'static str,
        token: Token<'de>,
    ) -> Result<Token<'de>, SyntaxError> {
        let rest = &self.bytes()[self.offset..];
        if rest.starts_with(literal.as_bytes()) {
            self.offset += literal.len();
            return Ok(token);
        }
        let matching = rest.iter().zip(literal.bytes());
        self.offset += matching.take_while(|(found, of)| **found == *of).count();
        Err(self.unexpected(literal))
    }

    fn number(&mut self) -> Result<Token<'de>, SyntaxError> {
        let rest = &self.text[self.offset..];
        match scan(rest.as_bytes()) {
            Ok(length) => {
                self.offset += length;
                Ok(Token::Number(Number::Decimal(&rest[..length])))
            }
            Err(defect) => {
                self.offset += defect;
                Err(self.unexpected("a digit"))
            }
        }
    }

    /// Reads a string, after its quote.
    fn string(&mut self) -> Result<Text<'de>, SyntaxError> {
        let mut text = Text {
            text: Cow::Borrowed(self.plain()),
            has_lone_surrogate: false,
        };
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.offset += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    if let Cow::Borrowed(plain) = text.text {
                        let mut owned = String::with_capacity(plain.len() + self.length_left());
                        owned.push_str(plain);
                        text.text = Cow::Owned(owned);
                    }
                    self.offset += 1;
                    let letter = self.escape()?;
                    text.has_lone_surrogate |= letter.is_none();
                    let owned = text.text.to_mut();
                    owned.push(letter.unwrap_or(REPLACEMENT));
                    owned.push_str(self.plain());
                }
                _ => return Err(self.unexpected("`\"`, or a character of a string")),
            }
        }
    }

    /// An upper bound of the bytes that follow in a string, close to their number: a long string
    /// does not grow in steps of twice its memory.
    fn length_left(&self) -> usize {
        let mut rest = self.bytes()[self.offset..].iter();
        let mut length = 0;
        while let Some(byte) = rest.next() {
            match byte {
                b'"' => break,
                b'\\' if rest.next() == Some(&b'u') => {
                    length += 3;
                    rest = rest.as_slice().get(4..).unwrap_or_default().iter();
                }
                _ => length += 1,
            }
        }
        length
    }

    /// Reads characters up to a quote, a backslash, a control character or the end.
    fn plain(&mut self) -> &'de str {
        let rest = &self.text[self.offset..];
        let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let length = rest.as_bytes().iter().position(is_end);
        let plain = &rest[..length.unwrap_or(rest.len())];
        self.offset += plain.len();
        plain
    }

    /// Reads an escape, after its backslash; `None` for half of a surrogate pair.
    fn escape(&mut self) -> Result<Option<char>, SyntaxError> {
        let letter = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.offset += 1;
                return self.unicode();
            }
            _ => return Err(self.unexpected("one of `\"\\/bfnrtu`")),
        };
        self.offset += 1;
        Ok(Some(letter))
    }

    /// Reads four hexadecimal digits, and four more for a surrogate pair.
    fn unicode(&mut self) -> Result<Option<char>, SyntaxError> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first));
        }
        let after_first = self.offset;
        if self.bytes()[self.offset..].starts_with(b"\\u") {
            self.offset += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let letter = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(letter));
            }
        }
        self.offset = after_first;
        Ok(None)
    }

    fn hex(&mut self) -> Result<u32, SyntaxError> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self
                .peek()
                .map(char::from)
                .and_then(|byte| byte.to_digit(16));
            value = value * 16 + digit.ok_or_else(|| self.unexpected("a hexadecimal digit"))?;
            self.offset += 1;
        }
        Ok(value)
    }

    /// Reads up to the next item of a list or an object; false at its end.
    fn item(
        &mut self,
        items: &mut Items,
        end: u8,
        expected: &'static str,
    ) -> Result<bool, SyntaxError> {
        let is_first = std::mem::take(&mut items.is_first);
        match self.next() {
            Some(byte) if byte == end => {
                self.offset += 1;
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.offset += 1;
                Ok(true)
            }
            Some(_) if is_first => Ok(true),
            _ => Err(self.unexpected(expected)),
        }
    }
}

impl<'de> Reader<'de> for JsonReader<'de> {
    fn token(&mut self) -> Result<Token<'de>, SyntaxError> {
        match self.next() {
            Some(b'n') => self.literal("null", Token::Null),
            Some(b't') => self.literal("true", Token::Bool(true)),
            Some(b'f') => self.literal("false", Token::Bool(false)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'"') => {
                self.offset += 1;
                self.string().map(Token::Text)
            }
            Some(b'[') => {
                self.offset += 1;
                Ok(Token::List(Items::text()))
            }
            Some(b'{') => {
                self.offset += 1;
                Ok(Token::Object(Items::text()))
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    fn element(&mut self, items: &mut Items) -> Result<bool, SyntaxError> {
        self.item(items, b']', "`,` or `]`")
    }

    fn key(&mut self, items: &mut Items) -> Result<Option<Token<'de>>, SyntaxError> {
        if !self.item(items, b'}', "`,` or `}`")? {
            return Ok(None);
        }
        if self.next() != Some(b'"') {
            return Err(self.unexpected("a key in quotes"));
        }
        self.offset += 1;
        let key = self.string()?;
        if self.next() != Some(b':') {
            return Err(self.unexpected("`:`"));
        }
        self.offset += 1;
        Ok(Some(Token::Text(key)))
    }

    fn null(&mut self) -> Result<bool, SyntaxError> {
        if self.next() != Some(b'n') {
            return Ok(false);
        }
        self.token().map(|_| true)
    }

    fn offset(&self) -> usize {
        self.offset
    }

    fn seek(&mut self, offset: usize) {
        self.offset = offset;
    }

    fn finish(&mut self) -> Result<(), SyntaxError> {
        match self.next() {
            None => Ok(()),
            Some(_) => Err(self.unexpected(END)),
        }
    }

    fn error(&self, offset: usize, expected: &'static str, found: String) -> SyntaxError {
        SyntaxError {
            location: location(&self.text[..offset]),
            expected,
            found,
        }
    }
}

impl Items {
    const fn text() -> Self {
        Self {
            is_first: true,
            left: None,
        }
    }
}

/// The place after a text.
fn location(before: &str) -> Location {
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Location::Text {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}
