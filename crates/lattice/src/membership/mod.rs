//! Who is in the lattice, by what hosts tell each other.

mod host_id;
pub mod message;

pub use host_id::{HOST_ID_BYTES, HostId, HostIdError};
