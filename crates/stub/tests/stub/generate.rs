//! Generated code is valid for all types, and the same each time.

use sha2::{Digest, Sha256};
use wasmparser::{Validator, WasmFeatures};
use weft_stub::generate::{self, GenerateError};
use weft_stub::plan::{self, ComponentWorld};

use crate::support::{component_world, no_signature, world_of_wit};

/// Types by their special property. Each occurs as a parameter, as a result, and inside others.
const TYPES: [(&str, &str); 34] = [
    (
        "every integer",
        "tuple<u8, s8, u16, s16, u32, s32, u64, s64>",
    ),
    ("every float", "tuple<f32, f64>"),
    ("one bit and one scalar value", "tuple<bool, char>"),
    ("a text", "string"),
    ("bytes", "list<u8>"),
    ("a list that is the same in memory", "list<tuple<f64, f64>>"),
    (
        "a list that is not the same because of a gap",
        "list<tuple<u8, f32>>",
    ),
    ("a list of lists of texts", "list<list<string>>"),
    ("the smallest flags", "one-flag"),
    ("flags of three bytes", "many-flags"),
    ("as many flags as there can be", "most-flags"),
    ("one case", "one-case"),
    ("cases without payload", "color"),
    ("more cases than a byte tells apart", "long-enum"),
    ("slots that floats and integers share", "joined"),
    ("a variant in a variant", "nested"),
    ("a variant of which each case has the same payload", "alike"),
    ("more than 16 flat values", "wide"),
    ("keywords as names", "%record"),
    ("a type of another interface", "item"),
    ("a type of another interface by another name", "thing"),
    ("an alias of an alias", "alias-of-alias"),
    ("a result of nothing", "result"),
    ("a result of an error alone", "result<_, string>"),
    ("a result of a value alone", "result<u64>"),
    ("a result of both", "result<list<item>, joined>"),
    ("an option of an option", "option<option<string>>"),
    ("a list of options", "list<option<u32>>"),
    ("a map with texts as keys", "map<string, list<item>>"),
    ("a map of maps", "map<char, map<bool, nested>>"),
    ("a map that is the same in memory", "map<u8, u8>"),
    ("a map with a gap in its entries", "map<s16, f64>"),
    ("a large value", "tuple<wide, wide, wide>"),
    ("a record of one field, in another", "outer-box"),
];

fn packages(interface: &str) -> String {
    let flags = |count| list(count, "f");
    let cases = list(300, "c");
    let fields: String = (0..20).map(|index| format!("f{index}: s64, ")).collect();
    format!(
        "package a:types@0.1.0 {{ interface types {{
            record item {{ sku: string, price: u32, tags: list<string> }}
            type alias = list<item>;
        }} }}
        package a:b@1.2.3-rc.1 {{ interface api {{
            use a:types/types@0.1.0.{{item, item as thing, alias}};
            type alias-of-alias = alias;
            flags one-flag {{ only }}
            flags many-flags {{ {} }}
            flags most-flags {{ {} }}
            variant one-case {{ only(string) }}
            enum color {{ red, %enum }}
            enum long-enum {{ {cases} }}
            variant joined {{ a(f32), b(s64), c(f64), d(string), e(tuple<u8, f32, f64>), f }}
            variant nested {{ a(joined), b(option<joined>), c(color), d(list<joined>) }}
            variant alike {{ a(string), b(string), c(string) }}
            record wide {{ {fields} last: joined }}
            record %record {{ %type: u32, %list: string, %func: bool }}
            record inner-box {{ value: u16 }}
            record outer-box {{ inner: inner-box }}
            {interface}
        }} }}",
        flags(20),
        flags(32),
    )
}

fn list(count: usize, prefix: &str) -> String {
    let names: Vec<_> = (0..count).map(|index| format!("{prefix}{index}")).collect();
    names.join(", ")
}

/// The name of the interface under test.
const API: &str = "a:b/api@1.2.3-rc.1";

/// Generates a stub and a skeleton with all functions of the interfaces.
fn generate_both(packages: &str, names: &[&str]) -> Result<[Vec<u8>; 2], GenerateError> {
    let world = |word: &str| -> String {
        let items = names.iter().map(|name| format!("{word} {name}; "));
        items.collect()
    };
    let importer = component_world(packages, &world("import"));
    let exporter = component_world(packages, &world("export"));
    let imports =
        plan::imports(&importer, names, &no_signature).expect("the interfaces are supported");
    let exports =
        plan::exports(&exporter, names, &no_signature).expect("the interfaces are supported");
    let stub = generate::stub(&importer, &imports)?;
    Ok([stub, generate::skeleton(&exporter, &exports)?])
}

fn assert_valid(component: &[u8], of: &str) {
    let features = WasmFeatures::default()
        .union(WasmFeatures::CM_IMPLEMENTS)
        .union(WasmFeatures::CM_MAP);
    let validated = Validator::new_with_features(features).validate_all(component);
    assert!(validated.is_ok(), "{of}: {:?}", validated.err());
}

#[test]
fn every_type_has_a_valid_stub_and_skeleton() {
    for (description, ty) in TYPES {
        let functions = format!(
            "f: func(a: {ty}) -> {ty};
            g: func(a: list<{ty}>, b: option<{ty}>) -> result<{ty}, {ty}>;
            h: func(a: {ty}, b: {ty}, c: {ty}, d: string) -> tuple<{ty}, u8>;
            i: func(a: {ty});
            j: func() -> {ty};"
        );
        for component in generate_both(&packages(&functions), &[API]).expect(description) {
            assert_valid(&component, description);
        }
    }
}

#[test]
fn functions_without_parameters_and_results_are_carried_too() {
    for component in
        generate_both(&packages("f: func();"), &[API]).expect("the interfaces are supported")
    {
        assert_valid(&component, "f: func()");
    }
}

#[test]
fn resources_of_several_interfaces_are_in_one_stub_and_one_skeleton() {
    let packages = "package a:b { interface baskets {
            resource basket {
                constructor(owner: string);
                add: func(sku: string, count: u32) -> result<u32, string>;
                merge: func(other: basket, others: list<basket>);
                split: func() -> tuple<basket, option<basket>>;
                largest: static func(of: list<borrow<basket>>) -> option<u32>;
            }
        }
        interface empty { resource pen; }
        interface checkout {
            use baskets.{basket as cart};
            use empty.{pen};
            record order { cart: cart, note: string }
            variant outcome { sold(order), kept(cart), lost }
            pay: func(order: order, by: borrow<cart>, sign: borrow<pen>) -> outcome;
            every: func(orders: list<order>) -> list<outcome>;
            one: func(cart: cart) -> cart;
        } }";
    let names = ["a:b/baskets", "a:b/empty", "a:b/checkout"];
    for component in generate_both(packages, &names).expect("the interfaces are supported") {
        assert_valid(&component, "resources");
    }
}

#[test]
fn interfaces_with_plain_names_are_carried_under_them() {
    let world = |word: &str| {
        format!(
            "use a:b/types.{{item}};
            {word} left: interface {{ use a:b/types.{{item}}; f: func(a: item) -> item; }}
            {word} right: interface {{ record item {{ a: u32 }} f: func(a: list<item>) -> item; }}"
        )
    };
    let packages = "package a:b { interface types { record item { a: string } } }";
    let names = ["left", "right"];
    let importer = component_world(packages, &world("import"));
    let plan =
        plan::imports(&importer, &names, &no_signature).expect("the interfaces are supported");
    assert_valid(&generate::stub(&importer, &plan).expect("a stub"), "stub");
    let exporter = component_world(packages, &world("export"));
    let plan =
        plan::exports(&exporter, &names, &no_signature).expect("the interfaces are supported");
    let skeleton = generate::skeleton(&exporter, &plan).expect("a skeleton");
    assert_valid(&skeleton, "skeleton");
}

#[test]
fn an_interface_under_two_names_is_carried_under_both() {
    let packages =
        "package a:b { interface store { get: func(key: list<string>) -> list<string>; } }";
    let world = |word: &str| format!("{word} left: a:b/store; {word} right: a:b/store;");
    let names = ["left", "right"];
    let importer = component_world(packages, &world("import"));
    let plan =
        plan::imports(&importer, &names, &no_signature).expect("the interfaces are supported");
    assert_valid(&generate::stub(&importer, &plan).expect("a stub"), "stub");
    let exporter = component_world(packages, &world("export"));
    let plan =
        plan::exports(&exporter, &names, &no_signature).expect("the interfaces are supported");
    let skeleton = generate::skeleton(&exporter, &plan).expect("a skeleton");
    assert_valid(&skeleton, "skeleton");
}

#[test]
fn the_same_interfaces_make_the_same_bytes_and_the_same_digest() {
    let functions = "f: func(a: nested, b: wide) -> %record; g: func(a: list<thing>) -> joined;";
    let packages = packages(functions);
    let both = || generate_both(&packages, &[API]).expect("the interfaces are supported");
    assert_eq!(both(), both());
    assert_eq!(digests(&packages), digests(&packages));
}

fn digests(packages: &str) -> [[u8; 32]; 2] {
    let importer = component_world(packages, &format!("import {API};"));
    let exporter = component_world(packages, &format!("export {API};"));
    let imports =
        plan::imports(&importer, &[API], &no_signature).expect("the interfaces are supported");
    let exports =
        plan::exports(&exporter, &[API], &no_signature).expect("the interfaces are supported");
    [
        generate::stub_digest(&importer, &imports).expect("a digest"),
        generate::skeleton_digest(&exporter, &exports).expect("a digest"),
    ]
}

#[test]
fn functions_of_one_name_are_told_apart_by_their_interfaces() {
    let packages = "interface first { record item { id: u32 } get: func(of: item) -> item; }
        interface second { use first.{item}; get: func(of: item) -> item; }";
    let importer = component_world(packages, "import first; import second;");
    let digest = |names: &[&str]| {
        let plan =
            plan::imports(&importer, names, &no_signature).expect("the interfaces are supported");
        generate::stub_digest(&importer, &plan).expect("a digest")
    };
    let (first, second) = ("test:test/first", "test:test/second");
    // The indices of the functions differ.
    assert_ne!(digest(&[first, second]), digest(&[second, first]));
}

#[test]
fn different_components_have_different_digests() {
    let functions = [
        "f: func(a: nested) -> wide;",
        "f: func(a: nested) -> joined;",
        "g: func(a: nested) -> wide;",
        "f: func(b: nested) -> wide;",
        "f: func(a: nested) -> wide; g: func(a: nested) -> wide;",
        "g: func(a: nested) -> wide; f: func(a: nested) -> wide;",
    ];
    let all: Vec<_> = functions
        .iter()
        .flat_map(|functions| digests(&packages(functions)))
        .collect();
    for (place, digest) in all.iter().enumerate() {
        assert!(
            !all[..place].contains(digest),
            "digest {place} occurs twice"
        );
    }
}

/// Artifacts are cached by a digest that includes the version of the generator instead of its code.
#[test]
fn the_generator_version_is_raised_with_the_code_it_generates() {
    const KNOWN: (u32, &str) = (3, "6b8165eb10182995");
    let functions: String = TYPES
        .iter()
        .enumerate()
        .map(|(index, (_, ty))| format!("g{index}: func(a: {ty}, b: list<{ty}>) -> {ty};"))
        .collect();
    let resource = "resource r { constructor(); f: func(a: r, b: borrow<r>) -> list<r>; }";
    let packages = packages(&format!("{functions} {resource}"));
    let mut hasher = Sha256::new();
    for component in generate_both(&packages, &[API]).expect("the interfaces are supported") {
        hasher.update(component);
    }
    let found: String = hasher.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let found = (generate::VERSION, found.as_str());
    assert_eq!(
        found, KNOWN,
        "raise `generate::VERSION` if the generated code has changed, and write both here"
    );
}

#[test]
fn types_that_are_nested_too_deeply_are_refused_without_a_crash() {
    let check = |depth: usize| {
        let aliases = (1..=depth).map(|level| format!("type t{level} = list<t{}>; ", level - 1));
        let aliases: String = aliases.collect();
        let functions = format!("type t0 = u8; {aliases} f: func(a: t{depth});");
        generate_from_wit(&packages(&functions)).map(|bytes| assert_valid(&bytes, "deep"))
    };
    check(90).expect("90 levels are supported");
    assert!(matches!(check(200), Err(GenerateError::TooDeep { .. })));
}

/// Generates a stub from WIT alone: the tools cannot make components of some worlds.
fn generate_from_wit(packages: &str) -> Result<Vec<u8>, GenerateError> {
    let component: ComponentWorld =
        world_of_wit(packages, &format!("import {API};")).expect("the WIT is valid");
    let plan =
        plan::imports(&component, &[API], &no_signature).expect("the interfaces are supported");
    generate::stub(&component, &plan)
}

#[test]
fn nested_types_generate_code_once_per_type() {
    let levels = |depth: usize| {
        let mut functions = "record l0 { a: string, b: option<u64> }".to_owned();
        for level in 1..depth {
            let below = level - 1;
            functions.push_str(&format!(
                "record l{level} {{ a: list<l{below}>, b: option<l{below}> }}
                variant v{level} {{ a(l{below}), b(l{level}) }}"
            ));
        }
        let last = depth - 1;
        functions.push_str(&format!("f: func(a: l{last}, b: v{last}) -> l{last};"));
        generate_from_wit(&packages(&functions))
            .expect("the interfaces are supported")
            .len()
    };
    assert!(levels(12) < 3 * levels(6), "{} {}", levels(6), levels(12));
}
