//! HTTP requests from outside that a component on another host handles. Their bodies are streams of
//! the call; their chunks are bytes.

use super::error::FieldError;
use super::fields::Body;
use super::reply::{read_outcome, write_outcome};
use super::request::write_component;
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::failure::Failure;
use crate::limits::{
    MAX_COMPONENT_NAME_BYTES, MAX_HTTP_FIELD_BYTES, MAX_HTTP_FIELDS, MAX_HTTP_TARGET_BYTES,
    MAX_TRACE_BYTES,
};

/// An HTTP request from outside, for a component that handles HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest<'a> {
    /// The number of the call, unique among the calls of the requesting host.
    pub call: u64,
    /// The app of the component.
    pub app: &'a str,
    /// The component.
    pub component: &'a str,
    /// The remaining time, in milliseconds.
    pub deadline_ms: u32,
    /// The W3C `traceparent` of the request.
    pub trace: Option<&'a str>,
    /// The method, unchanged from the client.
    pub method: &'a str,
    /// `host` or `host:port`, unchanged from the client.
    pub authority: &'a str,
    /// The path and the query.
    pub path: &'a str,
    /// The headers, in their order.
    pub headers: Vec<HttpField<'a>>,
    /// The body.
    pub body: HttpBody<'a>,
}

/// The response to an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply<'a> {
    /// The call.
    pub call: u64,
    /// The head of the response, or the failure.
    pub outcome: Result<HttpHead<'a>, Failure>,
}

/// The head of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpHead<'a> {
    /// The status code.
    pub status: u16,
    /// The headers, in their order.
    pub headers: Vec<HttpField<'a>>,
    /// The body.
    pub body: HttpBody<'a>,
}

/// One header or trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpField<'a> {
    /// The name.
    pub name: &'a str,
    /// The value.
    pub value: &'a [u8],
}

/// The body of a request or a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpBody<'a> {
    /// The whole body, possibly empty.
    Whole(&'a [u8]),
    /// The number of the stream that carries the body.
    Stream(u32),
}

/// The trailers of a body that is sent as a stream; they precede its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTrailers<'a> {
    /// The call.
    pub call: u64,
    /// The number of the stream.
    pub stream: u32,
    /// The trailers, in their order.
    pub fields: Vec<HttpField<'a>>,
}

// === impl HttpRequest ===

impl<'a> Body<'a> for HttpRequest<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        write_component(encoder, self.app, self.component)?;
        encoder.u32(self.deadline_ms)?;
        encoder.option(self.trace, |encoder, trace| {
            encoder.bytes_up_to(MAX_TRACE_BYTES, "trace", trace.as_bytes())
        })?;
        let texts = [
            ("method", self.method),
            ("authority", self.authority),
            ("path", self.path),
        ];
        for (field, text) in texts {
            encoder.bytes_up_to(MAX_HTTP_TARGET_BYTES, field, text.as_bytes())?;
        }
        write_fields(encoder, &self.headers)?;
        self.body.write(encoder)
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: decoder.u64()?,
            app: decoder.text_up_to(MAX_COMPONENT_NAME_BYTES, "app")?,
            component: decoder.text_up_to(MAX_COMPONENT_NAME_BYTES, "component")?,
            deadline_ms: decoder.u32()?,
            trace: decoder.option(|decoder| decoder.text_up_to(MAX_TRACE_BYTES, "trace"))?,
            method: decoder.text_up_to(MAX_HTTP_TARGET_BYTES, "method")?,
            authority: decoder.text_up_to(MAX_HTTP_TARGET_BYTES, "authority")?,
            path: decoder.text_up_to(MAX_HTTP_TARGET_BYTES, "path")?,
            headers: read_fields(decoder)?,
            body: HttpBody::read(decoder)?,
        })
    }
}

// === impl HttpReply ===

impl<'a> Body<'a> for HttpReply<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        write_outcome(encoder, &self.outcome, |encoder, head| {
            encoder.u16(head.status)?;
            write_fields(encoder, &head.headers)?;
            head.body.write(encoder)
        })
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: decoder.u64()?,
            outcome: read_outcome(decoder, |decoder| {
                Ok(HttpHead {
                    status: decoder.u16()?,
                    headers: read_fields(decoder)?,
                    body: HttpBody::read(decoder)?,
                })
            })?,
        })
    }
}

// === impl HttpBody ===

impl<'a> HttpBody<'a> {
    const CASES: u32 = 2;

    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Whole(bytes) => {
                encoder.discriminant(0, Self::CASES)?;
                encoder.bytes(bytes)
            }
            Self::Stream(number) => {
                encoder.discriminant(1, Self::CASES)?;
                encoder.stream(*number)
            }
        }
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(match decoder.discriminant(Self::CASES)? {
            0 => Self::Whole(decoder.bytes()?),
            _ => Self::Stream(decoder.u32()?),
        })
    }
}

// === impl HttpTrailers ===

impl<'a> Body<'a> for HttpTrailers<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        encoder.stream(self.stream)?;
        write_fields(encoder, &self.fields)
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: decoder.u64()?,
            stream: decoder.u32()?,
            fields: read_fields(decoder)?,
        })
    }
}

fn write_fields(encoder: &mut Encoder<'_>, fields: &[HttpField<'_>]) -> Result<(), EncodeError> {
    encoder.list_up_to(MAX_HTTP_FIELDS, "headers", fields.len())?;
    for field in fields {
        encoder.bytes_up_to(MAX_HTTP_FIELD_BYTES, "name", field.name.as_bytes())?;
        encoder.bytes_up_to(MAX_HTTP_FIELD_BYTES, "value", field.value)?;
    }
    Ok(())
}

/// Allocates, within the limit, one reference for each field.
fn read_fields<'a>(decoder: &mut Decoder<'a>) -> Result<Vec<HttpField<'a>>, FieldError> {
    let count = decoder.list_up_to(MAX_HTTP_FIELDS, "headers", FIELD_BYTES_MIN)?;
    let mut fields = Vec::with_capacity(count);
    for _ in 0..count {
        fields.push(HttpField {
            name: decoder.text_up_to(MAX_HTTP_FIELD_BYTES, "name")?,
            value: decoder.bytes_up_to(MAX_HTTP_FIELD_BYTES, "value")?,
        });
    }
    Ok(fields)
}

/// The encoded size of two empty strings.
const FIELD_BYTES_MIN: usize = 2;
