//! Placement: its laws over random lattices, and cases by hand.

mod ahead;
mod cases;
mod lattice;
mod laws;
mod moves;
mod oracle;
