//! Types and functions that links between stores do not support, and their error messages.

use weft_stub::plan::{self, ComponentWorld, Reason, WorldError};

use crate::support::{
    any_signature, component, component_world, exports, lines, texts, world_of_wit,
};

const PACKAGES: &str = include_str!("packages.wit");

/// The errors of an importer of these interfaces of `a:b`.
fn refused(interfaces: &str, names: &[&str]) -> Vec<String> {
    let packages = format!("package a:b@0.1.0 {{ {interfaces} }} {PACKAGES}");
    let world: String = names.iter().map(|name| format!("import {name};")).collect();
    refused_of(&component_world(&packages, &world), names)
}

fn refused_of(component: &ComponentWorld, names: &[&str]) -> Vec<String> {
    match plan::imports(component, names, &any_signature) {
        Err(refusals) => texts(&refusals),
        Ok(plan) => panic!("the interfaces are supported: {plan:?}"),
    }
}

/// Checks the errors of the functions of `a:b/api`.
fn check(interface: &str, expected: &[&str]) {
    let interfaces = format!("interface api {{ {interface} }}");
    assert_eq!(
        refused(&interfaces, &["a:b/api@0.1.0"]),
        expected,
        "{interface}"
    );
}

#[test]
fn handles_of_resources_outside_the_link_are_refused() {
    check(
        "use wasi:io/streams@0.2.0.{output-stream as out};
        write: func(to: borrow<out>, also: list<out>);
        fine: func(a: u32);",
        &[
            "`write` of `a:b/api@0.1.0`: `borrow<out>` is a handle of a resource of `wasi:io/streams@0.2.0`, \
             outside this link: such handles cannot leave their store",
            "`write` of `a:b/api@0.1.0`: `out` is a handle of a resource of `wasi:io/streams@0.2.0`, \
             outside this link: such handles cannot leave their store",
        ],
    );
    let shared = "interface baskets { resource basket; open: func() -> basket; }
        interface api { use baskets.{basket}; pay: func(basket: basket); }";
    let names = ["a:b/api@0.1.0", "a:b/baskets@0.1.0"];
    let packages = format!("package a:b@0.1.0 {{ {shared} }}");
    let both = component_world(&packages, "import a:b/api@0.1.0; import a:b/baskets@0.1.0;");
    plan::imports(&both, &names, &any_signature).unwrap();
    assert_eq!(
        refused_of(&both, &names[..1]),
        [
            "`pay` of `a:b/api@0.1.0`: `basket` is a handle of a resource of `a:b/baskets@0.1.0`, \
             outside this link: such handles cannot leave their store"
        ]
    );
}

#[test]
fn resources_are_refused_beside_concurrent_functions() {
    check(
        "resource basket { add: func(sku: string); }
        resource idle;
        watch: async func();
        feed: func(of: borrow<basket>) -> stream<u8>;
        plain: func() -> u32;",
        &[
            "`a:b/api@0.1.0`: `idle` is a resource in an interface with concurrent functions (`watch`): unsupported on links between stores",
            "`[method]basket.add` of `a:b/api@0.1.0`: `borrow<basket>` is a resource in an interface with \
             concurrent functions (`watch`): unsupported on links between stores",
            "`feed` of `a:b/api@0.1.0`: `borrow<basket>` is a resource in an interface with concurrent functions (`watch`): unsupported on links between stores",
        ],
    );
}

#[test]
fn streams_of_structured_elements_are_refused() {
    let wrong =
        "has unsupported elements: expected numbers, `bool`, `char`, `string` or `list<u8>`";
    for ty in [
        "stream<item>",
        "stream<tuple<u8>>",
        "stream<option<u8>>",
        "stream<list<u16>>",
        "stream<result<u8, string>>",
        "stream<stream<u8>>",
        "stream",
    ] {
        let functions = format!(
            "record item {{ a: u8 }} f: async func(a: {ty}); g: async func() -> tuple<{ty}>;"
        );
        check(
            &functions,
            &[
                &format!("`f` of `a:b/api@0.1.0`: `{ty}` {wrong}"),
                &format!("`g` of `a:b/api@0.1.0`: `{ty}` {wrong}"),
            ],
        );
    }
}

#[test]
fn futures_of_structured_values_are_refused() {
    let wrong = "has an unsupported value: expected a number, `bool`, `char`, `string`, \
        `list<u8>`, or a `result` of one of these or nothing, with the error `string`";
    for ty in [
        "future<item>",
        "future<result<item, string>>",
        "future<result<_, u8>>",
        "future<future<u8>>",
        "future",
    ] {
        let functions = format!("record item {{ a: u8 }} f: async func() -> {ty};");
        check(
            &functions,
            &[&format!("`f` of `a:b/api@0.1.0`: `{ty}` {wrong}")],
        );
    }
}

#[test]
fn streams_and_futures_inside_other_types_are_refused() {
    let wrong = "is inside another type: expected a parameter, the result, its `ok`, or a member of a \
         result tuple";
    for (function, ty) in [
        ("func(a: list<stream<u8>>)", "stream<u8>"),
        ("func(a: tuple<stream<u8>>)", "stream<u8>"),
        ("async func(a: holder)", "stream<u8>"),
        ("async func() -> option<future<u8>>", "future<u8>"),
        ("async func() -> result<u8, stream<u8>>", "stream<u8>"),
        ("async func() -> result<option<stream<u8>>>", "stream<u8>"),
        ("async func() -> result<tuple<stream<u8>>>", "stream<u8>"),
        ("async func(a: result<stream<u8>>)", "stream<u8>"),
        ("async func() -> tuple<u8, tuple<stream<u8>>>", "stream<u8>"),
    ] {
        let functions = format!("record holder {{ inner: stream<u8> }} f: {function};");
        check(
            &functions,
            &[&format!("`f` of `a:b/api@0.1.0`: `{ty}` {wrong}")],
        );
    }
}

#[test]
fn types_without_an_encoding_are_refused() {
    let wrong = "has no encoding on links between stores";
    for ty in ["error-context", "list<u8, 4>"] {
        let functions = format!("f: func(a: option<{ty}>);");
        let packages = format!("package a:b@0.1.0 {{ interface api {{ {functions} }} }}");
        let component = world_of_wit(&packages, "import a:b/api@0.1.0;").unwrap();
        assert_eq!(
            refused_of(&component, &["a:b/api@0.1.0"]),
            [format!("`f` of `a:b/api@0.1.0`: `{ty}` {wrong}")]
        );
    }
    let flags: Vec<_> = (0..33).map(|flag| format!("flag{flag}")).collect();
    let flags = flags.join(", ");
    let packages = format!(
        "package a:b@0.1.0 {{ interface api {{ flags many {{ {flags} }} f: func(a: many); }} }}"
    );
    let component = world_of_wit(&packages, "import a:b/api@0.1.0;").unwrap();
    assert_eq!(
        refused_of(&component, &["a:b/api@0.1.0"]),
        ["`f` of `a:b/api@0.1.0`: `many` has 33 flags: expected at most 32"]
    );
}

#[test]
fn a_missing_interface_is_refused_with_the_existing_ones() {
    let importer = component_world(
        "package a:b@0.1.0 { interface api { f: func(); } }",
        "import a:b/api@0.1.0; import lonely: func();",
    );
    assert_eq!(
        refused_of(&importer, &["a:b/api@0.2.0", "a:b/api@0.1.0", "lonely"]),
        [
            "`a:b/api@0.2.0` is missing from the component: found `a:b/api@0.1.0`, `lonely`",
            "`lonely` is not an interface: only interfaces can be linked",
        ]
    );
    let refusals = plan::exports(&importer, &["a:b/api@0.1.0"], &any_signature).unwrap_err();
    let found = Vec::new();
    assert_eq!(refusals[0].reason, Reason::Missing { found });
}

#[test]
fn one_interface_of_resources_under_two_names_is_refused() {
    let packages = "package a:b@0.1.0 { interface api { resource r { f: func(); } }
        interface values { f: func(a: list<u32>); } }";
    let twice = |interface: &str| {
        let world =
            format!("import left: a:b/{interface}@0.1.0; import right: a:b/{interface}@0.1.0;");
        world_of_wit(packages, &world).unwrap()
    };
    assert_eq!(
        refused_of(&twice("api"), &["left", "right"]),
        [
            "`right` is the same interface as `left` and defines `r`: expected one name for each target"
        ]
    );
    for name in ["left", "right"] {
        plan::imports(&twice("api"), &[name], &any_signature).unwrap();
    }
    plan::imports(&twice("values"), &["left", "right"], &any_signature).unwrap();
}

#[test]
fn unsupported_functions_of_an_exporter_are_left_out() {
    let interfaces = "interface api {
        use wasi:io/streams@0.2.0.{output-stream};
        record item { a: u8 }
        write: func(to: borrow<output-stream>);
        feed: async func() -> stream<item>;
        fine: func(a: list<u32>);
    }";
    let packages = format!("package a:b@0.1.0 {{ {interfaces} }} {PACKAGES}");
    let plan = exports(
        &component_world(&packages, "export a:b/api@0.1.0;"),
        &["a:b/api@0.1.0"],
    );
    assert_eq!(lines(&plan), ["0 a:b/api@0.1.0#fine: stub, or trap"]);
    let unsupported: Vec<_> = plan
        .unsupported
        .iter()
        .map(|one| one.function.as_deref())
        .collect();
    assert_eq!(unsupported, [Some("write"), Some("feed")]);
}

#[test]
fn a_type_of_any_size_is_refused_in_bounded_time_and_length() {
    let mut types = "type t0 = tuple<stream<u8>, stream<u8>>;".to_owned();
    for level in 1..60 {
        let inner = level - 1;
        types += &format!("type t{level} = tuple<t{inner}, t{inner}>;");
    }
    let nested = "tuple<".repeat(90) + "error-context" + &">".repeat(90);
    let packages = format!(
        "package a:b@0.1.0 {{ interface api {{ {types} f: func(a: t59); g: func(a: {nested}); }} }}"
    );
    let component = world_of_wit(&packages, "import a:b/api@0.1.0;").unwrap();
    let refusals = refused_of(&component, &["a:b/api@0.1.0"]);
    assert_eq!(refusals.len(), 2, "{refusals:?}");
    assert!(refusals.iter().all(|refusal| refusal.len() < 2048));
}

#[test]
fn bytes_that_are_not_a_component_have_no_world() {
    let module = wasm_encoder::Module::new().finish();
    for bytes in [&b""[..], b"\0asm", &module, &[0xff; 64]] {
        assert!(matches!(
            ComponentWorld::of(bytes),
            Err(WorldError::NotAComponent)
        ));
    }
    let cut = &component("", "export f: func();")[..64];
    assert!(matches!(
        ComponentWorld::of(cut),
        Err(WorldError::Decode { .. })
    ));
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve
        .push_str("a.wit", "package a:b; interface c { f: func(); }")
        .unwrap();
    let wit = wit_component::encode(&resolve, package).unwrap();
    assert!(matches!(ComponentWorld::of(&wit), Err(WorldError::NoCode)));
}
