//! Generated components can be fused with their importers and exporters.

use wasmparser::{Validator, WasmFeatures};
use weft_stub::plan::ComponentWorld;
use weft_stub::{skeleton, stub};

use crate::support::{any_signature, chain, component, fuse, no_signature};

/// Interfaces that share records, resources, and neither.
const PACKAGES: &str = "package shop:catalog@0.2.0 {
    interface types {
        record item { sku: string, price: u32, %type: kinds }
        enum kinds { %record, %list }
        type blob = list<u8>;
        variant failure { missing, link-failure(string) }
    }
    interface pricing {
        use types.{item, failure, blob};
        quote: func(sku: string) -> result<u32, failure>;
        total: func(items: list<item>) -> u32;
        vat: func(country: string) -> result<f64, string>;
        label: func(%string: string, %list: list<u8>) -> blob;
    }
    interface stock {
        count: func(sku: string) -> u32;
        upload: func(bytes: list<u8>) -> result<_, string>;
    }
    interface plain-types {
        use types.{item};
        type price = u32;
        record pair { a: item, b: price }
        add: func(a: price, b: price) -> price;
    }
    interface baskets {
        use types.{item};
        resource basket {
            constructor(owner: string);
            count: static func() -> u32;
            add: func(item: item);
            total: func() -> u32;
        }
        open: func() -> basket;
        close: func(basket: basket) -> u32;
        limit: func() -> u32;
    }
    interface checkout {
        use baskets.{basket as cart};
        pay: func(basket: borrow<cart>) -> bool;
        sell: func(baskets: list<cart>) -> option<cart>;
        currency: func() -> string;
    }
    interface feed {
        watch: async func(sku: string) -> stream<u32>;
        last: func() -> u32;
    }
    interface silent { }
}";

fn name(interface: &str) -> String {
    if ["mine", "flat", "named", "carts"].contains(&interface) {
        interface.to_owned()
    } else {
        format!("shop:catalog/{interface}@0.2.0")
    }
}

/// A world with these items: interfaces of the packages, some under plain names, or interfaces of
/// the world itself.
fn world(word: &str, interfaces: &[&str]) -> String {
    let items = interfaces.iter().map(|interface| match *interface {
        "mine" => format!(
            "{word} mine: interface {{ record point {{ x: f32 }} f: func(a: point) -> u32; g: func(a: u32); }}"
        ),
        "flat" => format!("{word} flat: interface {{ %type: func(%import: u32) -> u32; }}"),
        "named" => format!("{word} named: shop:catalog/pricing@0.2.0;"),
        "carts" => format!("{word} carts: shop:catalog/baskets@0.2.0;"),
        other => format!("{word} {};", name(other)),
    });
    items.collect()
}

fn validate(bytes: &[u8]) {
    Validator::new_with_features(WasmFeatures::default().union(WasmFeatures::CM_IMPLEMENTS))
        .validate_all(bytes)
        .expect("a generated component is valid");
}

/// Generates a stub, fuses it with its importer, and returns the remaining imports.
fn check_stub(interfaces: &[&str], is_typed: bool) -> Vec<String> {
    let importer = component(PACKAGES, &world("import", interfaces));
    let decoded = ComponentWorld::of(&importer).expect("a component has a world");
    let names: Vec<_> = interfaces.iter().map(|interface| name(interface)).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let is_direct = if is_typed {
        any_signature
    } else {
        no_signature
    };
    let made = stub(&decoded, &names, &is_direct)
        .unwrap_or_else(|error| panic!("{interfaces:?}: {}", chain(&error)));
    let bytes = made.bytes.as_ref().expect("a function is called");
    validate(bytes);
    let again = stub(&decoded, &names, &is_direct).expect("the first stub was generated");
    assert_eq!(again, made);

    let edges: Vec<_> = made
        .joined
        .iter()
        .map(|name| (0, name.as_str(), 1))
        .collect();
    let fused = fuse(&[("importer", &importer), ("stub", bytes)], &edges, &[0])
        .unwrap_or_else(|error| panic!("{interfaces:?}: {error}"));
    validate(&fused.bytes);
    let mut imports: Vec<_> = fused
        .imports
        .into_iter()
        .map(|import| import.name)
        .collect();
    imports.sort();
    imports
}

#[test]
fn a_stub_replaces_the_imports_of_its_importer() {
    let types = "shop:catalog/types@0.2.0";
    let (call, direct) = ("c1-weft:link/call", "c1-weft:link/direct");
    for (interfaces, typed, untyped) in [
        (
            &["pricing"][..],
            &[call, direct, types][..],
            &[call, types][..],
        ),
        (&["stock"], &[direct], &[call]),
        (&["flat"], &[direct], &[call]),
        (&["plain-types"], &[call, direct], &[call]),
        (&["mine"], &[call, direct], &[call]),
        (&["named"], &[call, direct, types], &[call, types]),
        (&["carts"], &[call, types], &[call, types]),
        (&["types", "pricing"], &[call, direct], &[call]),
        (
            &["pricing", "stock", "mine"],
            &[call, direct, types],
            &[call, types],
        ),
        (&["baskets"], &[call, types], &[call, types]),
        (
            &["baskets", "checkout"],
            &[call, direct, types],
            &[call, types],
        ),
        (&["checkout", "types", "baskets"], &[call, direct], &[call]),
        (
            &["flat", "checkout", "pricing", "baskets"],
            &[call, direct, types],
            &[call, types],
        ),
        (
            &["stock", "feed"],
            &[direct, "shop:catalog/feed@0.2.0"],
            &[call, "shop:catalog/feed@0.2.0"],
        ),
    ] {
        assert_eq!(check_stub(interfaces, true), typed, "{interfaces:?}, typed");
        assert_eq!(check_stub(interfaces, false), untyped, "{interfaces:?}");
    }
}

#[test]
fn a_skeleton_is_fused_with_the_exports_of_its_exporter() {
    for interfaces in [
        &["pricing"][..],
        &["mine"],
        &["named"],
        &["carts"],
        &["named", "pricing", "carts"],
        &["types", "pricing", "plain-types"],
        &["baskets"],
        &["baskets", "checkout"],
        &["types", "checkout", "baskets", "feed"],
    ] {
        let exporter = component(PACKAGES, &world("export", interfaces));
        let decoded = ComponentWorld::of(&exporter).unwrap();
        let names: Vec<_> = interfaces.iter().map(|interface| name(interface)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let made = skeleton(&decoded, &names, &any_signature).unwrap();
        let bytes = made.bytes.as_ref().expect("a function is called");
        validate(bytes);
        let exported = weft_compose::describe(&exporter).unwrap().exports;
        let edges: Vec<_> = made
            .joined
            .iter()
            .map(|name| (1, name.as_str(), 0))
            .collect();
        let fused = fuse(
            &[("exporter", &exporter), ("skeleton", bytes)],
            &edges,
            &[0, 1],
        )
        .unwrap_or_else(|error| panic!("{interfaces:?}: {error}"));
        validate(&fused.bytes);
        let exports = weft_compose::describe(&fused.bytes).unwrap().exports;
        let is_there = |name: &str| exports.iter().any(|export| export.name == name);
        assert!(is_there("weft:link/serve"), "{interfaces:?}");
        assert_eq!(exports.len(), exported.len() + 1, "{interfaces:?}");
    }
}

#[test]
fn an_interface_of_resources_alone_is_fused_if_others_use_it() {
    let packages = "package a:b@0.1.0 {
        interface types { resource basket; }
        interface api { use types.{basket}; open: func() -> basket; }
        interface other { f: func(); }
    }";
    let names = ["a:b/types@0.1.0", "a:b/api@0.1.0", "a:b/other@0.1.0"];
    let world = |word: &str| -> String {
        let items = names.iter().map(|name| format!("{word} {name};"));
        items.collect()
    };
    let exporter = component(packages, &world("export"));
    let decoded = ComponentWorld::of(&exporter).unwrap();
    let made = skeleton(&decoded, &names, &any_signature).unwrap();
    assert_eq!(made.joined, names[..2]);
    let edges: Vec<_> = made
        .joined
        .iter()
        .map(|name| (1, name.as_str(), 0))
        .collect();
    let parts = [
        ("exporter", &exporter[..]),
        ("skeleton", made.bytes.as_deref().unwrap()),
    ];
    let fused = fuse(&parts, &edges, &[0, 1]).unwrap();
    assert_eq!(fused.imports, []);

    let importer = component(packages, &world("import"));
    let decoded = ComponentWorld::of(&importer).unwrap();
    let made = stub(&decoded, &names, &any_signature).unwrap();
    assert_eq!(made.joined, names);
}

#[test]
fn no_component_is_generated_without_generated_calls() {
    let importer = component(PACKAGES, &world("import", &["feed"]));
    let decoded = ComponentWorld::of(&importer).unwrap();
    let made = stub(&decoded, &["shop:catalog/feed@0.2.0"], &any_signature).unwrap();
    assert_eq!(made.bytes, None);
    assert_eq!(made.plan.functions().count(), 2);

    let exporter = component(PACKAGES, &world("export", &["stock"]));
    let decoded = ComponentWorld::of(&exporter).unwrap();
    let made = skeleton(&decoded, &["shop:catalog/stock@0.2.0"], &any_signature).unwrap();
    assert_eq!(made.bytes, None);
}

#[test]
fn stubs_of_two_targets_stand_beside_each_other() {
    let importer = component(PACKAGES, &world("import", &["pricing", "stock", "flat"]));
    let decoded = ComponentWorld::of(&importer).unwrap();
    let make = |names: &[&str]| {
        stub(&decoded, names, &any_signature)
            .unwrap()
            .bytes
            .unwrap()
    };
    let (pricing, stock) = ("shop:catalog/pricing@0.2.0", "shop:catalog/stock@0.2.0");
    let one = make(&[pricing, "flat"]);
    let other = make(&[stock]);
    let parts = [
        ("importer", &importer[..]),
        ("one", &one),
        ("other", &other),
    ];
    let edges = [(0, pricing, 1), (0, "flat", 1), (0, stock, 2)];
    let fused = fuse(&parts, &edges, &[0]).unwrap();
    let mut imports: Vec<_> = fused
        .imports
        .into_iter()
        .map(|import| import.name)
        .collect();
    imports.sort();
    assert_eq!(
        imports,
        [
            "c1-weft:link/call",
            "c1-weft:link/direct",
            "c2-weft:link/direct",
            "shop:catalog/types@0.2.0",
        ]
    );
}
