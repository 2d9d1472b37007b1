//! Which host serves a call.
