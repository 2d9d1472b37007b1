//! Components built from WIT, and shortcuts to fuse them.

use std::error::Error as StdError;

use weft_compose::{
    Edge, FuseError, FuseOptions, Fused, ImportOwner, MAX_FUSED_BYTES, MAX_FUSED_PARTS, Part,
};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

/// The packages that the tests link and import.
const PACKAGES: &str = include_str!("packages.wit");

/// A component with the imports and exports of a world, whose functions trap.
pub(crate) fn component(world: &str) -> Vec<u8> {
    component_of(PACKAGES, world)
}

/// Like [`component`], with other packages.
pub(crate) fn component_of(packages: &str, world: &str) -> Vec<u8> {
    component_if_valid(packages, world).expect("the WIT of a test is valid")
}

/// Like [`component_of`], if the packages and the world are valid.
pub(crate) fn component_if_valid(packages: &str, world: &str) -> Option<Vec<u8>> {
    let source = format!("package test:test;\nworld test {{\n{world}\n}}\n{packages}");
    let mut resolve = Resolve {
        all_features: true,
        ..Resolve::default()
    };
    let package = resolve.push_str("test.wit", &source).ok()?;
    let world = resolve
        .select_world(&[package], Some("test"))
        .expect("the world exists");
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, mangling);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("metadata fits");
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .expect("the dummy is a module")
        .encode()
        .expect("the dummy is a component");
    Some(component)
}

/// A component from the text format.
pub(crate) fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text of a test is valid")
}

/// Returns whether every component has its own instance of an interface.
pub(crate) fn is_private(name: &str) -> bool {
    ["wasi:cli/", "wasi:config/", "wasi:keyvalue/"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

pub(crate) const OPTIONS: FuseOptions<'static> = FuseOptions {
    is_private: &is_private,
    max_parts: MAX_FUSED_PARTS,
    max_bytes: MAX_FUSED_BYTES,
};

pub(crate) fn edge(from: usize, import: &str, to: usize, export: &str) -> Edge {
    Edge {
        from,
        import: import.to_owned(),
        to,
        export: export.to_owned(),
    }
}

pub(crate) fn fuse(parts: &[(&str, Vec<u8>)], edges: &[Edge]) -> Result<Fused, FuseError> {
    let parts: Vec<_> = parts
        .iter()
        .map(|(name, bytes)| Part { name, bytes })
        .collect();
    weft_compose::fuse(&parts, edges, &OPTIONS)
}

/// The imports as `name = original of owner`, sorted.
pub(crate) fn imports(fused: &Fused) -> Vec<String> {
    let owner = |owner: &ImportOwner| match owner {
        ImportOwner::Part(part) => format!("part {part}"),
        ImportOwner::Shared(parts) => format!("shared {parts:?}"),
    };
    let mut imports: Vec<_> = fused
        .imports
        .iter()
        .map(|import| {
            format!(
                "{} = {} of {}",
                import.name,
                import.original,
                owner(&import.owner)
            )
        })
        .collect();
    imports.sort();
    imports
}

/// The names of the exports.
pub(crate) fn exports(bytes: &[u8]) -> Vec<String> {
    weft_compose::describe(bytes)
        .expect("the fused bytes are a component")
        .exports
        .into_iter()
        .map(|export| export.name)
        .collect()
}

/// The error with its causes, in the format of the command line.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// The error of a refused fusion, with its causes.
pub(crate) fn refusal(parts: &[(&str, Vec<u8>)], edges: &[Edge]) -> String {
    chain(&fuse(parts, edges).expect_err("the fusion is refused"))
}
