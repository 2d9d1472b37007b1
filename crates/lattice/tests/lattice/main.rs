//! The bus and the stores of a lattice, each by one suite for all implementations, against a real
//! NATS server.

mod bus;
mod local;
mod nats;
mod rig;
mod server;
