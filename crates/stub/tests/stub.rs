//! Planning links, and making stubs and skeletons for components that are made from WIT, without running
//! them.
//!
//! Whether what is generated computes the right thing is for the host's tests.

#[path = "stub/any_wit.rs"]
mod any_wit;
#[path = "stub/caching.rs"]
mod caching;
#[path = "stub/fusing.rs"]
mod fusing;
#[path = "stub/generating.rs"]
mod generating;
#[path = "stub/hostile.rs"]
mod hostile;
#[path = "stub/pairing.rs"]
mod pairing;
#[path = "stub/planning.rs"]
mod planning;
#[path = "stub/refusing.rs"]
mod refusing;
#[path = "stub/support.rs"]
mod support;
