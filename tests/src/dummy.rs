//! Components made from WIT alone.

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

/// A component that exports the interfaces of the only world of a package. Its functions trap.
///
/// # Panics
/// If the WIT is wrong.
#[must_use]
pub fn dummy_component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit);
    let package = package.unwrap_or_else(|error| panic!("{error:#}\n{wit}"));
    let world = resolve
        .select_world(&[package], None)
        .expect("the package has one world");
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, mangling);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("metadata fits");
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .expect("the dummy is a module")
        .encode()
        .expect("the dummy is a component")
}
