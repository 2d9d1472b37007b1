//! Loads machine code: the only module with `unsafe` code.
#![expect(
    unsafe_code,
    reason = "loading machine code is unsafe by nature; the argument is at each call"
)]

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Maps the file of a cache entry whose MAC was just verified.
pub(super) fn component(engine: &Engine, verified: &Path) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize_file` runs the code in the file, so the file must be an unmodified
    // output of `precompile_component`, and must remain so while it is mapped.
    // 1. Unmodified: `Cache::verified` has just verified a MAC over name and content under a key
    //    that only this user can read, and `Cache::store` computes that MAC only over the output of
    //    `precompile_component` in this process.
    // 2. Remains so: the cache never writes to an existing file, it renames a new one over it, and
    //    a mapping keeps the old content. Anyone who can write to the file after the verification
    //    runs as this user, can read the key as well, and could replace the host itself.
    //
    // Version and settings need no argument: wasmtime checks them itself, and the name of the entry
    // contains their hash.
    unsafe { Component::deserialize_file(engine, verified) }
}

/// Loads code that this process compiled and could not store.
pub(super) fn own_code(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is the output of `precompile_component` of the same engine, and was never
    // outside of this process.
    unsafe { Component::deserialize(engine, code) }
}
