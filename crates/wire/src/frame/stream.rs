//! Streams and futures of a call. A future is a stream of one element.
//!
//! The writer sends chunks while it has credit, then a finish; the decoder grants credit. The end
//! that is dropped earlier sends a cancel.

use super::error::FieldError;
use super::fields::{Body, bodies};
use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::numbered;

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

numbered! {
    /// The cancelling end of a stream.
    pub enum CancelledBy: u32 {
        /// The reader was dropped; the writer may stop.
        Reader = 0, "reader";
        /// The writer failed; the stream is incomplete.
        Writer = 1, "writer";
    }
}

bodies! {
    Chunk<'a> { call: u64, stream: stream, payload: bytes }
    Credit { call: u64, stream: stream, bytes: u32 }
    Finish { call: u64, stream: stream }
    Cancel { call: u64, stream: stream, by: case }
}
