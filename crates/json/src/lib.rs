//! JSON and CBOR of WIT values.
//!
//! An [`Interface`] is the model of a WIT interface: its functions, their types and their prose. It
//! drives the conversion between JSON and the value bytes of the wire.
//!
//! `docs/json.md` describes the mapping.

mod types;

pub use types::{
    Case, EnumCase, Field, Flag, Function, Interface, Kind, MAX_TYPE_PARTS, Name, Names, Param,
    Place, TextError, Type, TypeError, TypeName, TypeProblem, camel_case,
};
