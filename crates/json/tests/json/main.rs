//! Tests of the mapping between bodies and the value bytes of the wire.

mod bodies;
mod documentation;
mod generated;
mod model;
mod schema;
mod support;
mod types;
mod validator;
