//! An outgoing HTTP provider with an allow-list.
