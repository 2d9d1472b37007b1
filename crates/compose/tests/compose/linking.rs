//! Stubs and skeletons: the parts that represent the other end of a link between stores.
//!
//! A stub exports the imports of an importer. A skeleton imports the exports of the entry, and its
//! own export is added to those of the entry.

use weft_compose::{Edge, FuseError, FuseOptions, Fused, Part, fuse_exporting};

use crate::support::{OPTIONS, chain, component_of, edge, exports, imports, is_private, text};

/// Typical interfaces of a link between stores: resources and records, shared among interfaces.
const PACKAGES: &str = include_str!("links.wit");

const MODEL: &str = "shop:cart/model@0.1.0";
pub(crate) const TYPES: &str = "shop:cart/types@0.1.0";
const CHECKOUT: &str = "shop:cart/checkout@0.1.0";
pub(crate) const PRICES: &str = "shop:cart/prices@0.1.0";
pub(crate) const STOCK: &str = "shop:cart/stock@0.1.0";
const SERVE: &str = "weft:link/serve";

pub(crate) fn component(world: &str) -> Vec<u8> {
    component_of(PACKAGES, world)
}

pub(crate) fn stub(exports: &[&str]) -> Vec<u8> {
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

/// Fuses with the exports of several parts; `weft:link/call` is private.
pub(crate) fn fuse_links(
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
pub(crate) fn edges(from: usize, names: &[&str], to: usize) -> Vec<Edge> {
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

/// Cases: the world of an importer, the interfaces of its stub, and the open imports.
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

#[test]
fn parts_stubs_and_a_skeleton_are_fused_with_one_entry() {
    let parts = [
        (
            "entry",
            component(&format!(
                "import {TYPES}; import {CHECKOUT}; import {PRICES}; import {STOCK}; export {STOCK};"
            )),
        ),
        ("carts stub", stub(&[TYPES, CHECKOUT])),
        // Has its own link to another store.
        (
            "prices",
            component(&format!("import {STOCK}; export {PRICES};")),
        ),
        ("stock stub of entry", stub(&[STOCK])),
        ("stock stub of prices", stub(&[STOCK])),
        ("skeleton", skeleton(&[STOCK])),
    ];
    let edges = [
        edges(0, &[TYPES, CHECKOUT], 1),
        edges(0, &[PRICES], 2),
        edges(0, &[STOCK], 3),
        edges(2, &[STOCK], 4),
        edges(5, &[STOCK], 0),
    ]
    .concat();
    let fused = fuse_links(&parts, &edges, &[0, 5]).unwrap();
    assert_eq!(exports(&fused.bytes), [STOCK, SERVE]);
    assert_eq!(
        imports(&fused),
        [
            "c1-weft:link/call = weft:link/call of part 1",
            "c3-weft:link/call = weft:link/call of part 3",
            "c4-weft:link/call = weft:link/call of part 4",
            "shop:cart/model@0.1.0 = shop:cart/model@0.1.0 of shared [0, 1, 2]",
        ],
    );
    let again = fuse_links(&parts, &edges, &[0, 5]).unwrap();
    assert_eq!(fused, again, "fusing is deterministic");
}

#[test]
fn a_component_may_be_linked_to_itself_in_another_store() {
    let parts = [
        (
            "entry",
            component(&format!("import {TYPES}; export {TYPES};")),
        ),
        ("stub", stub(&[TYPES])),
        ("skeleton", skeleton(&[TYPES])),
    ];
    let edges = [edges(0, &[TYPES], 1), edges(2, &[TYPES], 0)].concat();
    let fused = fuse_links(&parts, &edges, &[0, 2]).unwrap();
    assert_eq!(exports(&fused.bytes), [TYPES, SERVE]);
}

#[test]
fn two_exporters_with_an_export_of_one_name_are_refused() {
    let parts = [
        (
            "entry",
            component(&format!("export {STOCK}; export {PRICES};")),
        ),
        (
            "other",
            component(&format!("import {PRICES}; export {STOCK};")),
        ),
    ];
    let edges = edges(1, &[PRICES], 0);
    let error = fuse_links(&parts, &edges, &[0, 1]).unwrap_err();
    assert!(matches!(error, FuseError::ExportedTwice { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "duplicate export `shop:cart/stock@0.1.0` of `entry` and `other`; export only one of them",
    );
    let fused = fuse_links(&parts, &edges, &[1]).unwrap();
    assert_eq!(exports(&fused.bytes), [STOCK]);
}

#[test]
fn unknown_exporters_and_unused_parts_are_refused() {
    let parts = [
        ("entry", component(&format!("export {PRICES};"))),
        ("skeleton", skeleton(&[PRICES])),
    ];
    let edges = edges(1, &[PRICES], 0);
    let refusal = |exporters: &[usize]| chain(&fuse_links(&parts, &edges, exporters).unwrap_err());
    assert_eq!(
        refusal(&[0, 2]),
        "component number 2 of a link or an export does not exist, expected less than 2",
    );
    assert_eq!(
        refusal(&[0]),
        "no link leads from the entry `entry` to `skeleton`; fuse it on its own",
    );
}

/// A component that passes its exports through, like an assembled stub.
#[test]
fn functions_of_the_host_pass_through_a_stub() {
    let stub = text(
        r#"(component
            (import "weft:link/direct" (instance $direct
                (export "f0" (func (param "sku" string) (result u32)))))
            (alias export $direct "f0" (func $count))
            (instance $stock (export "count" (func $count)))
            (export "shop:cart/stock@0.1.0" (instance $stock)))"#,
    );
    let entry = component(&format!("import {STOCK}; export run: func();"));
    let fused = fuse_links(
        &[("entry", entry), ("stub", stub)],
        &edges(0, &[STOCK], 1),
        &[0],
    );
    assert_eq!(
        imports(&fused.unwrap()),
        ["c1-weft:link/direct = weft:link/direct of part 1"],
    );
}

#[test]
fn linked_imports_may_be_declared_with_one_type() {
    let entry = |second: &str| {
        text(&format!(
            r#"(component
                (type $t (instance (export "count" (func (param "sku" string) (result u32)))))
                (import "{STOCK}" (instance (type $t)))
                (import "{second}" (instance (type $t))))"#,
        ))
    };
    let edges = [edges(0, &[STOCK], 1), vec![edge(0, "backup", 1, STOCK)]].concat();
    fuse_links(
        &[("entry", entry("backup")), ("stub", stub(&[STOCK]))],
        &edges,
        &[0],
    )
    .unwrap();

    let parts = [("entry", entry("a:b/other")), ("stub", stub(&[STOCK]))];
    let error = fuse_links(&parts, &edges[..1], &[0]).unwrap_err();
    assert!(
        chain(&error).ends_with("of `entry` share one type"),
        "{error}"
    );
}

#[test]
fn a_resource_of_another_store_is_not_one_of_a_fused_part() {
    let parts = [
        (
            "entry",
            component(&format!(
                "import {TYPES}; import {CHECKOUT}; export run: func();"
            )),
        ),
        ("carts", component(&format!("export {TYPES};"))),
        ("stub", stub(&[TYPES, CHECKOUT])),
    ];
    let edges = [edges(0, &[TYPES], 1), edges(0, &[CHECKOUT], 2)].concat();
    let error = fuse_links(&parts, &edges, &[0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "link `entry` → `stub` (`shop:cart/checkout@0.1.0`): resource `basket` must be the same \
         at both ends: expected the one defined by `carts`, found the one defined by `stub`",
    );
}
