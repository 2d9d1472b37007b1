//! An HTTP API of a WIT interface, without connections.
//!
//! An [`Api`] is a route of a manifest and the interface that it names, checked against each other.
//! A request goes through it in four steps:
//! 1. [`Api::find`] finds the operation by method and path.
//! 2. [`Operation::accept`] chooses the format of the response, and [`Operation::arguments`]
//!    converts path, query, headers and body to the arguments of the function, as bytes of the
//!    wire.
//! 3. The host calls the function like any other call over a link.
//! 4. [`Operation::response`] converts its result to a response; [`Problem::of_failure`] is the
//!    response to a call without a result.
//!
//! [`Api::openapi`] describes all of it, and [`breaking_changes`] compares two APIs.

mod api;
mod compare;
mod docs;
mod document;
mod etag;
mod faces;
mod failure;
mod inputs;
pub mod mcp;
mod media;
mod mistakes;
mod multipart;
mod of_route;
mod openapi;
mod operation;
pub mod origin;
mod outcome;
pub mod percent;
mod problem;
mod query;
mod quote;
mod response;
mod routing;
pub mod rpc;
mod socket;
mod streams;
mod type_text;

pub use api::Api;
pub use compare::{BreakingChange, breaking_changes};
pub use docs::Docs;
pub use document::{Document, not_post};
pub use faces::{Faces, Listener, face_of, paths};
pub use failure::{ERROR_ID, RETRY_AFTER};
pub use inputs::{
    BodyInput, FormParts, FormReader, FormStep, FormStream, RequestInput, StreamStep,
};
pub use media::is_sent_by_any_page;
pub use operation::Operation;
pub use outcome::{Accept, Output, Returned};
pub use problem::{INPUT_ERRORS_MAX, InputError, InputPlace, PROBLEM_JSON, Problem};
pub use response::{Body, Response};
pub use routing::{Allow, Matched, PathError, PathValues, Unmatched};
pub use socket::{Handshake, MessageKind};
pub use streams::{StreamFormat, StreamWriter};
