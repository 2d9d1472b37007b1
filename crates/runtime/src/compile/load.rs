//! The one place that turns stored machine code into something that runs.
#![expect(
    unsafe_code,
    reason = "loading machine code is unsafe by nature; the argument is at each call"
)]

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Maps the file of a cache entry whose MAC was just checked.
pub(super) fn component(engine: &Engine, verified: &Path) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize_file` runs what it is given, so the file must be an unmodified output of
    // `precompile_component`, and must stay so while mapped.
    // 1. Unmodified: `Cache::verified` has just checked a MAC over name and content under a key that
    //    only this user can read, and `Cache::store` computes that MAC only over what
    //    `precompile_component` returned in this process.
    // 2. Stays so: the cache never writes to an existing file, it renames new ones over it, and a
    //    mapping keeps the old content. Somebody who can write to the file in between runs as this
    //    user, can read the key as well, and could replace the host itself.
    // Wasmtime checks version and settings on its own, and the entry's name holds their hash.
    unsafe { Component::deserialize_file(engine, verified) }
}

/// Loads code that this process compiled and could not store.
pub(super) fn own_code(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is what `precompile_component` of the same engine returned; it was never
    // outside this process.
    unsafe { Component::deserialize(engine, code) }
}
