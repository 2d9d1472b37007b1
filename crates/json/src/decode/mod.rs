//! From a body to value bytes, along a type.
//!
//! The encoded bytes go straight into the output. Keys of a record come in any order, so each field
//! is encoded where it is found, and the fields are brought into the order of WIT at the end of the
//! record if they are not in it.
//!
//! Reading goes on after a value of another type, so that one answer has all problems. The output
//! is of no use then.

mod expected;
mod object;
mod scalar;

use weft_wire::{Encoder, Limits, Scalar};

use crate::error::{DecodeError, SyntaxError};
use crate::problem::{MAX_PROBLEMS, Path, Problem, one_of};
use crate::reader::{CborReader, Items, JsonReader, Reader, Text, Token};
use crate::settings::{Format, Settings};
use crate::types::{Kind, Param, Type};

pub(crate) use expected::expected;
pub(crate) use scalar::{bool_key, char_of, encode_integer, float_word, in_range};

/// The most bytes of the length of a list.
const LENGTH_BYTES_MAX: usize = 5;

/// The most bytes of a scalar or a discriminant.
const SCALAR_BYTES_MAX: usize = 10;

/// An argument of a call, in the order of the parameters.
#[derive(Debug, Clone, Copy)]
pub enum Argument<'a> {
    /// A parameter that is a key of the body.
    Body(&'a Param),
    /// The value bytes of a parameter that comes from elsewhere, such as the path.
    Encoded(&'a [u8]),
}

/// Reads one value, which is the whole body.
///
/// The value bytes are appended to the output. After an error, the output has some bytes of no use.
/// A body nests no deeper than its type; the number of elements and the number of encoded bytes are
/// limited.
///
/// ```
/// use weft_json::{Format, Interface, Settings, decode};
/// use weft_wire::Limits;
///
/// let text = "package a:b; interface i { record p { x: s32, y: u64 } f: func(p: p); }";
/// let interface = Interface::from_text(text, "a:b/i")?;
/// let point = &interface.functions[0].params[0].ty;
/// let (settings, limits) = (Settings::default(), Limits::LINK);
///
/// let mut bytes = Vec::new();
/// let body = br#"{"y": 18446744073709551615, "x": -3e0}"#;
/// decode::value(Format::Json, body, point, settings, limits, &mut bytes)?;
/// assert_eq!(bytes, [0x7d, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
///
/// let body = br#"{"x": 1.5, "z": null}"#;
/// let error = decode::value(Format::Json, body, point, settings, limits, &mut bytes);
/// let weft_json::DecodeError::Invalid(problems) = error.unwrap_err() else {
///     panic!("the body is JSON");
/// };
/// assert_eq!(problems[0].pointer, "/x");
/// assert_eq!(problems[1].found, "an unknown key");
/// assert_eq!(problems[2].to_string(), "at `/y`: expected an integer from 0 to \
///     18446744073709551615, found nothing");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the body is malformed, has another type, or exceeds a limit.
pub fn value(
    format: Format,
    body: &[u8],
    ty: &Type,
    settings: Settings,
    limits: Limits,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    read(format, body, settings, limits, out, &Body::Value(ty))
}

/// Reads the arguments of a call from a body that is an object of parameters, and arguments from
/// elsewhere.
///
/// The arguments are appended to the output in their order, which makes them the tuple that a call
/// takes. For the rest, see [`value`].
///
/// # Errors
/// If the body is malformed, has another type, or exceeds a limit. A key of an argument from
/// elsewhere is unknown.
pub fn arguments(
    format: Format,
    body: &[u8],
    arguments: &[Argument<'_>],
    settings: Settings,
    limits: Limits,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    read(
        format,
        body,
        settings,
        limits,
        out,
        &Body::Arguments(arguments),
    )
}

/// The content of a body.
enum Body<'a> {
    Value(&'a Type),
    Arguments(&'a [Argument<'a>]),
}

fn read(
    format: Format,
    body: &[u8],
    settings: Settings,
    limits: Limits,
    out: &mut Vec<u8>,
    content: &Body<'_>,
) -> Result<(), DecodeError> {
    // Few values are longer on the wire, so the output rarely grows.
    out.reserve(body.len().min(limits.bytes));
    match format {
        Format::Json => {
            let reader = JsonReader::new(body)?;
            Decoder::new(reader, settings, limits, out).body(content)
        }
        Format::Cbor => {
            let reader = CborReader::new(body);
            Decoder::new(reader, settings, limits, out).body(content)
        }
    }
}

/// The reason to end before the end of the body.
enum Stop {
    Syntax(SyntaxError),
    TooLarge,
    /// No more problems are listed.
    Problems,
}

impl From<SyntaxError> for Stop {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax(error)
    }
}

impl From<weft_wire::EncodeError> for Stop {
    /// The decoder checks everything else before it encodes.
    fn from(_: weft_wire::EncodeError) -> Self {
        Self::TooLarge
    }
}

/// The bytes of an encoded part in the output.
type Span = (usize, usize);

struct Decoder<'o, R> {
    reader: R,
    settings: Settings,
    limits: Limits,
    elements_left: u64,
    out: &'o mut Vec<u8>,
    /// The length of the output before this value.
    start: usize,
    /// The spans of the fields of all records around the current value.
    spans: Vec<Option<Span>>,
    /// Fields of a record in another order.
    scratch: Vec<u8>,
    problems: Vec<Problem>,
}

impl<'de, 'o, R: Reader<'de>> Decoder<'o, R> {
    fn new(reader: R, settings: Settings, limits: Limits, out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        let bytes = limits.bytes.min(u32::MAX as usize);
        Self {
            reader,
            settings,
            limits: Limits { bytes, ..limits },
            elements_left: limits.elements,
            out,
            start,
            spans: Vec::new(),
            scratch: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn body(mut self, content: &Body<'_>) -> Result<(), DecodeError> {
        let read = match content {
            Body::Value(ty) => self.value(ty, &Path::Root),
            Body::Arguments(arguments) => self.arguments(arguments),
        };
        match read.and_then(|()| Ok(self.reader.finish()?)) {
            Err(Stop::Syntax(error)) => Err(error.into()),
            // A client fixes problems first.
            _ if !self.problems.is_empty() => Err(DecodeError::Invalid(self.problems)),
            Err(_) => Err(DecodeError::TooLarge {
                limit: self.limits.bytes,
            }),
            Ok(()) => Ok(()),
        }
    }

    /// The encoder of the next scalar, or of a value for which there is room.
    fn encoder(&mut self) -> Encoder<'_> {
        self.make_room(SCALAR_BYTES_MAX);
        let used = self.out.len() - self.start;
        Encoder::new(self.out, self.limits.bytes.saturating_sub(used))
    }

    /// Makes room in the output. It grows by a quarter, not by its whole length: a body takes at
    /// most twice the memory of itself and its value.
    fn make_room(&mut self, count: usize) {
        let (length, capacity) = (self.out.len(), self.out.capacity());
        let used = length - self.start;
        let count = count.min(self.limits.bytes.saturating_sub(used));
        if count > capacity - length {
            self.out.reserve_exact(count + capacity / 4);
        }
    }

    fn problem(
        &mut self,
        path: &Path<'_>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Result<(), Stop> {
        self.problems.push(Problem {
            pointer: path.pointer(),
            expected: expected.into(),
            found: found.into(),
        });
        match self.problems.len() {
            MAX_PROBLEMS => Err(Stop::Problems),
            _ => Ok(()),
        }
    }

    /// Reports a value of another type, and skips the rest of it.
    fn mismatch(
        &mut self,
        start: usize,
        token: &Token<'_>,
        ty: &Type,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        self.problem(path, expected(ty, self.settings), token.found())?;
        if token.is_container() {
            self.reader.seek(start);
            self.reader.skip()?;
        }
        Ok(())
    }

    /// Reads a value. The recursion is as deep as the type.
    fn value(&mut self, ty: &Type, path: &Path<'_>) -> Result<(), Stop> {
        if let Kind::Option(some) = ty.kind()
            && ty.is_nullable()
        {
            if self.reader.null()? {
                return Ok(self.encoder().none()?);
            }
            self.encoder().some()?;
            return self.value(some, path);
        }
        let start = self.reader.offset();
        let token = self.reader.token()?;
        match (ty.kind(), token) {
            (Kind::Scalar(Scalar::Bool), Token::Bool(value)) => Ok(self.encoder().bool(value)?),
            (Kind::Scalar(scalar), Token::Number(number)) => self.number(*scalar, number, ty, path),
            (Kind::Scalar(scalar), Token::Text(text)) => self.word(*scalar, &text, ty, path),
            (Kind::String, Token::Text(text)) if !text.has_lone_surrogate => {
                self.make_room(text.text.len() + LENGTH_BYTES_MAX);
                Ok(self.encoder().string(&text.text)?)
            }
            (Kind::Bytes, Token::Text(text)) => self.base64(&text, ty, path),
            (Kind::Bytes, Token::Bytes(bytes)) => {
                self.make_room(bytes.len() + LENGTH_BYTES_MAX);
                Ok(self.encoder().bytes(&bytes)?)
            }
            (Kind::Enum(_), Token::Text(text)) => match ty.find(&text.text, self.settings.names) {
                Some(index) => self.discriminant(index),
                None => self.mismatch(start, &Token::Text(text), ty, path),
            },
            (Kind::List(element), Token::List(items)) => self.list(element, items, path),
            (Kind::Tuple(members), Token::List(items)) => self.tuple(members, items, ty, path),
            (Kind::Record(fields), Token::Object(items)) => self.record(ty, fields, items, path),
            (Kind::Flags(flags), Token::Object(items)) => self.flags(ty, flags, items, path),
            (Kind::Map { key, value }, Token::Object(items)) => self.map(key, value, items, path),
            (_, Token::Object(items)) if ty.tagged().is_some() => self.tagged(ty, items, path),
            (_, token) => self.mismatch(start, &token, ty, path),
        }
    }

    fn discriminant(&mut self, index: usize) -> Result<(), Stop> {
        // Types have fewer cases than a `u32` counts.
        Ok(self.encoder().list(index)?)
    }

    fn list(&mut self, element: &Type, mut items: Items, path: &Path<'_>) -> Result<(), Stop> {
        let start = self.open_list()?;
        let mut count = 0;
        while self.reader.element(&mut items)? {
            self.charge(path)?;
            self.value(element, &Path::Index(path, count))?;
            count += 1;
        }
        self.close_list(start, count)
    }

    /// Counts an element.
    fn charge(&mut self, path: &Path<'_>) -> Result<(), Stop> {
        match self.elements_left.checked_sub(1) {
            Some(left) => self.elements_left = left,
            None => {
                let limit = self.limits.elements;
                self.problem(path, format!("at most {limit} elements in all"), "more")?;
                return Err(Stop::Problems);
            }
        }
        Ok(())
    }

    /// Reserves the byte of a short length. Most lists have one, and others move by some bytes.
    fn open_list(&mut self) -> Result<usize, Stop> {
        let start = self.out.len();
        self.encoder().list(0)?;
        Ok(start)
    }

    fn close_list(&mut self, start: usize, count: usize) -> Result<(), Stop> {
        let end = self.out.len();
        self.make_room(LENGTH_BYTES_MAX);
        // The length takes the place of the reserved byte, so the limit is checked after it.
        Encoder::new(self.out, LENGTH_BYTES_MAX).list(count)?;
        let length_bytes = self.out.len() - end;
        if length_bytes == 1 {
            self.out[start] = self.out[end];
            self.out.truncate(end);
            return Ok(());
        }
        self.out[start + 1..].rotate_right(length_bytes);
        self.out.remove(start);
        match self.out.len() - self.start <= self.limits.bytes {
            true => Ok(()),
            false => Err(Stop::TooLarge),
        }
    }

    fn tuple(
        &mut self,
        members: &[Type],
        mut items: Items,
        ty: &Type,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        let mut count = 0;
        while self.reader.element(&mut items)? {
            match members.get(count) {
                Some(member) => self.value(member, &Path::Index(path, count))?,
                None => self.reader.skip()?,
            }
            count += 1;
        }
        if count != members.len() {
            let found = format!("an array of {count}");
            self.problem(path, expected(ty, self.settings), found)?;
        }
        Ok(())
    }

    /// The text of a key; a problem if it is none, and the value is skipped.
    fn text_key<'k>(&mut self, key: Token<'k>, path: &Path<'_>) -> Result<Option<Text<'k>>, Stop> {
        match key {
            Token::Text(text) => Ok(Some(text)),
            other => {
                self.problem(path, "keys that are strings", other.found())?;
                self.reader.skip()?;
                Ok(None)
            }
        }
    }

    /// Reports a key that the type does not have, and skips its value.
    fn unknown_key<'n>(
        &mut self,
        key: &str,
        known: impl Iterator<Item = &'n str>,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        self.problem(&Path::Key(path, key), one_of(known), "an unknown key")?;
        Ok(self.reader.skip()?)
    }

    /// Reports a key that is there twice, and skips its value.
    fn repeated_key(&mut self, key: &str, path: &Path<'_>) -> Result<(), Stop> {
        self.problem(&Path::Key(path, key), "each key once", "the key again")?;
        Ok(self.reader.skip()?)
    }
}
