//! What crosses a link as bytes: values, frames and failures.
//!
//! Values are in the encoding of the component model, the one that wRPC uses. There is no dynamic type of
//! values here: [`Encoder`] and [`Decoder`] have one method for each primitive, and whoever knows the type
//! drives them. Stubs and skeletons, which are generated, write and read the same bytes.
//!
//! A [`Frame`] is one message between hosts. What comes in is hostile: bounds are checked before anything
//! is allocated, and every refusal is typed and says where.
//!
//! `docs/wire.md` is the specification, and the files in `tests/golden` hold it in place.

mod decoder;
mod encoder;
mod error;
mod failure;
mod frame;
mod leb128;
mod limits;
mod malformed;

pub use decoder::{Decoder, Flags};
pub use encoder::Encoder;
pub use error::{DecodeError, EncodeError, Problem};
pub use failure::{Failure, FailureCode};
pub use frame::{
    Abandon, Cancel, CancelledBy, Chunk, ClaimId, Credit, DropHandle, End, Envelope, Fetch,
    FieldError, Finish, Frame, FrameError, HOST_BYTES, Held, HttpBody, HttpField, HttpHead,
    HttpReply, HttpRequest, HttpTrailers, Importer, KeptSession, Kind, Part, Renew, Reply, Request,
    SessionId, Target, VERSION,
};
pub use limits::{
    Limits, MAX_AUTHENTICATOR_BYTES, MAX_COMPONENT_NAME_BYTES, MAX_FRAME_BYTES,
    MAX_HTTP_FIELD_BYTES, MAX_HTTP_FIELDS, MAX_HTTP_TARGET_BYTES, MAX_MESSAGE_BYTES,
    MAX_TRACE_BYTES, MAX_VALUE_BYTES, MAX_VALUE_DEPTH, MAX_VALUE_ELEMENTS, MAX_WIT_NAME_BYTES,
};
pub use malformed::Malformed;
