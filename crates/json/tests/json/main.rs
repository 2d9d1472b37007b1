//! Tests of the mapping between bodies and the value bytes of the wire.

mod bodies;
mod cbor;
mod documentation;
mod fuzz;
mod generated;
mod jco;
mod model;
mod schema;
mod support;
mod text;
mod types;
mod validator;
mod values;
