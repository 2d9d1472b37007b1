//! Placement: laws over random lattices, and fixed cases.

mod cases;
mod explanation;
mod lattice;
mod laws;
mod moves;
mod oracle;
mod standby;
