//! Streams and futures of a call. A future is a stream of one element.
//!
//! The writer sends chunks while it has credit, then a finish; the reader gives credit. Whichever end is
//! dropped before that says so with a cancel.

use super::error::FieldError;
use super::fields::{Body, Reader};
use crate::encoder::Encoder;
use crate::error::EncodeError;

/// Elements of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The call that the stream belongs to.
    pub call: u64,
    /// The stream's number within the call.
    pub stream: u32,
    /// The elements, encoded as a `list` of them.
    pub payload: &'a [u8],
}

/// The reader of a stream takes more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// The call that the stream belongs to.
    pub call: u64,
    /// The stream's number within the call.
    pub stream: u32,
    /// How many more bytes of chunks' payloads. A chunk may be sent while any credit is left, and its size
    /// is taken from it, below zero if need be.
    pub bytes: u32,
}

/// A stream has come to its end: all elements were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finish {
    /// The call that the stream belongs to.
    pub call: u64,
    /// The stream's number within the call.
    pub stream: u32,
}

/// One end of a stream is gone before it was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancel {
    /// The call that the stream belongs to.
    pub call: u64,
    /// The stream's number within the call.
    pub stream: u32,
    /// Which end.
    pub by: CancelledBy,
}

/// Which end of a stream is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum CancelledBy {
    /// Nobody reads it any more; the writer may stop.
    Reader = 0,
    /// Nobody writes it any more, and it is not complete: the writer failed.
    Writer = 1,
}

impl CancelledBy {
    const ALL: [Self; 2] = [Self::Reader, Self::Writer];
}

// === impl Chunk ===

impl<'a> Body<'a> for Chunk<'a> {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        encoder.stream(self.stream)?;
        encoder.bytes(self.payload)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: reader.u64()?,
            stream: reader.u32()?,
            payload: reader.bytes()?,
        })
    }
}

// === impl Credit ===

impl<'a> Body<'a> for Credit {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        encoder.stream(self.stream)?;
        encoder.u32(self.bytes)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: reader.u64()?,
            stream: reader.u32()?,
            bytes: reader.u32()?,
        })
    }
}

// === impl Finish ===

impl<'a> Body<'a> for Finish {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        encoder.stream(self.stream)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: reader.u64()?,
            stream: reader.u32()?,
        })
    }
}

// === impl Cancel ===

impl<'a> Body<'a> for Cancel {
    fn write(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        encoder.u64(self.call)?;
        encoder.stream(self.stream)?;
        encoder.discriminant(self.by as u32, CancelledBy::ALL.len() as u32)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FieldError> {
        Ok(Self {
            call: reader.u64()?,
            stream: reader.u32()?,
            by: reader.case(&CancelledBy::ALL)?,
        })
    }
}
