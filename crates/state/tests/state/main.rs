//! The state of a lattice as its users see it: buckets and stores by one suite for all implementations,
//! against a real NATS server, and the bytes that hosts exchange.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test, as tests do"
)]

mod docs;
mod golden;
mod objects;
mod peers;
mod records;
mod replica;
mod share;
