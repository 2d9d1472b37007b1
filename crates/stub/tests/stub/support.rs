//! Components made from WIT, and helpers to plan and fuse them.

use std::error::Error as StdError;

use weft_compose::{
    Edge, FuseOptions, Fused, MAX_FUSED_BYTES, MAX_FUSED_PARTS, Part, fuse_exporting,
};
use weft_stub::plan::{self, CallPath, ComponentWorld, FailureForm, Plan, Signature, Unsupported};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

/// A world as its WIT has it, without a component.
pub(crate) fn world_of_wit(packages: &str, world: &str) -> Option<ComponentWorld> {
    let source = format!("package test:test;\nworld test {{\n{world}\n}}\n{packages}");
    let mut resolve = Resolve {
        all_features: true,
        ..Resolve::default()
    };
    let package = resolve.push_str("test.wit", &source).ok()?;
    let world = resolve.select_world(&[package], Some("test")).ok()?;
    Some(ComponentWorld { resolve, world })
}

/// A component with the imports and exports of a world, whose functions trap.
pub(crate) fn component_if_valid(packages: &str, world: &str) -> Option<Vec<u8>> {
    let ComponentWorld { resolve, world } = world_of_wit(packages, world)?;
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, mangling);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the metadata is encodable");
    // Some valid WIT cannot be in a component yet, such as a stream of chars.
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .ok()?
        .encode()
        .expect("the dummy module is valid");
    Some(component)
}

/// A component with the imports and exports of a world.
pub(crate) fn component(packages: &str, world: &str) -> Vec<u8> {
    component_if_valid(packages, world).expect("the WIT of a test is valid")
}

/// The decoded world of a component with these imports and exports.
pub(crate) fn component_world(packages: &str, world: &str) -> ComponentWorld {
    ComponentWorld::of(&component(packages, world)).expect("a component has a world")
}

/// A host with a typed function for every signature.
pub(crate) fn any_signature(_: &Signature) -> bool {
    true
}

/// A host without typed functions.
pub(crate) fn no_signature(_: &Signature) -> bool {
    false
}

/// One line for each function: `0 a:b/c#f: stub, or trap`.
pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    plan.functions()
        .map(|(interface, function)| {
            let path = match function.path {
                CallPath::Direct(_) => "direct",
                CallPath::Scalars(_) => "scalars",
                CallPath::Stub => "stub",
                CallPath::Concurrent => "concurrent",
            };
            let failure = match function.failure {
                FailureForm::Trap => "trap".to_owned(),
                FailureForm::Text => "text".to_owned(),
                FailureForm::Case { index } => format!("case {index}"),
            };
            let (index, name) = (function.index, &function.name);
            format!("{index} {}#{name}: {path}, or {failure}", interface.name)
        })
        .collect()
}

/// The plan of an importer, for a host with a typed function for every signature.
pub(crate) fn imports(component: &ComponentWorld, names: &[&str]) -> Plan {
    plan::imports(component, names, &any_signature).expect("the imports of a test are supported")
}

/// The plan of an exporter, for a host with a typed function for every signature.
pub(crate) fn exports(component: &ComponentWorld, names: &[&str]) -> Plan {
    plan::exports(component, names, &any_signature).expect("the exports of a test exist")
}

/// Errors in the form that a deploy prints.
pub(crate) fn texts(unsupported: &[Unsupported]) -> Vec<String> {
    unsupported.iter().map(|entry| chain(entry)).collect()
}

/// An error and its causes in the form that the process edge prints.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Fuses parts. An edge is an importer, the name of both import and export, and an exporter.
pub(crate) fn fuse(
    parts: &[(&str, &[u8])],
    edges: &[(usize, &str, usize)],
    exporters: &[usize],
) -> Result<Fused, String> {
    let parts: Vec<_> = parts
        .iter()
        .map(|(name, bytes)| Part { name, bytes })
        .collect();
    let edges: Vec<_> = edges
        .iter()
        .map(|(from, name, to)| Edge {
            from: *from,
            import: (*name).to_owned(),
            to: *to,
            export: (*name).to_owned(),
        })
        .collect();
    let options = FuseOptions {
        is_private: &|name| name.starts_with("weft:link/"),
        max_parts: MAX_FUSED_PARTS,
        max_bytes: MAX_FUSED_BYTES,
    };
    fuse_exporting(&parts, &edges, exporters, &options).map_err(|error| chain(&error))
}
