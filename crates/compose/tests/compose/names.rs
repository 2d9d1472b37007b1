//! Two links of one interface to different targets.

use crate::support::{component, edge, fuse, imports};

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
