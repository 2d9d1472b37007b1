//! JSON and CBOR of WIT values.
//!
//! An [`Interface`] is the model of a WIT interface: its functions, their types and their prose. It
//! drives the conversion between bodies of HTTP and the value bytes of the wire, both ways and
//! without a tree of values: [`decode`] reads bodies, [`encode`] writes them, and [`text`] does
//! both for paths, queries and headers. [`schema`] describes a type as JSON Schema.
//!
//! Bodies and value bytes are hostile. `docs/json.md` describes the mapping.

pub mod decode;
pub mod encode;
mod error;
mod number;
mod problem;
mod reader;
pub mod schema;
mod settings;
pub mod text;
mod types;
mod writer;

pub use decode::Argument;
pub use encode::CaseValue;
pub use error::{DecodeError, EncodeError, Location, SyntaxError};
pub use problem::{MAX_PROBLEMS, Problem};
pub use settings::{Format, Int64, Settings};
pub use types::{
    Case, EnumCase, Field, Flag, Function, Interface, Kind, MAX_TYPE_PARTS, Name, Names, Param,
    Place, TextError, Type, TypeError, TypeName, TypeProblem, camel_case,
};
