//! The head of a part of a form: its name and its media type.

use httparse::{EMPTY_HEADER, Status};
use weft_json::Format;

use super::FormError;
use super::parameters::Parameterised;
use crate::media;
use crate::quote;

/// The most headers of a part. Forms have two or three.
const HEADERS_MAX: usize = 16;

/// The head of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartHead {
    /// The name of the part.
    pub(crate) name: String,
    /// The form of its content.
    pub(crate) media: PartMedia,
}

/// The form of the content of a part, by its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PartMedia {
    /// Plain text, which is also the default.
    Text,
    Json,
    /// Another media type, cut for messages.
    Other(String),
}

impl PartHead {
    /// Reads the head of the part with this number, from the lines of its headers and an empty
    /// line.
    pub(super) fn parse(bytes: &[u8], number: usize) -> Result<Self, FormError> {
        let mut line_feeds = memchr::memchr_iter(b'\n', bytes);
        // Other readers do not take a line feed alone for a line end.
        if line_feeds.any(|index| index == 0 || bytes[index - 1] != b'\r') {
            return Err(malformed("headers", number));
        }
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let headers = match httparse::parse_headers(bytes, &mut headers) {
            Ok(Status::Complete((_, headers))) => headers,
            Err(httparse::Error::TooManyHeaders) => {
                let expected = format!("at most {HEADERS_MAX} headers of a part");
                return Err(FormError::new(expected, format!("more in part {number}")));
            }
            _ => return Err(malformed("headers", number)),
        };
        let value = |name: &str| single(headers, name, number);
        let disposition = value("content-disposition")?;
        let mut disposition = disposition.and_then(Parameterised::parse);
        let disposition = disposition.as_mut().filter(|it| it.value == "form-data");
        let Some(name) = disposition.and_then(|it| it.take("name")) else {
            let expected = "parts with `content-disposition: form-data; name=\"…\"`";
            return Err(FormError::new(
                expected,
                format!("part {number} without a name"),
            ));
        };
        if let Some(encoding) = value("content-transfer-encoding")?
            && !["7bit", "8bit", "binary"].contains(&&*encoding.to_ascii_lowercase())
        {
            let expected = "parts without `content-transfer-encoding`";
            let found = format!("`{}` of part {number}", quote::excerpt(encoding));
            return Err(FormError::new(expected, found));
        }
        Ok(Self {
            name,
            media: PartMedia::of(value("content-type")?),
        })
    }
}

impl PartMedia {
    fn of(content_type: Option<&str>) -> Self {
        let Some(text) = content_type else {
            return Self::Text;
        };
        match Parameterised::parse(text) {
            Some(mut found) if found.value == "text/plain" => {
                let charset = found.take("charset").unwrap_or_else(|| "utf-8".to_owned());
                let is_utf8 = ["utf-8", "us-ascii"].contains(&&*charset.to_ascii_lowercase());
                match is_utf8 {
                    true => Self::Text,
                    false => Self::Other(quote::excerpt(text)),
                }
            }
            _ if media::format_of(text) == Some(Format::Json) => Self::Json,
            _ => Self::Other(quote::excerpt(text)),
        }
    }
}

/// The only value of a header of a part.
fn single<'h>(
    headers: &[httparse::Header<'h>],
    name: &str,
    number: usize,
) -> Result<Option<&'h str>, FormError> {
    let mut values = headers
        .iter()
        .filter(|it| it.name.eq_ignore_ascii_case(name));
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        let expected = format!("`{name}` of a part once");
        return Err(FormError::new(
            expected,
            format!("it again in part {number}"),
        ));
    }
    let text = std::str::from_utf8(first.value).map_err(|_| malformed(name, number))?;
    Ok(Some(text.trim()))
}

fn malformed(what: &str, number: usize) -> FormError {
    FormError::new(
        "parts with correct headers",
        format!("malformed {what} of part {number}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Result<PartHead, FormError> {
        PartHead::parse(format!("{head}\r\n").as_bytes(), 1)
    }

    #[test]
    fn names_are_those_of_the_disposition() {
        for (head, name, media) in [
            (
                "content-disposition: form-data; name=a\r\n",
                "a",
                PartMedia::Text,
            ),
            (
                "Content-Type: Application/JSON\r\nX: y\r\nContent-Disposition: form-data; \
                 filename=\"a; name=evil\"; name=\"b\"\r\n",
                "b",
                PartMedia::Json,
            ),
            (
                "content-disposition:form-data;name=\"\"\r\ncontent-type: text/plain; \
                 charset=UTF-8\r\ncontent-transfer-encoding: 8BIT\r\n",
                "",
                PartMedia::Text,
            ),
            (
                "content-disposition: form-data; name=a; filename=\"é\"\r\ncontent-type: image/png\r\n",
                "a",
                PartMedia::Other("image/png".to_owned()),
            ),
            (
                "content-disposition: form-data; name=a\r\ncontent-type: text/plain; charset=latin1\r\n",
                "a",
                PartMedia::Other("text/plain; charset=latin1".to_owned()),
            ),
        ] {
            let name = name.to_owned();
            assert_eq!(parse(head), Ok(PartHead { name, media }), "{head}");
        }
    }

    #[test]
    fn malformed_heads_are_refused_with_the_number_of_the_part() {
        let many = "content-disposition: form-data; name=a\r\n".to_owned() + &"a: b\r\n".repeat(16);
        for head in [
            "",
            "content-type: text/plain\r\n",
            "content-disposition: form-data\r\n",
            "content-disposition: form-data; filename=\"name=a\"\r\n",
            "content-disposition: form-data; name*=utf-8''a\r\n",
            "content-disposition: form-data; name=a; name=b\r\n",
            "content-disposition: attachment; name=a\r\n",
            "content-disposition: form-data; name=a\r\ncontent-disposition: form-data; name=b\r\n",
            "content-disposition: form-data; name=a\r\ncontent-transfer-encoding: base64\r\n",
            "content-disposition: form-data;\r\n name=a\r\n",
            "content-disposition : form-data; name=a\r\n",
            "content-disposition: form-data; name=a\n\ncontent-type: text/plain\r\n",
            "content-disposition: form-data; name=a\0\r\n",
            &many,
        ] {
            let error = parse(head).unwrap_err().to_string();
            assert!(error.contains("part 1"), "{head:?}: {error}");
        }
        let bytes = b"content-disposition: form-data; name=\xff\r\n\r\n";
        assert!(PartHead::parse(bytes, 1).is_err());
    }
}
