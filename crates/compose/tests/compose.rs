//! Describing and fusing components that are made from WIT, without running them.
//!
//! Whether the result computes the right thing is for the host's tests.

#[path = "compose/any_links.rs"]
mod any_links;
#[path = "compose/any_wit.rs"]
mod any_wit;
#[path = "compose/checking.rs"]
mod checking;
#[path = "compose/describing.rs"]
mod describing;
#[path = "compose/fusing.rs"]
mod fusing;
#[path = "compose/hostile.rs"]
mod hostile;
#[path = "compose/identity.rs"]
mod identity;
#[path = "compose/linking.rs"]
mod linking;
#[path = "compose/names.rs"]
mod names;
#[path = "compose/refusing.rs"]
mod refusing;
#[path = "compose/support.rs"]
mod support;
#[path = "compose/types_in_types.rs"]
mod types_in_types;
