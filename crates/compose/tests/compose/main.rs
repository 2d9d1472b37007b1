//! Describing and fusing components that are built from WIT, without running them.
//!
//! The tests of the host run the results.

mod any_links;
mod any_wit;
mod checking;
mod describing;
mod fusing;
mod hostile;
mod identity;
mod linking;
mod names;
mod outlines;
mod refusing;
mod support;
mod types_in_types;
