//! The call paths of functions.

use weft_stub::plan::{self, CallPath, Outcome, Scalars, Signature};
use weft_wire::{Scalar, SimpleType};

use crate::support::{any_signature, component_world, exports, imports, lines, no_signature};

/// The name of the interface under test.
const API: &str = "a:b/api@0.1.0";

/// Checks the call paths of `a:b/api` in the plans of an importer and of an exporter.
fn check(interface: &str, expected: &[&str]) {
    let packages = format!(
        "package a:b@0.1.0 {{ interface types {{
            record item {{ sku: string, price: u32 }}
            type blob = list<u8>;
            type outcome = result<blob, message>;
            type message = string;
            variant failure {{ missing, link-failure(message), other }}
            variant strange {{ link-failure(u32) }}
            variant silent {{ link-failure }}
            enum named {{ link-failure }}
        }}
        interface api {{ use types.{{item, blob, outcome, message, failure, strange, silent, named}}; {interface} }} }}"
    );
    let expected: Vec<_> = (0..)
        .zip(expected)
        .map(|(index, expected)| {
            let (name, path) = expected.split_once(": ").expect("a line has two parts");
            format!("{index} {API}#{name}: {path}")
        })
        .collect();
    let importer = component_world(&packages, "import a:b/api@0.1.0;");
    assert_eq!(lines(&imports(&importer, &[API])), expected, "{interface}");
    let exporter = component_world(&packages, "export a:b/api@0.1.0;");
    assert_eq!(lines(&exports(&exporter, &[API])), expected, "{interface}");
}

#[test]
fn a_function_of_few_values_without_structure_is_direct() {
    for ty in [
        "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char",
        "string", "list<u8>", "blob",
    ] {
        let as_param = format!("f: func(a: {ty}); g: func(a: u8, b: {ty});");
        check(&as_param, &["f: direct, or trap", "g: direct, or trap"]);
        let as_result = format!("f: func() -> {ty}; g: func() -> result<{ty}, string>;");
        check(&as_result, &["f: direct, or trap", "g: direct, or text"]);
    }
    check("f: func();", &["f: direct, or trap"]);
    check("f: func() -> result<_, string>;", &["f: direct, or text"]);
    check("f: func() -> outcome;", &["f: direct, or text"]);
}

#[test]
fn any_other_function_takes_the_stub() {
    for function in [
        "f: func(a: u8, b: u8, c: u8, d: u8, e: u8);",
        "f: func(a: list<u16>);",
        "f: func(a: list<s8>);",
        "f: func(a: tuple<u8, string>);",
        "f: func(a: option<string>);",
        "f: func(a: result<u8, string>);",
        "f: func(a: item);",
        "f: func(a: list<item>);",
        "f: func(a: named);",
        "f: func() -> item;",
        "f: func() -> result<u8, u8>;",
        "f: func() -> result<u8>;",
        "f: func() -> result;",
        "f: func() -> option<string>;",
        "f: func() -> tuple<u8, u8>;",
    ] {
        check(function, &["f: stub, or trap"]);
    }
    check("f: func() -> result<item, string>;", &["f: stub, or text"]);
    for function in ["f: func(a: u8, b: u8, c: u8);", "f: func(a: tuple<u8>);"] {
        check(function, &["f: scalars, or trap"]);
    }
}

#[test]
fn a_failure_takes_the_form_that_the_result_has_room_for() {
    for (result, expected) in [
        ("result<_, string>", "direct, or text"),
        ("result<_, message>", "direct, or text"),
        ("result<item, failure>", "stub, or case 1"),
        ("result<_, failure>", "stub, or case 1"),
        ("result<_, strange>", "stub, or trap"),
        ("result<_, silent>", "stub, or trap"),
        ("result<_, named>", "stub, or trap"),
        ("result<string, u8>", "stub, or trap"),
        ("result<string>", "stub, or trap"),
        ("failure", "stub, or trap"),
        ("option<result<_, string>>", "stub, or trap"),
        ("string", "direct, or trap"),
    ] {
        let function = format!("f: func() -> {result};");
        check(&function, &[&format!("f: {expected}")]);
    }
}

#[test]
fn nothing_of_an_interface_with_methods_is_direct() {
    check(
        "resource basket {
            constructor(size: u32);
            count: static func() -> u32;
            add: func(sku: string) -> result<u32, string>;
        }
        open: func() -> basket;
        pay: func(basket: borrow<basket>) -> bool;
        size: func() -> u32;",
        &[
            "[constructor]basket: stub, or trap",
            "[static]basket.count: scalars, or trap",
            "[method]basket.add: stub, or text",
            "open: stub, or trap",
            "pay: stub, or trap",
            "size: scalars, or trap",
        ],
    );
    check(
        "resource basket; open: func() -> basket; size: func() -> u32;",
        &["open: stub, or trap", "size: direct, or trap"],
    );
}

#[test]
fn an_interface_with_a_concurrent_function_is_concurrent_as_a_whole_to_its_importer() {
    let packages = "package a:b@0.1.0 { interface api {
        first: func(a: list<u32>);
        second: async func();
        third: func() -> u32;
        fourth: func() -> stream<u8>;
    } interface other { f: func() -> u32; } }";
    let world = "import a:b/api@0.1.0; import a:b/other@0.1.0;";
    let plan = imports(&component_world(packages, world), &[API, "a:b/other@0.1.0"]);
    assert_eq!(
        lines(&plan),
        [
            format!("0 {API}#first: concurrent, or trap"),
            format!("1 {API}#second: concurrent, or trap"),
            format!("2 {API}#third: concurrent, or trap"),
            format!("3 {API}#fourth: concurrent, or trap"),
            "4 a:b/other@0.1.0#f: direct, or trap".to_owned(),
        ]
    );
    let concurrent: Vec<_> = plan.interfaces.iter().map(|one| one.concurrent).collect();
    assert_eq!(concurrent, [true, false]);

    // An importer of only the first and the third function does not see the others.
    let plan = exports(&component_world(packages, "export a:b/api@0.1.0;"), &[API]);
    assert_eq!(
        lines(&plan),
        [
            format!("0 {API}#first: stub, or trap"),
            format!("1 {API}#second: concurrent, or trap"),
            format!("2 {API}#third: direct, or trap"),
            format!("3 {API}#fourth: concurrent, or trap"),
        ]
    );
    assert!(plan.interfaces[0].concurrent);
}

#[test]
fn streams_and_futures_are_carried_at_the_outside_of_a_signature() {
    for function in [
        "f: async func(a: stream<u8>, b: future<string>) -> stream<string>;",
        "f: async func() -> tuple<stream<u8>, future<result<_, string>>>;",
        "f: async func() -> tuple<stream<blob>, future<outcome>, item>;",
        "f: func(a: stream<list<u8>>) -> future<char>;",
        "f: async func(a: item) -> list<item>;",
    ] {
        check(function, &["f: concurrent, or trap"]);
    }
    check(
        "f: async func(a: stream<bool>) -> result<item, failure>;",
        &["f: concurrent, or case 1"],
    );
}

#[test]
fn the_host_chooses_direct_functions_by_signature() {
    let packages = "package a:b@0.1.0 { interface api {
        both: func(a: string, b: list<u8>) -> result<f64, string>;
        none: func();
        plain: func(a: char) -> u64;
    } }";
    let importer = component_world(packages, "import a:b/api@0.1.0;");
    let plan = imports(&importer, &[API]);
    let signature = |name: &str| match &plan.find(API, name).map(|function| &function.path) {
        Some(CallPath::Direct(signature)) => signature.clone(),
        other => panic!("`{name}` is {other:?}"),
    };
    let expect = |params: &[SimpleType], outcome| Signature {
        params: params.to_vec(),
        outcome,
    };
    assert_eq!(
        signature("both"),
        expect(
            &[SimpleType::String, SimpleType::Bytes],
            Outcome::Fallible(Some(Scalar::F64.into()))
        )
    );
    assert_eq!(signature("none"), expect(&[], Outcome::Nothing));
    assert_eq!(
        signature("plain"),
        expect(&[Scalar::Char.into()], Outcome::Plain(Scalar::U64.into()))
    );

    let without_text = |signature: &Signature| !signature.params.contains(&SimpleType::String);
    let plan = plan::imports(&importer, &[API], &without_text).unwrap();
    assert_eq!(plan.find(API, "both").unwrap().path, CallPath::Stub);
    assert!(matches!(
        plan.find(API, "plain").unwrap().path,
        CallPath::Direct(_)
    ));
}

#[test]
fn few_scalars_cross_as_words_if_the_host_has_no_typed_function() {
    let packages = "package a:b@0.1.0 { interface api {
        type id = u64;
        record point { x: f32, y: f32 }
        resource r { of: static func(a: u8) -> r; count: static func(a: u8) -> u8; }
        none: func();
        named: func(a: id) -> id;
        nested: func(a: tuple<point, tuple<bool>>, b: char) -> tuple<s64>;
        four: func(a: u8, b: s16, c: f64, d: u32);
        five: func(a: u8, b: s16, c: f64, d: u32, e: u8);
        two-results: func() -> point;
        text: func(a: string) -> u32;
        maybe: func(a: option<u8>);
        fallible: func() -> result<u32, string>;
    } }";
    let importer = component_world(packages, "import a:b/api@0.1.0;");
    let plan = plan::imports(&importer, &[API], &no_signature).unwrap();
    let scalars = |name: &str| match &plan.find(API, name).unwrap().path {
        CallPath::Scalars(scalars) => Some(scalars.clone()),
        _ => None,
    };
    let are = |params: &[Scalar], result| {
        Some(Scalars {
            params: params.to_vec(),
            result,
        })
    };
    assert_eq!(scalars("none"), are(&[], None));
    assert_eq!(scalars("named"), are(&[Scalar::U64], Some(Scalar::U64)));
    let nested = [Scalar::F32, Scalar::F32, Scalar::Bool, Scalar::Char];
    assert_eq!(scalars("nested"), are(&nested, Some(Scalar::S64)));
    let four = [Scalar::U8, Scalar::S16, Scalar::F64, Scalar::U32];
    assert_eq!(scalars("four"), are(&four, None));
    assert_eq!(
        scalars("[static]r.count"),
        are(&[Scalar::U8], Some(Scalar::U8))
    );
    for others in [
        "five",
        "two-results",
        "text",
        "maybe",
        "fallible",
        "[static]r.of",
    ] {
        assert_eq!(scalars(others), None, "{others}");
    }
}

#[test]
fn functions_are_numbered_in_the_order_of_the_names_and_of_the_interface() {
    let packages = "package a:b@0.1.0 {
        interface first { z: func(); a: func(); }
        interface second { m: func(); }
    }";
    let world = "import a:b/first@0.1.0; import a:b/second@0.1.0;
        import plain: interface { only: func(); %type: func(%list: u8); }";
    let importer = component_world(packages, world);
    let names = ["a:b/second@0.1.0", "plain", "a:b/first@0.1.0"];
    let plan = imports(&importer, &names);
    assert_eq!(
        lines(&plan),
        [
            "0 a:b/second@0.1.0#m: direct, or trap",
            "1 plain#only: direct, or trap",
            "2 plain#type: direct, or trap",
            "3 a:b/first@0.1.0#z: direct, or trap",
            "4 a:b/first@0.1.0#a: direct, or trap",
        ]
    );
    for (_, function) in plan.functions() {
        assert_eq!(
            plan.functions().nth(function.index as usize).unwrap().1,
            function
        );
    }
    let twice = [&names[..], &names[..]].concat();
    assert_eq!(imports(&importer, &twice), plan);
}

#[test]
fn a_function_is_written_as_its_wit() {
    let packages = "package a:b@0.1.0 { interface api {
        record item { sku: string }
        resource basket { add: func(items: list<item>) -> result<_, string>; }
        open: func() -> basket;
        all: func(a: option<tuple<u8, borrow<basket>>>, %list: result<string>) -> result;
    }
    interface feed { watch: async func(a: stream<u8>) -> tuple<future<result<u8, string>>, bool>; } }";
    let world = "import a:b/api@0.1.0; import a:b/feed@0.1.0;";
    let plan = plan::imports(
        &component_world(packages, world),
        &[API, "a:b/feed@0.1.0"],
        &any_signature,
    )
    .unwrap();
    let texts: Vec<_> = plan
        .functions()
        .map(|(_, function)| &function.text)
        .collect();
    assert_eq!(
        texts,
        [
            "[method]basket.add: func(self: borrow<basket>, items: list<item>) -> result<_, string>",
            "open: func() -> basket",
            "all: func(a: option<tuple<u8, borrow<basket>>>, list: result<string>) -> result",
            "watch: async func(a: stream<u8>) -> tuple<future<result<u8, string>>, bool>",
        ]
    );
    assert!(plan.has_resources());
    let without = imports(
        &component_world(packages, "import a:b/feed@0.1.0;"),
        &["a:b/feed@0.1.0"],
    );
    assert!(!without.has_resources());
}

#[test]
fn a_plan_is_the_same_each_time() {
    let packages = "package a:b@0.1.0 { interface api { f: func(a: list<string>); g: func(); } }";
    let world = "import a:b/api@0.1.0;";
    let component = component_world(packages, world);
    assert_eq!(imports(&component, &[API]), imports(&component, &[API]));
}
