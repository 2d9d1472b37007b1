//! The wire format of links: values, frames and failures.
//!
//! Values have the encoding of the component model, the one that wRPC uses. This crate has no
//! dynamic value type: [`Encoder`] and [`Decoder`] have one method for each primitive, and the
//! caller drives them along the type. Generated stubs and skeletons read and write the same bytes.
//!
//! A [`Frame`] is one message between hosts. Input is hostile: bounds are checked before anything
//! is allocated, and every error is typed and has an offset.
//!
//! `docs/wire.md` is the specification; the files in `tests/golden` pin the bytes.

mod decoder;
mod encoder;
mod error;
mod failure;
mod frame;
mod leb128;
mod limits;
mod malformed;
mod numbered;
mod scalar;

pub use decoder::{Decoder, Flags};
pub use encoder::Encoder;
pub use error::{DecodeError, EncodeError, Problem};
pub use failure::{Failure, FailureCode};
pub use frame::{
    Abandon, Cancel, CancelledBy, Chunk, ClaimId, Credit, DropHandle, End, Envelope, Fetch,
    FieldError, Finish, Frame, FrameEnvelope, FrameError, FrameKind, HOST_BYTES, Held, HttpBody,
    HttpField, HttpHead, HttpReply, HttpRequest, HttpTrailers, Importer, KeptSession, Kind, Part,
    Renew, Reply, Request, SessionId, Target, VERSION, encode_frame,
};
pub use limits::{
    Limits, MAX_AUTHENTICATOR_BYTES, MAX_COMPONENT_NAME_BYTES, MAX_FRAME_BYTES,
    MAX_HTTP_FIELD_BYTES, MAX_HTTP_FIELDS, MAX_HTTP_TARGET_BYTES, MAX_LATTICE_BYTES,
    MAX_MESSAGE_BYTES, MAX_TRACE_BYTES, MAX_VALUE_BYTES, MAX_VALUE_DEPTH, MAX_VALUE_ELEMENTS,
    MAX_WIT_NAME_BYTES,
};
pub use malformed::Malformed;
pub use numbered::Numbered;
pub use scalar::{Scalar, SimpleType};
