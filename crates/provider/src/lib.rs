//! What a capability provider is written against.
