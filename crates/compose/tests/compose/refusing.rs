//! Error messages of refused fusions.

use weft_compose::{FuseOptions, Part, fuse};

use crate::support::{OPTIONS, chain, component, component_of, edge, refusal};

const STOCK: &str = "shop:catalog/stock@0.2.0";

/// Links `storefront`, which imports the first interface, to `pricing`, which exports the second.
fn check_link(imported: &str, exported: &str, expected: &str) {
    let packages = |interface: &str| {
        format!("package shop:catalog@0.2.0 {{ interface api {{ {interface} }} }}")
    };
    let importer = component_of(&packages(imported), "import shop:catalog/api@0.2.0;");
    let exporter = component_of(&packages(exported), "export shop:catalog/api@0.2.0;");
    let name = "shop:catalog/api@0.2.0";
    let found = refusal(
        &[("storefront", importer), ("pricing", exporter)],
        &[edge(0, name, 1, name)],
    );
    let expected = format!("link `storefront` → `pricing` (`shop:catalog/api@0.2.0`): {expected}");
    assert_eq!(found, expected);
}

#[test]
fn a_different_result_is_refused() {
    check_link(
        "quote: func(sku: string) -> u32;",
        "quote: func(sku: string) -> string;",
        "function `quote`: expected `func(sku: string) -> u32`, found `func(sku: string) -> string`",
    );
}

#[test]
fn a_different_parameter_name_is_refused() {
    check_link(
        "quote: func(sku: string);",
        "quote: func(id: string);",
        "function `quote`: expected `func(sku: string)`, found `func(id: string)`",
    );
}

#[test]
fn an_async_function_does_not_satisfy_a_synchronous_one() {
    check_link(
        "quote: func(sku: string) -> u32;",
        "quote: async func(sku: string) -> u32;",
        "function `quote`: expected `func(sku: string) -> u32`, \
         found `async func(sku: string) -> u32`",
    );
}

#[test]
fn a_missing_function_is_named() {
    check_link(
        "quote: func(sku: string) -> u32; total: func();",
        "quote: func(sku: string) -> u32; sum: func();",
        "function `total` is missing: expected `func()`; `pricing` has `quote`, `sum`",
    );
}

#[test]
fn a_record_that_differs_inside_is_shown_with_its_definition() {
    check_link(
        "record item { sku: string } quote: func(items: list<option<item>>) -> u32;",
        "record item { sku: string, price: u32 } quote: func(items: list<option<item>>) -> u32;",
        "function `quote`: expected `func(items: list<option<item>>) -> u32; record item { sku: \
         string }`, found `func(items: list<option<item>>) -> u32; record item { sku: string, \
         price: u32 }`",
    );
}

#[test]
fn every_kind_of_type_is_compared() {
    let cases = [
        ("variant t { a(u32), b }", "variant t { a(s32), b }"),
        ("enum t { a, b }", "enum t { b, a }"),
        ("flags t { a, b }", "flags t { a }"),
        ("type t = result<_, string>;", "type t = result<string>;"),
        ("type t = tuple<u8, u16>;", "type t = tuple<u8, u8>;"),
        ("type t = stream<u8>;", "type t = future<u8>;"),
        ("type t = option<f32>;", "type t = list<f32>;"),
        ("type t = char;", "type t = string;"),
    ];
    for (mine, theirs) in cases {
        let text = |definition: &str| definition.trim_end_matches(';').to_owned();
        check_link(
            &format!("{mine} f: func() -> t;"),
            &format!("{theirs} f: func() -> t;"),
            &format!(
                "function `f`: expected `func() -> t; {}`, found `func() -> t; {}`",
                text(mine),
                text(theirs)
            ),
        );
    }
}

#[test]
fn a_resource_that_is_a_record_in_the_exporter_is_refused() {
    check_link(
        "resource basket; ",
        "record basket { a: u8 } ",
        "resource `basket`: expected `resource basket`, found `record basket { a: u8 }`",
    );
}

#[test]
fn a_missing_export_lists_other_versions_first() {
    let packages =
        "package shop:catalog@0.1.3 { interface pricing { f: func(); } interface a { f: func(); } }
        package shop:catalog@0.2.0 { interface pricing { f: func(); } }";
    let name = "shop:catalog/pricing@0.2.0";
    let parts = [
        (
            "storefront",
            component_of(packages, "import shop:catalog/pricing@0.2.0;"),
        ),
        (
            "pricing",
            component_of(
                packages,
                "export shop:catalog/a@0.1.3; export shop:catalog/pricing@0.1.3;",
            ),
        ),
    ];
    assert_eq!(
        refusal(&parts, &[edge(0, name, 1, name)]),
        "component `pricing` does not export `shop:catalog/pricing@0.2.0`, found \
         `shop:catalog/pricing@0.1.3`, `shop:catalog/a@0.1.3`",
    );
    assert_eq!(
        refusal(&parts, &[edge(0, "shop:catalog/stock", 1, name)]),
        "component `storefront` does not import `shop:catalog/stock`, found `shop:catalog/pricing@0.2.0`",
    );
}

#[test]
fn a_function_is_not_an_interface() {
    let parts = [
        ("entry", component("import log: func();")),
        ("logger", component("export log: func();")),
    ];
    assert_eq!(
        refusal(&parts, &[edge(0, "log", 1, "log")]),
        "link `entry` → `logger` (`log`): expected an interface, found a function",
    );
}

#[test]
fn a_cycle_names_its_path() {
    let both = "import shop:catalog/stock@0.2.0; export shop:catalog/stock@0.2.0;";
    let parts = [
        ("a", component(both)),
        ("b", component(both)),
        ("c", component(both)),
    ];
    assert_eq!(
        refusal(
            &parts,
            &[
                edge(0, STOCK, 1, STOCK),
                edge(1, STOCK, 2, STOCK),
                edge(2, STOCK, 1, STOCK)
            ]
        ),
        "the links form a cycle: `b` → `c` → `b`; a component cannot call itself through others",
    );
    assert_eq!(
        refusal(&parts[..1], &[edge(0, STOCK, 0, STOCK)]),
        "the links form a cycle: `a` → `a`; a component cannot call itself through others",
    );
}

#[test]
fn invalid_parts_and_edges_are_refused() {
    let stock = component("export shop:catalog/stock@0.2.0;");
    let parts = [
        ("entry", component("import shop:catalog/stock@0.2.0;")),
        ("near", stock.clone()),
        ("far", stock),
    ];
    let edges = [edge(0, STOCK, 1, STOCK), edge(0, STOCK, 2, STOCK)];
    assert_eq!(
        refusal(&parts, &edges),
        "import `shop:catalog/stock@0.2.0` of `entry` is linked twice, to `near` and to `far`",
    );
    assert_eq!(
        refusal(&parts, &edges[..1]),
        "no link leads from the entry `entry` to `far`; fuse it on its own",
    );
    assert_eq!(
        refusal(&parts, &[edge(0, STOCK, 3, STOCK)]),
        "component number 3 of a link or an export does not exist, expected less than 3",
    );
    assert_eq!(
        refusal(&[], &[]),
        "no components to fuse: expected at least the entry",
    );
}

#[test]
fn a_part_that_is_not_a_component_is_refused_with_the_cause() {
    let parts = [("entry", b"\0asm\x01\0\0\0".to_vec())];
    assert_eq!(
        refusal(&parts, &[]),
        "cannot use component `entry`: the artifact is a core WebAssembly module, expected a component; \
         build for `wasm32-wasip2`, or wrap it with `wasm-tools component new`",
    );
}

#[test]
fn bounds_are_named() {
    let bytes = component("export run: func();");
    let parts = [
        Part {
            name: "a",
            bytes: &bytes,
        },
        Part {
            name: "b",
            bytes: &bytes,
        },
    ];
    let few = FuseOptions {
        max_parts: 1,
        ..OPTIONS
    };
    assert_eq!(
        chain(&fuse(&parts, &[], &few).unwrap_err()),
        "too many components to fuse: expected at most 1 (`max_parts`), found 2; link fewer \
         of them to each other",
    );
    let small = FuseOptions {
        max_bytes: 10,
        ..OPTIONS
    };
    assert_eq!(
        chain(&fuse(&parts[..1], &[], &small).unwrap_err()),
        format!(
            "the components to fuse are too large: expected at most 10 bytes in all (`max_bytes`), \
             found {}; link fewer of them to each other",
            bytes.len()
        ),
    );
}
