//! Exports and imports of fused components.

use weft_compose::{FuseError, describe};

use crate::support::{component, component_of, edge, exports, fuse, imports, text};

const PRICING: &str = "shop:catalog/pricing@0.2.0";
const STOCK: &str = "shop:catalog/stock@0.2.0";

#[test]
fn a_fused_component_has_the_exports_of_its_entry_and_no_linked_import() {
    let parts = [
        (
            "storefront",
            component("import shop:catalog/pricing@0.2.0; export run: func();"),
        ),
        ("pricing", component("export shop:catalog/pricing@0.2.0;")),
    ];
    let fused = fuse(&parts, &[edge(0, PRICING, 1, PRICING)]).unwrap();
    assert_eq!(exports(&fused.bytes), ["run"]);
    // The types of the linked interface, which need no code.
    assert_eq!(
        imports(&fused),
        ["shop:catalog/types@0.2.0 = shop:catalog/types@0.2.0 of shared [0, 1]"]
    );
}

#[test]
fn maps_are_fused_and_must_be_equal_at_both_ends() {
    let interface = |entries: &str| {
        format!(
            "package a:b {{ interface model {{ record item {{ tags: list<string> }} }}
            interface prices {{ use model.{{item}}; type entries = {entries}; get: func() -> entries; }} }}"
        )
    };
    let map = "map<string, item>";
    let entry = component_of(&interface(map), "import a:b/prices; export run: func();");
    let with_exporter = |entries: &str| {
        let exporter = component_of(&interface(entries), "export a:b/prices;");
        let parts = [("entry", entry.clone()), ("prices", exporter)];
        fuse(&parts, &[edge(0, "a:b/prices", 1, "a:b/prices")])
    };
    assert_eq!(exports(&with_exporter(map).unwrap().bytes), ["run"]);
    for other in [
        "map<char, item>",
        "map<string, u8>",
        "list<tuple<string, item>>",
    ] {
        let error = with_exporter(other).unwrap_err().to_string();
        let expected = format!(
            "function `get`: expected `func() -> entries; type entries = map<string, item>`, found \
             `func() -> entries; type entries = {other}`"
        );
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn a_diamond_shares_one_instance() {
    let parts = [
        (
            "entry",
            component(
                "import left: interface { f: func() -> u32; } import right: interface { f: func() -> u32; } export run: func();",
            ),
        ),
        (
            "left",
            component(
                "import shop:catalog/stock@0.2.0; export api: interface { f: func() -> u32; }",
            ),
        ),
        (
            "right",
            component(
                "import shop:catalog/stock@0.2.0; export api: interface { f: func() -> u32; }",
            ),
        ),
        ("stock", component("export shop:catalog/stock@0.2.0;")),
    ];
    let edges = [
        edge(0, "left", 1, "api"),
        edge(0, "right", 2, "api"),
        edge(1, STOCK, 3, STOCK),
        edge(2, STOCK, 3, STOCK),
    ];
    let fused = fuse(&parts, &edges).unwrap();
    assert_eq!(exports(&fused.bytes), ["run"]);
    assert_eq!(imports(&fused), [""; 0]);
    let size: usize = parts.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(
        fused.bytes.len() < size + 2048,
        "a part was included twice: {}",
        fused.bytes.len()
    );
}

#[test]
fn an_exporter_may_have_more_than_the_importer_uses() {
    let importer = text(
        r#"(component
            (import "shop:catalog/stock@0.2.0" (instance (export "count" (func (param "sku" string) (result u32)))))
        )"#,
    );
    let exporter = component(
        "export api: interface { count: func(sku: string) -> u32; reserve: func(sku: string); }",
    );
    fuse(
        &[("entry", importer), ("stock", exporter)],
        &[edge(0, STOCK, 1, "api")],
    )
    .unwrap();
}

#[test]
fn edges_join_names_of_different_versions() {
    let parts = [
        (
            "entry",
            component("import shop:catalog/stock@0.2.0; export run: func();"),
        ),
        (
            "stock",
            component("export stock: interface { count: func(sku: string) -> u32; }"),
        ),
    ];
    let fused = fuse(&parts, &[edge(0, STOCK, 1, "stock")]).unwrap();
    assert_eq!(imports(&fused), [""; 0]);
}

#[test]
fn resources_of_the_linked_interface_cross_the_link() {
    let parts = [
        (
            "entry",
            component("import shop:catalog/baskets@0.2.0; export run: func();"),
        ),
        ("baskets", component("export shop:catalog/baskets@0.2.0;")),
    ];
    let name = "shop:catalog/baskets@0.2.0";
    let fused = fuse(&parts, &[edge(0, name, 1, name)]).unwrap();
    assert_eq!(exports(&fused.bytes), ["run"]);
}

#[test]
fn a_resource_of_one_part_is_passed_to_another() {
    let parts = [
        (
            "entry",
            component(
                "import shop:catalog/baskets@0.2.0; import shop:catalog/checkout@0.2.0;
            export run: func();",
            ),
        ),
        ("baskets", component("export shop:catalog/baskets@0.2.0;")),
        (
            "checkout",
            component("import shop:catalog/baskets@0.2.0; export shop:catalog/checkout@0.2.0;"),
        ),
    ];
    let (baskets, checkout) = ("shop:catalog/baskets@0.2.0", "shop:catalog/checkout@0.2.0");
    let edges = [
        edge(0, baskets, 1, baskets),
        edge(0, checkout, 2, checkout),
        edge(2, baskets, 1, baskets),
    ];
    fuse(&parts, &edges).unwrap();

    let other = [edge(0, baskets, 1, baskets), edge(0, checkout, 2, checkout)];
    let error = fuse(&parts, &other).unwrap_err();
    assert!(
        matches!(error, FuseError::ResourceMismatch { .. }),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "link `entry` → `checkout` (`shop:catalog/checkout@0.2.0`): resource `basket` must be the \
         same at both ends: expected the one defined by `baskets`, found the one imported by \
         `checkout` from `shop:catalog/baskets@0.2.0`",
    );
}

#[test]
fn a_resource_of_which_both_ends_have_a_copy_is_refused_with_its_owner() {
    let (baskets, checkout) = ("shop:catalog/baskets@0.2.0", "shop:catalog/checkout@0.2.0");
    let stub = component(&format!("export {baskets};"));
    let parts = [
        (
            "entry",
            component(&format!(
                "import {baskets}; import {checkout}; export run: func();"
            )),
        ),
        // Two stubs of one component, each for one importer, have its name.
        ("baskets", stub.clone()),
        (
            "checkout",
            component(&format!("import {baskets}; export {checkout};")),
        ),
        ("baskets", stub),
    ];
    let edges = [
        edge(0, baskets, 1, baskets),
        edge(0, checkout, 2, checkout),
        edge(2, baskets, 3, baskets),
    ];
    let error = fuse(&parts, &edges).unwrap_err();
    assert_eq!(
        error.to_string(),
        "link `entry` → `checkout` (`shop:catalog/checkout@0.2.0`): resource `basket` must be the \
         same at both ends, and both have a copy of their own, because their links to `baskets` lead \
         to another store: run `baskets` in the same store (without `isolate`, on the same host, \
         fused), or pass a value in place of the resource",
    );
}

#[test]
fn async_functions_and_streams_are_fused() {
    let feed = "shop:catalog/feed@0.2.0";
    let parts = [
        (
            "entry",
            component("import shop:catalog/feed@0.2.0; export run: func();"),
        ),
        ("feed", component("export shop:catalog/feed@0.2.0;")),
    ];
    let fused = fuse(&parts, &[edge(0, feed, 1, feed)]).unwrap();
    assert!(describe(&fused.bytes).unwrap().uses_async);
}

#[test]
fn parts_that_use_different_functions_of_one_interface_share_it() {
    let few = r#"(import "wasi:http/types@0.2.0" (instance
        (export "fields" (type (sub resource)))))"#;
    // Uses a function with types from an interface that the other part does not import.
    let many = r#"(import "wasi:io/streams@0.2.0" (instance $io
            (export "output-stream" (type (sub resource)))))
        (alias export $io "output-stream" (type $stream))
        (import "wasi:http/types@0.2.0" (instance
            (alias outer 1 $stream (type $outer))
            (export "output-stream" (type $used (eq $outer)))
            (export "fields" (type $fields (sub resource)))
            (export "body" (func (param "f" (borrow $fields)) (result (own $used))))))"#;
    for (mine, theirs, streams_of) in [(few, many, "[1]"), (many, few, "[0]")] {
        let entry = text(&format!(r#"(component {mine} (import "api" (instance)))"#));
        let other = text(&format!(
            r#"(component {theirs} (instance $i) (export "api" (instance $i)))"#
        ));
        let parts = [("entry", entry), ("other", other)];
        let fused = fuse(&parts, &[edge(0, "api", 1, "api")]).unwrap();
        assert_eq!(
            imports(&fused),
            [
                "wasi:http/types@0.2.0 = wasi:http/types@0.2.0 of shared [0, 1]".to_owned(),
                format!("wasi:io/streams@0.2.0 = wasi:io/streams@0.2.0 of shared {streams_of}"),
            ],
        );
    }
}

#[test]
fn an_open_interface_may_use_a_record_of_a_linked_one() {
    let packages = "package a:a {
        interface linked { record r { x: u32 } f: func(r: r); }
        interface open { use linked.{r}; g: func() -> r; }
    }";
    let parts = [
        (
            "entry",
            component_of(
                packages,
                "import a:a/linked; import a:a/open; export run: func();",
            ),
        ),
        ("other", component_of(packages, "export a:a/linked;")),
    ];
    let fused = fuse(&parts, &[edge(0, "a:a/linked", 1, "a:a/linked")]).unwrap();
    assert_eq!(imports(&fused), ["a:a/open = a:a/open of shared [0]"]);
}

#[test]
fn a_filter_that_imports_what_it_exports_is_linked_to_the_next() {
    let filter = "import shop:catalog/stock@0.2.0; export shop:catalog/stock@0.2.0;";
    let parts = [
        ("first", component(filter)),
        ("second", component(filter)),
        ("stock", component("export shop:catalog/stock@0.2.0;")),
    ];
    let edges = [edge(0, STOCK, 1, STOCK), edge(1, STOCK, 2, STOCK)];
    let fused = fuse(&parts, &edges).unwrap();
    assert_eq!(exports(&fused.bytes), [STOCK]);
    assert_eq!(imports(&fused), [""; 0]);
}

#[test]
fn an_entry_keeps_what_its_plainly_named_exports_implement() {
    let parts = [
        (
            "entry",
            component("import shop:catalog/pricing@0.2.0; export main: shop:catalog/stock@0.2.0;"),
        ),
        ("pricing", component("export shop:catalog/pricing@0.2.0;")),
    ];
    let fused = fuse(&parts, &[edge(0, PRICING, 1, PRICING)]).unwrap();
    let exports = describe(&fused.bytes).unwrap().exports;
    assert_eq!(
        (exports[0].name.as_str(), exports[0].implements.as_deref()),
        ("main", Some(STOCK))
    );
}
