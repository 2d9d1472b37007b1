//! Desired state, artifacts and the control protocol of a lattice.
