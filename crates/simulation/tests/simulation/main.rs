//! Tests of the simulation: worlds keep the invariants, and violations are found.

mod mutations;
mod worlds;
