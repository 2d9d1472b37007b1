//! Descriptions of components, and errors for other bytes.

use weft_compose::{
    DescribeError, Description, Extern, ExternKind, MAX_CODE_BYTES, MAX_COMPONENT_BYTES,
    MAX_FUNCTION_BYTES, describe,
};

use crate::support::{chain, component, text};

#[test]
fn it_lists_functions_with_their_signatures() {
    let description = describe(&component("export shop:catalog/pricing@0.2.0;")).unwrap();
    assert_eq!(
        signatures(&description.exports, "shop:catalog/pricing@0.2.0"),
        [
            "quote: func(sku: string) -> result<u32, failure>",
            "total: func(items: list<item>) -> u32"
        ],
    );
}

#[test]
fn it_lists_resources_and_their_methods() {
    let description = describe(&component("import shop:catalog/baskets@0.2.0;")).unwrap();
    let name = "shop:catalog/baskets@0.2.0";
    let baskets = description
        .imports
        .iter()
        .find(|import| import.name == name)
        .unwrap();
    assert_eq!(baskets.resources, ["basket"]);
    assert_eq!(
        signatures(&description.imports, name),
        [
            "[constructor]basket: func() -> basket",
            "[method]basket.add: func(self: borrow<basket>, item: item)",
            "[method]basket.total: func(self: borrow<basket>) -> u32",
            "close: func(basket: basket) -> u32",
            "open: func() -> basket",
        ],
    );
}

#[test]
fn it_lists_maps() {
    let world = "export prices: interface {
        type prices = map<string, u32>;
        get: func(skus: map<u8, list<string>>) -> prices;
    }";
    let description = describe(&component(world)).unwrap();
    assert_eq!(
        signatures(&description.exports, "prices"),
        ["get: func(skus: map<u8, list<string>>) -> prices"]
    );
    assert!(
        description.wit.contains("type prices = map<string, u32>;"),
        "{}",
        description.wit
    );
}

#[test]
fn it_prints_the_world_as_wit() {
    let description = describe(&component("import shop:catalog/stock@0.2.0;")).unwrap();
    let expected = "package root:component;\n\nworld root {\n  import shop:catalog/stock@0.2.0;\n}\n\
        package shop:catalog@0.2.0 {\n  interface stock {\n    count: func(sku: string) -> u32;\n  }\n}\n";
    assert_eq!(description.wit, expected);
}

#[test]
fn it_lists_plain_functions() {
    let description = describe(&component("import log: func(line: string);")).unwrap();
    assert_eq!(description.imports[0].kind, ExternKind::Func);
    assert_eq!(
        signatures(&description.imports, "log"),
        ["log: func(line: string)"]
    );
}

#[test]
fn types_of_the_world_are_told_apart_from_resources() {
    let world = "enum side { left, right } resource pen; export write: func(on: side);
        import take: func(pen: own<pen>);";
    let description = describe(&component(world)).unwrap();
    let imports = description.imports.iter();
    let kinds: Vec<_> = imports
        .map(|import| (import.name.as_str(), import.kind))
        .collect();
    let expected = [
        ("side", ExternKind::Type),
        ("pen", ExternKind::Other),
        ("take", ExternKind::Func),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn an_imported_and_exported_interface_has_two_types() {
    let filter = text(
        r#"(component
            (type (func (result u32)))
            (import "a:b/c" (instance $c (type $f (func (result u32))) (export "f" (func (type $f)))))
            (alias export $c "f" (func $f))
            (instance $out (export "f" (func $f)) (export "g" (func $f)))
            (export "a:b/c" (instance $out))
        )"#,
    );
    let description = describe(&filter).unwrap();
    assert_eq!(
        signatures(&description.imports, "a:b/c"),
        ["f: func() -> u32"]
    );
    assert_eq!(
        signatures(&description.exports, "a:b/c"),
        ["f: func() -> u32", "g: func() -> u32"],
    );
}

#[test]
fn it_names_the_interface_behind_a_plain_name() {
    let description = describe(&component(
        "import primary: shop:catalog/stock@0.2.0; import backup: shop:catalog/stock@0.2.0;",
    ))
    .unwrap();
    let names: Vec<_> = description
        .imports
        .iter()
        .map(|import| (import.name.as_str(), import.implements.as_deref()))
        .collect();
    let interface = Some("shop:catalog/stock@0.2.0");
    assert_eq!(names, [("primary", interface), ("backup", interface)]);
}

#[test]
fn it_detects_components_that_need_concurrency() {
    assert!(
        !describe(&component("import shop:catalog/stock@0.2.0;"))
            .unwrap()
            .uses_async
    );
    let description = describe(&component("import shop:catalog/feed@0.2.0;")).unwrap();
    assert!(description.uses_async);
    assert_eq!(
        signatures(&description.imports, "shop:catalog/feed@0.2.0"),
        ["watch: async func(sku: string) -> stream<u32>"],
    );
}

#[test]
fn bytes_that_are_not_a_component_are_refused_with_their_kind() {
    let cases = [
        (
            Vec::new(),
            "the artifact is not WebAssembly: expected the first bytes `00 61 73 6d`, found \
            `(nothing)`; give the path of a component, a `.wasm` file",
        ),
        (
            b"#!/bin/sh".to_vec(),
            "the artifact is not WebAssembly: expected the first bytes `00 61 73 6d`, \
            found `23 21 2f 62 69 6e 2f 73`; give the path of a component, a `.wasm` file",
        ),
        (
            text("(module)"),
            "the artifact is a core WebAssembly module, expected a component; build for \
            `wasm32-wasip2`, or wrap it with `wasm-tools component new`",
        ),
        (
            wit_package(),
            "the artifact is an encoded WIT package without code, expected a component; \
            give the component that implements the package",
        ),
        (
            b"\0asm\x0d\0".to_vec(),
            "the component is cut off at byte 4: unexpected end-of-file; \
            copy or build it again",
        ),
        (
            vec![0; 3],
            "the artifact is not WebAssembly: expected the first bytes `00 61 73 6d`, found \
            `00 00 00`; give the path of a component, a `.wasm` file",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(refusal(&bytes), expected);
    }
}

#[test]
fn an_invalid_component_is_refused_with_the_place() {
    let mut bytes = component("import shop:catalog/stock@0.2.0;");
    bytes.extend([0x0b, 0x02, 0x01, 0x07]);
    let error = describe(&bytes).unwrap_err();
    assert!(matches!(
        error,
        DescribeError::Truncated { .. } | DescribeError::Invalid { .. }
    ));
}

#[test]
fn a_feature_that_hosts_do_not_run_is_named_with_the_alternative() {
    let fixed = "import f: func(a: list<u8, 4>);";
    let thread = r#"(component
        (core module $m (func (export "f") (result i32) unreachable))
        (core instance $i (instantiate $m))
        (core func $index (canon thread.index))
    )"#;
    let cases = [
        (
            component(fixed),
            "the component uses lists of fixed length (`list<T, N>`), which hosts do not run; use \
             `list<T>`, or a `tuple` or record of the elements",
        ),
        (
            text(r#"(component (import "f" (func (param "a" error-context))))"#),
            "the component uses `error-context`, which hosts do not run; use `string` or a variant \
             for errors",
        ),
        (
            text(thread),
            "the component uses threads of the component model, which hosts do not run; build it \
             with one thread",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(refusal(&bytes), expected);
    }
}

#[test]
fn a_component_beyond_the_bound_is_refused_unread() {
    let bytes = vec![0; MAX_COMPONENT_BYTES + 1];
    assert_eq!(
        refusal(&bytes),
        "the component is too large: expected at most 67108864 bytes, found 67108865; strip debug \
         information, or build with optimisation for size",
    );
}

/// A component whose core module has these many functions, each of `length` instructions.
fn with_functions(count: usize, length: usize) -> Vec<u8> {
    use wasm_encoder::{CodeSection, Component, Function, FunctionSection, Instruction, Module};
    use wasm_encoder::{ModuleSection, TypeSection};
    let mut function = Function::new([]);
    for _ in 0..length {
        function.instruction(&Instruction::Nop);
    }
    function.instruction(&Instruction::End);
    let (mut types, mut functions, mut code) = (
        TypeSection::new(),
        FunctionSection::new(),
        CodeSection::new(),
    );
    types.ty().function([], []);
    for _ in 0..count {
        functions.function(0);
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component.finish()
}

#[test]
fn code_that_would_take_long_to_compile_is_refused() {
    describe(&with_functions(1, MAX_FUNCTION_BYTES / 2)).unwrap();
    let error = describe(&with_functions(1, MAX_FUNCTION_BYTES)).map(drop);
    let is_too_long = matches!(error, Err(DescribeError::FunctionTooLong { .. }));
    assert!(is_too_long, "{error:?}");
    let many = MAX_CODE_BYTES / (MAX_FUNCTION_BYTES / 2) + 1;
    let error = describe(&with_functions(many, MAX_FUNCTION_BYTES / 2)).map(drop);
    let is_too_much = matches!(error, Err(DescribeError::TooMuchCode { .. }));
    assert!(is_too_much, "{error:?}");
}

#[test]
fn types_that_are_small_in_the_binary_and_enormous_in_text_are_refused() {
    let error = describe(&text(&pairs_of_pairs(18))).map(drop).unwrap_err();
    assert!(
        matches!(error, DescribeError::TypesTooLarge { .. }),
        "{error}"
    );
}

#[test]
fn a_long_signature_is_cut() {
    let description = describe(&text(&pairs_of_pairs(14))).unwrap();
    let signature = &description.imports[0].functions[0].signature;
    assert!(
        signature.ends_with('…') && signature.len() < 5000,
        "{}",
        signature.len()
    );
}

/// A function with a parameter of two to the power of `depth` numbers.
fn pairs_of_pairs(depth: usize) -> String {
    let types: String = (1..=depth)
        .map(|i| format!("(type $t{i} (tuple $t{0} $t{0}))", i - 1))
        .collect();
    format!(
        r#"(component (type $t0 (tuple u8)) {types}
            (import "f" (func (param "p" $t{depth}))))"#
    )
}

fn wit_package() -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve
        .push_str("a.wit", "package a:b; interface c { f: func(); }")
        .expect("the WIT is valid");
    wit_component::encode(&resolve, package).expect("the package can be encoded")
}

fn refusal(bytes: &[u8]) -> String {
    chain(
        &describe(bytes)
            .map(|Description { wit, .. }| wit)
            .expect_err("the bytes are refused"),
    )
}

fn signatures(externs: &[Extern], name: &str) -> Vec<String> {
    let found = externs
        .iter()
        .find(|found| found.name == name)
        .expect("the item is listed");
    let functions = found.functions.iter();
    let mut functions: Vec<_> = functions
        .map(|function| format!("{}: {}", function.name, function.signature))
        .collect();
    functions.sort();
    functions
}
