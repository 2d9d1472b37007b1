//! Stubs and skeletons: the parts that stand for the other end of a link between stores.
//!
//! A stub exports what an importer imports; a skeleton imports what the entry exports, and its own
//! export goes beside the entry's.

use weft_compose::{Edge, FuseError, FuseOptions, Fused, Part, fuse_exporting};

use crate::support::{OPTIONS, chain, component_of, edge, exports, imports, is_private};

/// Interfaces as a link between stores has them: resources and records, shared among interfaces.
const PACKAGES: &str = include_str!("links.wit");

const MODEL: &str = "shop:cart/model@0.1.0";
const TYPES: &str = "shop:cart/types@0.1.0";
const CHECKOUT: &str = "shop:cart/checkout@0.1.0";
const PRICES: &str = "shop:cart/prices@0.1.0";
const STOCK: &str = "shop:cart/stock@0.1.0";
const SERVE: &str = "weft:link/serve";

fn component(world: &str) -> Vec<u8> {
    component_of(PACKAGES, world)
}

fn stub(exports: &[&str]) -> Vec<u8> {
    let exports = exports.iter().map(|name| format!("export {name};"));
    component(&format!(
        "import weft:link/call; {}",
        exports.collect::<String>()
    ))
}

fn skeleton(imports: &[&str]) -> Vec<u8> {
    let imports = imports.iter().map(|name| format!("import {name};"));
    component(&format!("export {SERVE}; {}", imports.collect::<String>()))
}

/// Fuses with the exports of several parts, and with the byte-call private.
fn fuse_links(
    parts: &[(&str, Vec<u8>)],
    edges: &[Edge],
    exporters: &[usize],
) -> Result<Fused, FuseError> {
    let parts: Vec<_> = parts
        .iter()
        .map(|(name, bytes)| Part { name, bytes })
        .collect();
    let is_private = |name: &str| name.starts_with("weft:link/") || is_private(name);
    let options = FuseOptions {
        is_private: &is_private,
        ..OPTIONS
    };
    fuse_exporting(&parts, edges, exporters, &options)
}

/// Edges for interfaces that have one name at both ends.
fn edges(from: usize, names: &[&str], to: usize) -> Vec<Edge> {
    names
        .iter()
        .map(|name| edge(from, name, to, name))
        .collect()
}

#[test]
fn the_byte_call_of_a_stub_is_its_own() {
    let entry = component(&format!(
        "import {PRICES}; import {STOCK}; export run: func();"
    ));
    let parts = [
        ("entry", entry),
        ("prices stub", stub(&[PRICES])),
        ("stock stub", stub(&[STOCK])),
    ];
    let edges = [edge(0, PRICES, 1, PRICES), edge(0, STOCK, 2, STOCK)];
    let fused = fuse_links(&parts, &edges, &[0]).unwrap();
    assert_eq!(
        imports(&fused),
        [
            "c1-weft:link/call = weft:link/call of part 1",
            "c2-weft:link/call = weft:link/call of part 2",
            "shop:cart/model@0.1.0 = shop:cart/model@0.1.0 of shared [0, 1]",
        ],
    );
}

/// The worlds of an importer, the interfaces that its one stub serves, and the open imports.
#[test]
fn interfaces_that_share_types_are_served_by_one_stub() {
    let cases: &[(&[&str], &[&str])] = &[
        (&[PRICES], &[MODEL]),
        (&[MODEL, PRICES], &[]),
        (&[TYPES], &[MODEL]),
        (&[TYPES, CHECKOUT], &[MODEL]),
        (&[MODEL, TYPES, CHECKOUT], &[]),
        (&[MODEL, TYPES, CHECKOUT, PRICES], &[]),
        (&[PRICES, TYPES, CHECKOUT], &[MODEL]),
    ];
    for (served, open) in cases {
        let worlds = served.iter().map(|name| format!("import {name};"));
        let entry = component(&format!(
            "{} export run: func();",
            worlds.collect::<String>()
        ));
        let parts = [("entry", entry), ("stub", stub(served))];
        let fused = fuse_links(&parts, &edges(0, served, 1), &[0])
            .unwrap_or_else(|error| panic!("{served:?}: {}", chain(&error)));
        let open = open
            .iter()
            .map(|name| format!("{name} = {name} of shared [0, 1]"));
        let expected: Vec<_> =
            std::iter::once("c1-weft:link/call = weft:link/call of part 1".to_owned())
                .chain(open)
                .collect();
        assert_eq!(imports(&fused), expected, "{served:?}");
    }
}

#[test]
fn a_skeleton_is_exported_beside_the_entry_that_it_serves() {
    let cases: &[(&[&str], &[&str])] = &[
        (&[STOCK], &[]),
        (&[PRICES], &[MODEL]),
        (&[MODEL, PRICES], &[]),
        (&[TYPES], &[MODEL]),
        (&[TYPES, CHECKOUT], &[MODEL]),
        (&[MODEL, TYPES, CHECKOUT], &[]),
        (&[MODEL, TYPES, CHECKOUT, PRICES], &[]),
        (&[PRICES, TYPES, CHECKOUT], &[MODEL]),
    ];
    for (served, open) in cases {
        let worlds = served.iter().map(|name| format!("export {name};"));
        let entry = component(&worlds.collect::<String>());
        let parts = [("entry", entry), ("skeleton", skeleton(served))];
        let fused = fuse_links(&parts, &edges(1, served, 0), &[0, 1])
            .unwrap_or_else(|error| panic!("{served:?}: {}", chain(&error)));
        let open: Vec<_> = open
            .iter()
            .map(|name| format!("{name} = {name} of shared [0, 1]"))
            .collect();
        assert_eq!(imports(&fused), open, "{served:?}");
        let mut found = exports(&fused.bytes);
        found.sort();
        let mut expected = [*served, &[SERVE]].concat();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
