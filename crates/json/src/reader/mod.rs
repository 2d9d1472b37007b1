//! Bodies as tokens, on demand.
//!
//! A decoder pulls one token after the other along the type that it expects, so no tree of values
//! is built. It can go back to an offset: the payload of a variant can precede its tag.

mod cbor;
mod json;

use std::borrow::Cow;

use weft_wire::MAX_VALUE_DEPTH;

use crate::error::SyntaxError;
use crate::number::Number;
use crate::problem::quote;

pub(crate) use cbor::CborReader;
pub(crate) use json::JsonReader;

/// The start of a value, or a whole one.
#[derive(Debug)]
pub(crate) enum Token<'de> {
    Null,
    Bool(bool),
    Number(Number<'de>),
    Text(Text<'de>),
    /// A byte string of CBOR.
    Bytes(Cow<'de, [u8]>),
    List(Items),
    Object(Items),
}

/// A string of a body.
#[derive(Debug)]
pub(crate) struct Text<'de> {
    pub(crate) text: Cow<'de, str>,
    /// True if an escape is half of a surrogate pair, which no character is. It is replaced.
    pub(crate) has_lone_surrogate: bool,
}

/// The progress through a list or an object.
#[derive(Debug)]
pub(crate) struct Items {
    /// True before the first item.
    is_first: bool,
    /// The number of items that follow, if the body has it.
    left: Option<u64>,
}

/// A body that is read token by token.
pub(crate) trait Reader<'de> {
    /// Reads the start of a value.
    fn token(&mut self) -> Result<Token<'de>, SyntaxError>;

    /// Reads up to the next element of a list; false at its end.
    fn element(&mut self, items: &mut Items) -> Result<bool, SyntaxError>;

    /// Reads the next key of an object; `None` at its end. A key is a scalar.
    fn key(&mut self, items: &mut Items) -> Result<Option<Token<'de>>, SyntaxError>;

    /// Reads a null if the next value is one.
    fn null(&mut self) -> Result<bool, SyntaxError>;

    fn offset(&self) -> usize;

    /// Goes to an offset that was before a value.
    fn seek(&mut self, offset: usize);

    /// Checks that the body ends here.
    fn finish(&mut self) -> Result<(), SyntaxError>;

    fn error(&self, offset: usize, expected: &'static str, found: String) -> SyntaxError;

    /// Skips a value. It nests no deeper than values of the wire do, without recursion.
    fn skip(&mut self) -> Result<(), SyntaxError> {
        let mut open = Vec::new();
        loop {
            let start = self.offset();
            match self.token()? {
                Token::List(items) => open.push((false, items)),
                Token::Object(items) => open.push((true, items)),
                Token::Null
                | Token::Bool(_)
                | Token::Number(_)
                | Token::Text(_)
                | Token::Bytes(_) => {}
            }
            if open.len() > MAX_VALUE_DEPTH as usize {
                return Err(self.error(start, "at most 128 levels", "more".to_owned()));
            }
            while let Some((is_object, items)) = open.last_mut() {
                let has_next = match is_object {
                    true => self.key(items)?.is_some(),
                    false => self.element(items)?,
                };
                if has_next {
                    break;
                }
                open.pop();
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }
}

impl Token<'_> {
    /// The token in a message.
    pub(crate) fn found(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.text(),
            Self::Text(text) if text.has_lone_surrogate => {
                "a string with half of a surrogate pair".to_owned()
            }
            Self::Text(text) => format!("the string {}", quote(&text.text)),
            Self::Bytes(_) => "a byte string".to_owned(),
            Self::List(_) => "an array".to_owned(),
            Self::Object(_) => "an object".to_owned(),
        }
    }

    pub(crate) const fn is_container(&self) -> bool {
        matches!(self, Self::List(_) | Self::Object(_))
    }
}
