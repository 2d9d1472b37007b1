//! Tests of the mapping between JSON and the value bytes of the wire.

mod types;
