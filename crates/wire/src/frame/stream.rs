//! Streams and futures of a call. A future is a stream of one element.
//!
//! The writer sends chunks while it has credit, then a finish; the reader grants credit. The end
//! that is dropped earlier sends a cancel.

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

/// Grants the writer of a stream more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// The call that the stream belongs to.
    pub call: u64,
    /// The stream's number within the call.
    pub stream: u32,
    /// Number of additional payload bytes. A chunk may be sent while any credit remains; its size
    /// is subtracted, possibly below zero.
    pub bytes: u32,
}

/// The end of a stream: all elements were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finish {
    /// The call that the stream belongs to.
    pub call: u64,
    /// The stream's number within the call.
    pub stream: u32,
}

/// Cancels a stream that has not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancel {
    /// The call that the stream belongs to.
    pub call: u64,
    /// The stream's number within the call.
    pub stream: u32,
    /// The end that cancels.
    pub by: CancelledBy,
}

/// The cancelling end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum CancelledBy {
    /// The reader was dropped; the writer may stop.
    Reader = 0,
    /// The writer failed; the stream is incomplete.
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
