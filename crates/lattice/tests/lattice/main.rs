//! The crate as its users see it.

mod membership;
mod routing;
