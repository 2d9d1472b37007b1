//! The inputs of an operation: the places of its arguments in a request.

mod arguments;
mod bind;
pub(crate) mod form;
mod params;

use std::sync::Arc;

use http::HeaderName;
use weft_json::{Param, Type};
use weft_wire::SimpleType;

use crate::socket::MessageKind;

pub use self::arguments::RequestInput;
pub(crate) use self::bind::bind;
pub(crate) use self::form::Form;
pub use self::form::{FormParts, FormReader, FormStep, FormStream, StreamStep};

/// The places of all arguments of a function in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// Values in the path, the query and headers.
    pub(crate) texts: Vec<TextInput>,
    /// The body.
    pub(crate) body: BodyInput,
    /// The form that the body can be instead, or must be for [`BodyInput::Form`].
    pub(crate) form: Option<Arc<Form>>,
    /// The arguments, in their order. A record with fields from several places is its fields.
    slots: Vec<Slot>,
}

/// A value that is text in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextInput {
    /// The place of the text.
    pub(crate) source: TextSource,
    /// The type of the value, which takes one, at most one, or any number of texts.
    pub(crate) ty: Type,
    /// The text of a missing key.
    pub(crate) default: Option<String>,
    /// The prose of the parameter's field or type.
    pub(crate) docs: Option<String>,
}

/// The place of a text in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextSource {
    /// A value of the path, by its index, and its name in the template.
    Segment(usize, String),
    /// All further segments of the path.
    Rest(String),
    /// A key of the query.
    Query(String),
    /// A header, and its name as written.
    Header(HeaderName, String),
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyInput {
    /// The operation takes no body.
    None,
    /// An object with these keys.
    Object(Vec<Param>),
    /// One value.
    Value(Type),
    /// The bytes of a `list<u8>`.
    Bytes,
    /// A stream.
    Stream(SimpleType),
    /// A form of parts, of which one is a stream.
    Form,
    /// The messages of a WebSocket, which follow the request.
    Messages(MessageKind),
}

/// The place of an argument, or of a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// An input that is text, by its index.
    Text(usize),
    /// A part of the body, by its index.
    Body(usize),
}
