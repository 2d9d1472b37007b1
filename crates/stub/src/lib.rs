//! Generates the components that carry calls between stores: a stub for whoever imports interfaces, a
//! skeleton for whoever exports them ([ADR 7](../../../docs/adr/0007-links-between-stores.md)).

mod assemble;
mod plan;
