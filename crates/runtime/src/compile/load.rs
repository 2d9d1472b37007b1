//! Loads machine code: the only module with `unsafe` code.
#![expect(
    unsafe_code,
    reason = "loading machine code is unsafe by nature; the argument is at each call"
)]

use std::os::fd::AsRawFd as _;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::cache::Verified;

/// Maps the file of a cache entry whose MAC was just verified: the open one, whatever is under its
/// name now.
pub(super) fn component(engine: &Engine, verified: &Verified) -> wasmtime::Result<Component> {
    let open_file = format!("/proc/self/fd/{}", verified.file().as_raw_fd());
    // SAFETY: `deserialize_file` runs the code in the file, so the file must be an unmodified
    // output of `precompile_component`, and must remain so while it is mapped.
    // 1. Unmodified: `Cache::verified` has just read this open file and verified a MAC over name
    //    and content under a key that only this user can read, and `Cache::store` computes that MAC
    //    only over the output of `precompile_component` in this process. The path leads to the same
    //    file through its descriptor.
    // 2. Remains so: the cache never writes to an existing file, it renames a new one over it, and
    //    a mapping keeps the old content. `Cache::verified` rejects a file of another user, or one
    //    that others could ever open. Anyone who can write to the file after the verification runs
    //    as this user, can read the key as well, and could replace the host itself.
    //
    // Version and settings need no argument: wasmtime checks them itself, and the name of the entry
    // contains their hash.
    unsafe { Component::deserialize_file(engine, open_file) }
}

/// Loads code that this process compiled and could not store.
pub(super) fn own_code(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is the output of `precompile_component` of the same engine, and was never
    // outside of this process.
    unsafe { Component::deserialize(engine, code) }
}
