//! Calls, and that nobody waits for one any more.

use super::error::FieldError;
use super::fields::{Body, Reader, write_option};
use super::session::SessionId;
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::limits::{MAX_COMPONENT_NAME_BYTES, MAX_TRACE_BYTES, MAX_WIT_NAME_BYTES};

/// A call of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The number that the importer's host gave the call; no other of its calls has it.
    pub call: u64,
    /// The session that has to serve the call; none if any instance may.
    pub session: Option<SessionId>,
    /// What is called.
    pub target: Target<'a>,
    /// How long the importer waits from now, in milliseconds.
    pub deadline_ms: u32,
    /// How many calls over links led to this one.
    pub depth: u32,
    /// The W3C `traceparent` of the call.
    pub trace: Option<&'a str>,
    /// Who calls.
    pub importer: Importer<'a>,
    /// The encoded arguments.
    pub payload: &'a [u8],
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The app of the exporting component.
    pub app: &'a str,
    /// The exporting component.
    pub component: &'a str,
    /// The interface, as the exporter's binary names it.
    pub interface: &'a str,
    /// The function, as WIT's tools name it: `[method]cart.add`.
    pub function: &'a str,
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Importer<'a> {
    /// The app of the importing component.
    pub app: &'a str,
    /// The importing component.
    pub component: &'a str,
}

/// One side of a call is gone, and what it began with it. There is no reply to it.
///
/// From the importer it says that nobody waits for the call; from the exporter, after the reply, that what
/// its streams have not brought will never come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abandon {
    /// The call.
    pub call: u64,
}

// === impl Request ===

impl<'a> Body<'a> for Request<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        write_option(encoder, self.session, |encoder, session| {
            session.write(encoder)
        })?;
        self.target.write(encoder)?;
        encoder.u32(self.deadline_ms)?;
        encoder.u32(self.depth)?;
        write_option(encoder, self.trace, |encoder, trace| {
            encoder.bytes_up_to(MAX_TRACE_BYTES, "trace", trace.as_bytes())
        })?;
        self.importer.write(encoder)?;
        encoder.bytes(self.payload)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        let head = Self::read_head(reader)?;
        let payload = reader.bytes()?;
        Ok(Self { payload, ..head })
    }
}

impl<'a> Request<'a> {
    /// Reads what is before the payload, which is left empty.
    pub(super) fn read_head(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: reader.u64()?,
            session: reader.option(SessionId::read)?,
            target: Target::read(reader)?,
            deadline_ms: reader.u32()?,
            depth: reader.u32()?,
            trace: reader.option(|reader| reader.text("trace", MAX_TRACE_BYTES))?,
            importer: Importer::read(reader)?,
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

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        let Importer { app, component } = Importer::read(reader)?;
        Ok(Self {
            app,
            component,
            interface: reader.text("interface", MAX_WIT_NAME_BYTES)?,
            function: reader.text("function", MAX_WIT_NAME_BYTES)?,
        })
    }
}

// === impl Importer ===

impl<'a> Importer<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        write_component(encoder, self.app, self.component)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            app: reader.text("app", MAX_COMPONENT_NAME_BYTES)?,
            component: reader.text("component", MAX_COMPONENT_NAME_BYTES)?,
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

// === impl Abandon ===

impl<'a> Body<'a> for Abandon {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: reader.u64()?,
        })
    }
}
