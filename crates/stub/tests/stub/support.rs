//! Components from WIT, and short ways to plan and fuse them.

use std::error::Error as StdError;

use weft_compose::{
    Edge, FuseOptions, Fused, MAX_FUSED_BYTES, MAX_FUSED_PARTS, Part, fuse_exporting,
};
use weft_stub::plan::{self, CallPath, ComponentWorld, FailureForm, Plan, Signature, Unsupported};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

/// A component of a world as its WIT has it, without a component.
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
        .expect("metadata fits");
    // There is WIT that no component can have yet: a stream of chars.
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .ok()?
        .encode()
        .expect("the dummy is a component");
    Some(component)
}

/// A component with the imports and exports of a world.
pub(crate) fn component(packages: &str, world: &str) -> Vec<u8> {
    component_if_valid(packages, world).expect("the WIT of a test is valid")
}

/// What the binary of such a component says.
pub(crate) fn component_world(packages: &str, world: &str) -> ComponentWorld {
    ComponentWorld::of(&component(packages, world)).expect("a component has a world")
}

/// A host that has every typed shape.
pub(crate) fn any_signature(_: &Signature) -> bool {
    true
}

/// A host that has none.
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

/// The plan of an importer, for a host that has every typed shape.
pub(crate) fn imports(component: &ComponentWorld, names: &[&str]) -> Plan {
    plan::imports(component, names, &any_signature).expect("the plan of a test can be carried")
}

/// The plan of an exporter, for a host that has every typed shape.
pub(crate) fn exports(component: &ComponentWorld, names: &[&str]) -> Plan {
    plan::exports(component, names, &any_signature).expect("the exports of a test are there")
}

/// Refusals as a deploy prints them.
pub(crate) fn texts(refusals: &[Unsupported]) -> Vec<String> {
    refusals.iter().map(|refusal| chain(refusal)).collect()
}

/// The error and its causes, as the process edge prints them.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Fuses parts; an edge is an importer, the name of both import and export, and an exporter.
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
