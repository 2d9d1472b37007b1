//! Where the guests are: `components/target/wasm`, made by `cargo xtask guests --foreign`.

use std::path::{Path, PathBuf};

/// The component file of the guest with this name.
///
/// # Panics
/// If it was not built; says how to.
pub fn guest(name: &str) -> PathBuf {
    guest_if_built(name).unwrap_or_else(|| {
        panic!("the guest `{name}` is not built: run `cargo xtask guests --foreign` first")
    })
}

/// The component file of a guest that needs tools which not every machine has.
#[must_use]
pub fn guest_if_built(name: &str) -> Option<PathBuf> {
    let file = components().join(format!("target/wasm/{name}.wasm"));
    file.is_file().then_some(file)
}

fn components() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = here.ancestors().map(|folder| folder.join("components"));
    folders
        .find(|folder| folder.is_dir())
        .expect("the folder `components` is in the workspace")
}
