//! Routing: where calls go, and where they do not.
