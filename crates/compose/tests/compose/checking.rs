//! Link checks without fusing.

use weft_compose::{Linkable, Part};

use crate::linking::{PRICES, STOCK, TYPES, component};
use crate::support::{chain, component_of};

#[test]
fn a_link_check_without_fusing_has_the_same_messages() {
    let entry = component(&format!("import {TYPES}; import {STOCK};"));
    let carts = component(&format!("export {TYPES}; export log: func();"));
    let other = component_of(
        "package a:b { interface stock { count: func(sku: string) -> u64; } }",
        "export a:b/stock;",
    );
    let part = |name, bytes| Linkable::read(&Part { name, bytes }).unwrap();
    let (entry, carts, other) = (
        part("entry", &entry),
        part("carts", &carts),
        part("other", &other),
    );
    entry.check_link(TYPES, &carts, TYPES).unwrap();

    let cases = [
        (
            (PRICES, &carts, PRICES),
            "component `entry` does not import `shop:cart/prices@0.1.0`, found `shop:cart/model@0.1.0`, \
             `shop:cart/types@0.1.0`, `shop:cart/stock@0.1.0`",
        ),
        (
            (STOCK, &carts, STOCK),
            "component `carts` does not export `shop:cart/stock@0.1.0`, found `log`, `shop:cart/types@0.1.0`",
        ),
        (
            (STOCK, &carts, "log"),
            "link `entry` → `carts` (`shop:cart/stock@0.1.0`): expected an interface, found a function",
        ),
        (
            (STOCK, &other, "a:b/stock"),
            "link `entry` → `other` (`shop:cart/stock@0.1.0`): function `count`: expected \
             `func(sku: string) -> u32`, found `func(sku: string) -> u64`",
        ),
        (
            (TYPES, &other, "a:b/stock"),
            "link `entry` → `other` (`shop:cart/types@0.1.0`): function `[constructor]basket` is \
             missing: expected `func() -> basket`; `other` has `count`",
        ),
    ];
    for ((import, exporter, export), expected) in cases {
        let error = entry.check_link(import, exporter, export).unwrap_err();
        assert_eq!(chain(&error), expected);
    }
}
