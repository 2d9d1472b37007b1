//! Tests of the state of a lattice: one suite of buckets and object stores for all implementations,
//! against a real NATS server, and the bytes that hosts exchange.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod docs;
mod golden;
mod leaf_node;
mod objects;
mod peers;
mod records;
mod replica;
mod share;
