//! Streams as bodies of responses: their formats, and the writer of their elements.

use http::HeaderMap;
use weft_wire::{DecodeError, Decoder, Limits, Scalar, SimpleType};

use crate::media::{self, OCTETS};
use crate::problem::Problem;

/// The media type of server-sent events.
pub(crate) const EVENTS: &str = "text/event-stream";

/// The media type of streams of values: a JSON value in each line.
pub(crate) const LINES: &str = "application/x-ndjson";

/// The form of a stream in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFormat {
    /// The bytes of a `stream<u8>`.
    Bytes,
    /// A server-sent event for each text, numbered from 1.
    Events,
    /// A line with a JSON string for each text.
    Lines,
}

/// Writes the elements of a stream into a body.
///
/// ```
/// use weft_api::{StreamFormat, StreamWriter};
///
/// // A chunk is an encoded list: here of two texts.
/// let chunk = b"\x02\x02hi\x03a\nb";
/// let mut events = StreamWriter::new(StreamFormat::Events);
/// let body = events.write(chunk)?;
/// assert_eq!(body, b"id: 1\ndata: hi\n\nid: 2\ndata: a\ndata: b\n\n");
/// let mut lines = StreamWriter::new(StreamFormat::Lines);
/// assert_eq!(lines.write(chunk)?, b"\"hi\"\n\"a\\nb\"\n");
/// # Ok::<(), weft_wire::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct StreamWriter {
    format: StreamFormat,
    /// Number of written elements.
    count: u64,
}

impl StreamFormat {
    /// Chooses the format that the client prefers.
    pub(crate) fn choose(element: SimpleType, headers: &HeaderMap) -> Result<Self, Problem> {
        let formats = Self::of(element);
        let offered: Vec<_> = formats.iter().map(|format| format.media_type()).collect();
        media::choose(headers, &offered).map(|index| formats[index])
    }

    /// The formats of a stream, the preferred one first; empty if it has no form in a body.
    pub(crate) fn of(element: SimpleType) -> &'static [Self] {
        match element {
            SimpleType::Scalar(Scalar::U8) => &[Self::Bytes],
            SimpleType::String => &[Self::Events, Self::Lines],
            SimpleType::Scalar(_) | SimpleType::Bytes => &[],
        }
    }

    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Bytes => OCTETS,
            Self::Events => EVENTS,
            Self::Lines => LINES,
        }
    }

    /// The bytes that a body can have between two elements, so that no proxy on its way takes it
    /// for dead; `None` if the format has none.
    #[must_use]
    pub fn keep_alive(self) -> Option<&'static [u8]> {
        match self {
            // A comment, which clients ignore.
            Self::Events => Some(b":\n\n"),
            Self::Bytes | Self::Lines => None,
        }
    }
}

impl StreamWriter {
    /// A writer of the first element.
    #[must_use]
    pub fn new(format: StreamFormat) -> Self {
        Self { format, count: 0 }
    }

    /// Returns the part of the body for a chunk of the stream.
    ///
    /// # Errors
    /// If the chunk is not a list of elements of the stream.
    pub fn write(&mut self, chunk: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut decoder = Decoder::new(chunk, Limits::LINK)?;
        let mut out = Vec::with_capacity(chunk.len());
        match self.format {
            StreamFormat::Bytes => out.extend_from_slice(decoder.bytes()?),
            StreamFormat::Events | StreamFormat::Lines => {
                for _ in 0..decoder.list(1)? {
                    self.write_text(decoder.string()?, &mut out);
                }
            }
        }
        decoder.finish()?;
        Ok(out)
    }

    fn write_text(&mut self, text: &str, out: &mut Vec<u8>) {
        self.count += 1;
        match self.format {
            StreamFormat::Lines => write_line(text, out),
            StreamFormat::Bytes | StreamFormat::Events => write_event(self.count, text, out),
        }
    }
}

/// Writes a server-sent event. Every line of the text, with any of the three line ends of the
/// format, becomes a line of data, so no text ends its event or adds a field.
fn write_event(id: u64, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("id: {id}\n").as_bytes());
    for line in lines(text) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// The lines between `\r\n`, `\r` and `\n`.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\r', '\n']) else {
            return rest.take();
        };
        let (line, after) = text.split_at(end);
        let end_length = if after.starts_with("\r\n") { 2 } else { 1 };
        rest = Some(&after[end_length..]);
        Some(line)
    })
}

/// Writes a JSON string, which has no line end, and a line end.
fn write_line(text: &str, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail, and a string is always JSON.
    let _ = serde_json::to_writer(&mut *out, text);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weft_wire::{Encoder, MAX_VALUE_BYTES};

    use super::*;

    fn chunk(texts: &[impl AsRef<str>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, MAX_VALUE_BYTES);
        encoder.list(texts.len()).unwrap();
        for text in texts {
            encoder.string(text.as_ref()).unwrap();
        }
        bytes
    }

    fn written(format: StreamFormat, texts: &[&str]) -> String {
        let body = StreamWriter::new(format).write(&chunk(texts)).unwrap();
        String::from_utf8(body).unwrap()
    }

    /// Reads events as a client does (HTML, section 9.2.6): pairs of id and data.
    fn read_events(body: &str) -> Vec<(String, String)> {
        let body = body.replace("\r\n", "\n").replace('\r', "\n");
        let (mut events, mut id, mut data) = (Vec::new(), String::new(), None::<String>);
        for line in body.split_terminator('\n') {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.is_empty() => {
                    events.extend(data.take().map(|data| (id.clone(), data)));
                }
                "data" => {
                    data = Some(match data {
                        Some(lines) => lines + "\n" + value,
                        None => value.to_owned(),
                    });
                }
                "id" => value.clone_into(&mut id),
                _ => panic!("unexpected field in {body:?}"),
            }
        }
        events
    }

    #[test]
    fn a_text_cannot_end_its_event_or_add_a_field() {
        for (text, expected) in [
            ("", "id: 1\ndata: \n\n"),
            (
                "a\n\nevent: x",
                "id: 1\ndata: a\ndata: \ndata: event: x\n\n",
            ),
            ("a\r\rid: 9", "id: 1\ndata: a\ndata: \ndata: id: 9\n\n"),
            ("a\r\nb\n", "id: 1\ndata: a\ndata: b\ndata: \n\n"),
            ("\n\r", "id: 1\ndata: \ndata: \ndata: \n\n"),
            (": comment", "id: 1\ndata: : comment\n\n"),
            ("a\0b", "id: 1\ndata: a\0b\n\n"),
        ] {
            assert_eq!(written(StreamFormat::Events, &[text]), expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_cannot_end_its_line() {
        for (text, expected) in [
            ("", "\"\"\n"),
            ("a\nb\r\n", "\"a\\nb\\r\\n\"\n"),
            ("\0\"\\", "\"\\u0000\\\"\\\\\"\n"),
        ] {
            assert_eq!(written(StreamFormat::Lines, &[text]), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_of_events_continue_over_chunks() {
        let mut writer = StreamWriter::new(StreamFormat::Events);
        let mut body = writer.write(&chunk(&["a", "b"])).unwrap();
        body.extend(writer.write(&chunk(&["c"])).unwrap());
        let events = read_events(&String::from_utf8(body).unwrap());
        let ids: Vec<_> = events.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["1", "2", "3"]);
    }

    #[test]
    fn a_malformed_chunk_is_an_error() {
        for (format, malformed) in [
            (StreamFormat::Events, &b"\x02\x01a"[..]),
            (StreamFormat::Events, b"\x01\x01\xff"),
            (StreamFormat::Lines, b"\x01\x01ab"),
            (StreamFormat::Lines, b"\xff\xff\xff\xff\x0f"),
            (StreamFormat::Bytes, b"\x02a"),
            (StreamFormat::Bytes, b""),
        ] {
            let written = StreamWriter::new(format).write(malformed);
            assert!(written.is_err(), "{format:?} {malformed:?}: {written:?}");
        }
    }

    proptest! {
        #[test]
        fn clients_read_the_texts_of_a_stream(texts in prop::collection::vec("[a\r\n\0: é]{0,12}", 0..5)) {
            let body = StreamWriter::new(StreamFormat::Events).write(&chunk(&texts)).unwrap();
            let events = read_events(std::str::from_utf8(&body).unwrap());
            // A client reads every line end as `\n`.
            let expected = texts.iter().map(|text| text.replace("\r\n", "\n").replace('\r', "\n"));
            let expected: Vec<_> = expected.enumerate().map(|(index, text)| ((index + 1).to_string(), text)).collect();
            prop_assert_eq!(events, expected);

            let body = StreamWriter::new(StreamFormat::Lines).write(&chunk(&texts)).unwrap();
            let lines = std::str::from_utf8(&body).unwrap().split_terminator('\n');
            let read: Vec<String> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
            prop_assert_eq!(read, texts);
        }
    }
}
