//! Two links of one interface to different targets.

use weft_compose::{FuseOptions, Part};

use crate::support::{OPTIONS, component, edge, fuse, imports};

const PRICING: &str = "shop:catalog/pricing@0.2.0";
const STOCK: &str = "shop:catalog/stock@0.2.0";

#[test]
fn one_interface_under_two_names_is_linked_to_two_components() {
    let entry = component(
        "import primary: shop:catalog/stock@0.2.0; import backup: shop:catalog/stock@0.2.0;
         export run: func();",
    );
    let stock = component("export shop:catalog/stock@0.2.0;");
    let parts = [("entry", entry), ("near", stock.clone()), ("far", stock)];
    let edges = [edge(0, "primary", 1, STOCK), edge(0, "backup", 2, STOCK)];
    assert_eq!(imports(&fuse(&parts, &edges).unwrap()), [""; 0]);
}

#[test]
fn inline_interfaces_under_plain_names_are_linked_by_their_structure() {
    let entry = component(
        "import primary: interface { count: func(sku: string) -> u32; }
         import backup: interface { count: func(sku: string) -> u32; } export run: func();",
    );
    let stock = component("export shop:catalog/stock@0.2.0;");
    let parts = [("entry", entry), ("near", stock.clone()), ("far", stock)];
    let edges = [edge(0, "primary", 1, STOCK), edge(0, "backup", 2, STOCK)];
    assert_eq!(imports(&fuse(&parts, &edges).unwrap()), [""; 0]);
}

#[test]
fn a_plain_name_that_is_not_linked_keeps_what_it_implements() {
    let entry = component(
        "import primary: shop:catalog/stock@0.2.0; import backup: shop:catalog/stock@0.2.0;
         export run: func();",
    );
    let parts = [
        ("entry", entry),
        ("near", component("export shop:catalog/stock@0.2.0;")),
    ];
    let fused = fuse(&parts, &[edge(0, "primary", 1, STOCK)]).unwrap();
    assert_eq!(imports(&fused), ["backup = backup of shared [0]"]);
    let description = weft_compose::describe(&fused.bytes).unwrap();
    assert_eq!(description.imports[0].implements.as_deref(), Some(STOCK));
}

#[test]
fn two_plain_names_that_are_not_linked_stay_two_imports() {
    let entry = component(&format!(
        "import primary: {STOCK}; import backup: {STOCK}; import {PRICING}; export run: func();"
    ));
    let parts = [
        ("entry", entry),
        ("pricing", component(&format!("export {PRICING};"))),
    ];
    let fused = fuse(&parts, &[edge(0, PRICING, 1, PRICING)]).unwrap();
    assert_eq!(
        imports(&fused),
        [
            "backup = backup of shared [0]",
            "primary = primary of shared [0]",
            "shop:catalog/types@0.2.0 = shop:catalog/types@0.2.0 of shared [0, 1]",
        ],
    );
}

#[test]
fn plain_names_that_are_private_belong_to_their_parts() {
    let importing = |rest: &str| {
        component(&format!(
            "import primary: wasi:keyvalue/store@0.2.0; {rest}"
        ))
    };
    let (entry, stock) = (
        importing(&format!("import {STOCK};")),
        importing(&format!("export {STOCK};")),
    );
    let parts = [
        Part {
            name: "entry",
            bytes: &entry,
        },
        Part {
            name: "stock",
            bytes: &stock,
        },
    ];
    let is_private = |name: &str| name == "primary";
    let options = FuseOptions {
        is_private: &is_private,
        ..OPTIONS
    };
    let fused = weft_compose::fuse(&parts, &[edge(0, STOCK, 1, STOCK)], &options).unwrap();
    assert_eq!(
        imports(&fused),
        [
            "c0-primary = primary of part 0",
            "c1-primary = primary of part 1"
        ],
    );
    let description = weft_compose::describe(&fused.bytes).unwrap();
    let implemented = description
        .imports
        .iter()
        .map(|import| import.implements.as_deref());
    assert!(implemented.eq([Some("wasi:keyvalue/store@0.2.0"); 2]));
}
