//! The vocabulary of a lattice: names, manifests, validation with positions.
