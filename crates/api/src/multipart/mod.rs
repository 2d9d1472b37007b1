//! Forms of parts (`multipart/form-data`, RFC 7578): a reader without connections, to which bytes
//! are pushed as they arrive.
//!
//! It keeps the head of one part, or a piece of its content, and never a whole part. What comes
//! before the first boundary and after the last one is ignored.

mod boundary;
mod head;
mod parameters;

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem::Finder;

pub(crate) use self::boundary::{FORM, boundary_of, is_form};
pub(crate) use self::head::{PartHead, PartMedia};
use crate::problem::{InputError, InputPlace, Problem};

/// The most bytes of the head of a part: a name, a type and the name of a file with its path.
pub(crate) const HEAD_BYTES_MAX: usize = 8 << 10;

/// The most parts of a form, as many as keys of a query.
pub(crate) const PARTS_MAX: usize = 1024;

/// The most spaces after a boundary, which gateways of mail may add.
const PADDING_BYTES_MAX: usize = 128;

const LINE_END: &[u8] = b"\r\n";

/// The end of the head of a part.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A reader of a form.
pub(crate) struct Multipart {
    /// The line end, the two dashes and the boundary between two parts.
    delimiter: Finder<'static>,
    buffer: BytesMut,
    state: State,
    /// Number of parts so far.
    parts: usize,
}

/// The place in a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    /// After a boundary.
    Boundary,
    Head,
    Content,
    Epilogue,
}

/// A step of reading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A part begins.
    Part(PartHead),
    /// A piece of its content.
    Data(Bytes),
    /// The part is complete.
    PartEnd,
}

/// A form that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormError {
    expected: String,
    found: String,
}

impl FormError {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (expected, found) = (expected.into(), found.into());
        Self { expected, found }
    }

    /// The problem for the client, about the body as a whole.
    pub(crate) fn problem(self) -> Problem {
        let place = InputPlace::Body(String::new());
        Problem::validation(vec![InputError::new(place, self.expected, self.found)])
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, found } = self;
        write!(
            formatter,
            "malformed form: expected {expected}, found {found}"
        )
    }
}

impl Multipart {
    /// A reader of a form whose parts have this boundary between them.
    pub(crate) fn new(boundary: &str) -> Self {
        let delimiter = [LINE_END, b"--", boundary.as_bytes()].concat();
        Self {
            delimiter: Finder::new(&delimiter).into_owned(),
            // A form can begin with the boundary, without the line end before it.
            buffer: BytesMut::from(LINE_END),
            state: State::Preamble,
            parts: 0,
        }
    }

    /// Appends bytes of the form. Its events up to here were taken before.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.state != State::Epilogue {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// True after the last boundary.
    pub(crate) fn is_complete(&self) -> bool {
        self.state == State::Epilogue
    }

    /// The error of a form that ends here.
    pub(crate) fn cut_off(&self) -> FormError {
        let found = match self.parts {
            0 => "the end of the body before any part".to_owned(),
            number => format!("the end of the body after the start of part {number}"),
        };
        FormError::new("the last boundary", found)
    }

    /// Takes the next event; `None` if it needs more bytes, or the form is complete.
    ///
    /// # Errors
    /// If the form is malformed.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, FormError> {
        loop {
            let step = match self.state {
                State::Preamble => self.preamble(),
                State::Boundary => self.boundary()?,
                State::Head => return self.head(),
                State::Content => return Ok(self.content()),
                State::Epilogue => return Ok(None),
            };
            if step.is_none() {
                return Ok(None);
            }
        }
    }

    fn preamble(&mut self) -> Option<()> {
        let Some(start) = self.delimiter.find(&self.buffer) else {
            let kept = self.possible_start();
            self.buffer.advance(kept);
            return None;
        };
        self.skip_delimiter(start);
        Some(())
    }

    fn skip_delimiter(&mut self, start: usize) {
        self.buffer.advance(start + self.delimiter.needle().len());
        self.state = State::Boundary;
    }

    /// Reads the rest of the line of a boundary, up to its line end.
    fn boundary(&mut self) -> Result<Option<()>, FormError> {
        if self.buffer.starts_with(b"--") {
            self.buffer.clear();
            self.state = State::Epilogue;
            return Ok(Some(()));
        }
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
        let spaces = self.buffer.iter().take_while(|byte| is_space(byte)).count();
        let rest = &self.buffer[spaces..];
        let is_open = rest.len() < 2 && (LINE_END.starts_with(rest) || self.buffer[..] == b"-"[..]);
        if is_open && spaces <= PADDING_BYTES_MAX {
            return Ok(None);
        }
        if !rest.starts_with(LINE_END) {
            let expected = "a line end or `--` after a boundary";
            return Err(FormError::new(expected, "other bytes"));
        }
        self.buffer.advance(spaces);
        self.state = State::Head;
        Ok(Some(()))
    }

    /// Reads the head of a part, which begins with the line end of its boundary.
    fn head(&mut self) -> Result<Option<Event>, FormError> {
        let window = &self.buffer[..self.buffer.len().min(HEAD_BYTES_MAX)];
        let Some(end) = memchr::memmem::find(window, HEAD_END) else {
            if self.buffer.len() < HEAD_BYTES_MAX {
                return Ok(None);
            }
            let expected = format!("at most {HEAD_BYTES_MAX} bytes in the head of a part");
            return Err(FormError::new(expected, "more"));
        };
        self.parts += 1;
        if self.parts > PARTS_MAX {
            let expected = format!("at most {PARTS_MAX} parts");
            return Err(FormError::new(expected, "more"));
        }
        let mut head = self.buffer.split_to(end + HEAD_END.len());
        head.advance(LINE_END.len());
        self.state = State::Content;
        let head = PartHead::parse(&head, self.parts)?;
        Ok(Some(Event::Part(head)))
    }

    fn content(&mut self) -> Option<Event> {
        match self.delimiter.find(&self.buffer) {
            Some(0) => {
                self.skip_delimiter(0);
                Some(Event::PartEnd)
            }
            Some(length) => Some(Event::Data(self.buffer.split_to(length).freeze())),
            None => {
                let length = self.possible_start();
                let data = self.buffer.split_to(length);
                (!data.is_empty()).then(|| Event::Data(data.freeze()))
            }
        }
    }

    /// The offset of the bytes at the end of the buffer that may be the start of a delimiter.
    fn possible_start(&self) -> usize {
        let delimiter = self.delimiter.needle();
        let tail = self.buffer.len().saturating_sub(delimiter.len() - 1);
        let starts = memchr::memchr_iter(LINE_END[0], &self.buffer[tail..]);
        let mut starts = starts.map(|start| tail + start);
        let start = starts.find(|start| delimiter.starts_with(&self.buffer[*start..]));
        start.unwrap_or(self.buffer.len())
    }
}

#[cfg(test)]
mod tests;
