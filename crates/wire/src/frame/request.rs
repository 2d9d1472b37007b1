//! Calls, and the frame that abandons one.

use super::error::FieldError;
use super::fields::{Body, bodies};
use super::session::SessionId;
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::limits::{MAX_COMPONENT_NAME_BYTES, MAX_TRACE_BYTES, MAX_WIT_NAME_BYTES};

/// A call of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The number of the call, unique among the calls of the importer's host.
    pub call: u64,
    /// The session that must serve the call; `None` if any instance may.
    pub session: Option<SessionId>,
    /// The called function.
    pub target: Target<'a>,
    /// The remaining time, in milliseconds.
    pub deadline_ms: u32,
    /// The number of links on the call path, including this one.
    pub depth: u32,
    /// The W3C `traceparent` of the call.
    pub trace: Option<&'a str>,
    /// The calling component.
    pub importer: Importer<'a>,
    /// The encoded arguments.
    pub payload: &'a [u8],
}

/// The called function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The app of the exporting component.
    pub app: &'a str,
    /// The exporting component.
    pub component: &'a str,
    /// The interface, as the exporter's binary names it.
    pub interface: &'a str,
    /// The function, in the notation of WIT tools: `[method]cart.add`.
    pub function: &'a str,
}

/// The calling component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Importer<'a> {
    /// The app of the importing component.
    pub app: &'a str,
    /// The importing component.
    pub component: &'a str,
}

/// Abandons a call and everything that it started. There is no reply to this frame.
///
/// From the importer: the caller stopped waiting. From the exporter, after the reply: the streams
/// of the call end here, incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abandon {
    /// The call.
    pub call: u64,
}

// === impl Request ===

impl<'a> Body<'a> for Request<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        encoder.option(self.session, Encoder::session)?;
        self.target.write(encoder)?;
        encoder.u32(self.deadline_ms)?;
        encoder.u32(self.depth)?;
        encoder.option(self.trace, |encoder, trace| {
            encoder.bytes_up_to(MAX_TRACE_BYTES, "trace", trace.as_bytes())
        })?;
        self.importer.write(encoder)?;
        encoder.bytes(self.payload)
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        let head = Self::read_head(decoder)?;
        let payload = decoder.bytes()?;
        Ok(Self { payload, ..head })
    }
}

impl<'a> Request<'a> {
    /// Reads the part before the payload; `payload` is left empty.
    pub(super) fn read_head(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: decoder.u64()?,
            session: decoder.option(Decoder::session)?,
            target: Target::read(decoder)?,
            deadline_ms: decoder.u32()?,
            depth: decoder.u32()?,
            trace: decoder.option(|decoder| decoder.text_up_to(MAX_TRACE_BYTES, "trace"))?,
            importer: Importer::read(decoder)?,
            payload: &[],
        })
    }
}

// === impl Target ===

impl<'a> Target<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        write_component(encoder, self.app, self.component)?;
        let names = [("interface", self.interface), ("function", self.function)];
        for (field, name) in names {
            encoder.bytes_up_to(MAX_WIT_NAME_BYTES, field, name.as_bytes())?;
        }
        Ok(())
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        let Importer { app, component } = Importer::read(decoder)?;
        Ok(Self {
            app,
            component,
            interface: decoder.text_up_to(MAX_WIT_NAME_BYTES, "interface")?,
            function: decoder.text_up_to(MAX_WIT_NAME_BYTES, "function")?,
        })
    }
}

// === impl Importer ===

impl<'a> Importer<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        write_component(encoder, self.app, self.component)
    }

    fn read(decoder: &mut Decoder<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            app: decoder.text_up_to(MAX_COMPONENT_NAME_BYTES, "app")?,
            component: decoder.text_up_to(MAX_COMPONENT_NAME_BYTES, "component")?,
        })
    }
}

pub(super) fn write_component(
    encoder: &mut Encoder<'_>,
    app: &str,
    component: &str,
) -> Result<(), EncodeError> {
    for (field, name) in [("app", app), ("component", component)] {
        encoder.bytes_up_to(MAX_COMPONENT_NAME_BYTES, field, name.as_bytes())?;
    }
    Ok(())
}

bodies! {
    Abandon { call: u64 }
}
