//! The guests in `components/target/wasm`, which `cargo xtask guests --foreign` builds.

use std::path::{Path, PathBuf};

use crate::dep_info;

/// The component file of the guest with this name.
///
/// # Panics
/// If it was not built from the sources as they are; with the command that builds it.
pub fn guest(name: &str) -> PathBuf {
    guest_if_built(name)
        .unwrap_or_else(|| panic!("missing guest `{name}`: run `cargo xtask guests --foreign`"))
}

/// The component file of a guest that needs tools which not every machine has.
///
/// # Panics
/// If it is older than its sources.
#[must_use]
pub fn guest_if_built(name: &str) -> Option<PathBuf> {
    let components = components();
    let file = components.join(format!("target/wasm/{name}.wasm"));
    if !file.is_file() {
        return None;
    }
    // The list is written anew by each build, at the time of its start; the component only if it
    // differs.
    let list = file.with_extension("d");
    let manifest = components.join("Cargo.toml");
    dep_info::check(&list, &list, &manifest).unwrap_or_else(|stale| {
        panic!("stale guest `{name}`: {stale}; run `cargo xtask guests --foreign`")
    });
    Some(file)
}

fn components() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = here.ancestors().map(|folder| folder.join("components"));
    folders
        .find(|folder| folder.is_dir())
        .expect("the folder `components` is in the workspace")
}
