//! Tests of the simulation: worlds hold what the lattice promises, and find out when it does not.

mod mutations;
mod worlds;
