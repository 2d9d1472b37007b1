//! Tests of the model of interfaces.

use std::fmt::Write as _;

use proptest::prelude::*;
use weft_json::{Interface, Kind, MAX_TYPE_PARTS, Names, TextError, TypeProblem, camel_case};
use weft_wire::{Scalar, SimpleType};
use wit_parser::{Resolve, TypeDefKind};

use crate::support::{NAME, function, param, parse};

/// The reason why JSON cannot call a function with this parameter.
fn refusal(items: &str, ty: &str) -> String {
    let interface = parse(&format!("{items}\n f: func(p: {ty});"));
    let mut reasons = interface.unsupported.iter();
    let reason = reasons.find(|reason| &*reason.function == "f");
    reason.expect("`f` is refused").to_string()
}

#[test]
fn an_interface_has_its_functions_with_prose_types_and_names() {
    let interface = parse(
        "/// A line of an order.
         record line {
             /// The article.
             sku: string,
             unit-price: u32,
         }
         /// Places an order.
         place: func(new-lines: list<line>) -> result<u64, string>;
         wait: async func();",
    );
    assert_eq!(&*interface.name, NAME);
    let place = interface.function("place").unwrap();
    assert_eq!(place.docs.as_deref(), Some("Places an order."));
    assert!(!place.is_async);
    assert_eq!(place.params[0].name.wit(), "new-lines");
    assert_eq!(place.params[0].name.key(Names::Camel), "newLines");
    assert_eq!(place.params[0].name.key(Names::Kebab), "new-lines");
    let Kind::List(line) = place.params[0].ty.kind() else {
        panic!("the parameter is a list");
    };
    let name = line.name().unwrap();
    assert_eq!(
        (&*name.name, name.interface.as_deref()),
        ("line", Some(NAME))
    );
    assert_eq!(line.docs(), Some("A line of an order."));
    let Kind::Record(fields) = line.kind() else {
        panic!("a line is a record");
    };
    assert_eq!(fields[0].docs.as_deref(), Some("The article."));
    assert_eq!(fields[1].name.camel(), "unitPrice");
    assert_eq!(fields[1].ty.kind(), &Kind::Scalar(Scalar::U32));
    let wait = interface.function("wait").unwrap();
    assert!(wait.is_async && wait.result.is_none() && wait.params.is_empty());
    assert!(interface.function("missing").is_none());
}

#[test]
fn a_list_of_bytes_is_bytes_through_aliases_too() {
    for ty in ["list<u8>", "blob", "list<byte>"] {
        let ty = param("type byte = u8; type blob = list<byte>;", ty);
        assert_eq!(ty.kind(), &Kind::Bytes);
    }
    assert!(matches!(param("", "list<s8>").kind(), Kind::List(_)));
}

#[test]
fn an_alias_of_an_unnamed_type_has_its_own_name_and_one_of_a_named_type_has_that_name() {
    let items = "/// An article.\n type sku = string; type other = sku;";
    for ty in ["sku", "other"] {
        let ty = param(items, ty);
        assert_eq!(ty.kind(), &Kind::String);
        assert_eq!(ty.name().unwrap().name, "sku");
        assert_eq!(ty.docs(), Some("An article."));
    }
    assert!(param(items, "string").name().is_none());
}

#[test]
fn a_type_of_another_interface_keeps_its_owner() {
    let text = "package test:types@1.2.3;
        interface types { use test:base/units@0.1.0.{unit}; record amount { of: unit } }
        interface api { use types.{amount as sum}; f: func(p: sum); }
        package test:base@0.1.0 { interface units { enum unit { piece, gram } } }";
    let interface = Interface::from_text(text, NAME).unwrap();
    let names = interface.named_types().into_iter();
    let names = names.map(|ty| ty.name().unwrap().clone());
    let names: Vec<_> = names
        .map(|name| format!("{}#{}", name.interface.unwrap(), name.name))
        .collect();
    assert_eq!(
        names,
        [
            "test:base/units@0.1.0#unit",
            "test:types/types@1.2.3#amount"
        ]
    );
}

#[test]
fn named_types_are_listed_once_after_their_parts() {
    let interface = parse(
        "record inner { a: u8 } record outer { a: inner, b: list<inner> }
         f: func(p: outer, q: inner) -> option<outer>;",
    );
    let names = interface.named_types().into_iter();
    let names: Vec<_> = names.map(|ty| ty.name().unwrap().name.as_str()).collect();
    assert_eq!(names, ["inner", "outer"]);
}

#[test]
fn streams_and_futures_are_whole_parameters_and_results_only() {
    let f = function(
        "type lines = stream<string>;
         f: async func(p: lines, q: stream<u8>) -> stream<list<u8>>;",
        "f",
    );
    assert_eq!(f.params[0].ty.kind(), &Kind::Stream(SimpleType::String));
    let bytes = SimpleType::Scalar(Scalar::U8);
    assert_eq!(f.params[1].ty.kind(), &Kind::Stream(bytes));
    let result = f.result.unwrap();
    assert_eq!(result.kind(), &Kind::Stream(SimpleType::Bytes));
    assert!(
        matches!(param("", "future<u32>").kind(), Kind::Future(Some(ty))
        if ty.kind() == &Kind::Scalar(Scalar::U32))
    );
}

#[test]
fn the_ok_of_a_result_can_be_a_stream() {
    let items = "type lines = stream<string>; type opened = result<lines, u8>;";
    for (ty, element, err) in [
        (
            "result<stream<u8>, string>",
            SimpleType::Scalar(Scalar::U8),
            Some(Kind::String),
        ),
        ("result<lines>", SimpleType::String, None),
        ("opened", SimpleType::String, Some(Kind::Scalar(Scalar::U8))),
    ] {
        let f = function(&format!("{items} f: async func() -> {ty};"), "f");
        let result = f.result.unwrap();
        let Kind::Result { ok, err: found } = result.kind() else {
            panic!("{ty}: {result:?}");
        };
        assert_eq!(ok.as_ref().unwrap().kind(), &Kind::Stream(element), "{ty}");
        assert_eq!(found.as_ref().map(|ty| ty.kind()), err.as_ref(), "{ty}");
    }
    for (function, place) in [
        ("f: async func() -> result<u8, stream<u8>>;", "the result"),
        (
            "f: async func() -> result<option<stream<u8>>>;",
            "the result",
        ),
        (
            "f: async func() -> option<result<stream<u8>>>;",
            "the result",
        ),
        ("f: async func(p: result<stream<u8>>);", "parameter `p`"),
    ] {
        let interface = parse(function);
        let message = interface.unsupported[0].to_string();
        let expected = format!("{place} of `f` has a stream within another type");
        assert!(message.starts_with(&expected), "{function}: {message}");
    }
}

#[test]
fn a_type_without_a_form_in_json_is_refused_with_its_place() {
    let items = "record point { x: u8 } resource cart { add: func(); } \
                 flags same { a-1, a1 }";
    let cases = [
        ("list<stream<u8>>", "a stream within another type"),
        ("option<future<u8>>", "a future within another type"),
        ("stream<point>", "a stream of `point`"),
        ("stream<option<u8>>", "a stream of type option"),
        ("stream", "a stream without a type"),
        ("cart", "the resource `cart`"),
        ("list<borrow<cart>>", "the resource `cart`"),
        ("list<u16, 4>", "a fixed-length list"),
        ("list<error-context>", "an error context"),
    ];
    for (ty, found) in cases {
        let message = refusal(items, ty);
        let expected = format!("parameter `p` of `f` has {found}, which has no form in JSON");
        assert!(message.starts_with(&expected), "{ty}: {message}");
    }
    let interface = parse(&format!("{items}\n f: func(p: cart) -> result<u8, cart>;"));
    let reasons: Vec<_> = interface.unsupported.iter().collect();
    assert_eq!(reasons.len(), 2, "the function and the method: {reasons:?}");
    assert!(reasons.iter().all(|reason| matches!(
        &reason.problem,
        TypeProblem::Unsupported { found } if found.contains("resource")
    )));
}

#[test]
fn a_map_of_a_binary_with_other_keys_is_refused() {
    let mut resolve = Resolve::default();
    let text = "package a:b; interface i { f: func(p: map<char, string>); }";
    resolve.push_source("wit", text).unwrap();
    let (id, _) = resolve.interfaces.iter().next().unwrap();
    assert!(matches!(
        Interface::new(&resolve, id).functions[0].params[0].ty.kind(),
        Kind::Map { key, value } if key.kind() == &Kind::Scalar(Scalar::Char)
            && value.kind() == &Kind::String
    ));
    // The parser refuses this in a text.
    for (_, definition) in resolve.types.iter_mut() {
        if let TypeDefKind::Map(key, _) = &mut definition.kind {
            *key = wit_parser::Type::F64;
        }
    }
    let message = Interface::new(&resolve, id).unsupported[0].to_string();
    assert!(message.contains("a map with keys of type f64"), "{message}");
}

#[test]
fn a_function_without_a_form_in_json_takes_no_other_with_it() {
    let interface = parse("f: func(p: list<stream<u8>>); g: func();");
    assert!(interface.function("g").is_some());
    assert_eq!(&*interface.unsupported[0].function, "f");
    let result = parse("f: func() -> list<stream<u8>>;");
    let message = result.unsupported[0].to_string();
    assert!(message.starts_with("the result of `f` has a stream"));
}

#[test]
fn names_that_are_one_key_in_json_are_refused() {
    let items = "record twice { a-1: u8, a1: u8 } flags same { x-2y, x2y }";
    for (ty, expected) in [
        ("twice", "a record in which `a-1` and `a1` are both `a1`"),
        ("same", "flags in which `x-2y` and `x2y` are both `x2y`"),
    ] {
        let message = refusal(items, ty);
        assert!(message.contains(expected), "{message}");
    }
    let interface = parse("f: func(b-3: u8, b3: u8);");
    let message = interface.unsupported[0].to_string();
    assert!(message.starts_with("`f` has parameters in which `b-3`"));
}

#[test]
fn names_are_those_of_jco() {
    let names = [
        ("a", "a"),
        ("unit-price", "unitPrice"),
        ("a-b-c", "aBC"),
        ("x1-y2", "x1Y2"),
        ("x-1", "x1"),
        ("x-1y", "x1y"),
        ("URL", "url"),
        ("get-URL", "getUrl"),
        ("HTTP-status-OK", "httpStatusOk"),
        ("e2e-X509", "e2eX509"),
    ];
    for (wit, camel) in names {
        assert_eq!(camel_case(wit), camel);
    }
}

#[test]
fn a_type_that_doubles_at_each_level_is_refused() {
    let mut items = String::from("record r0 { a: u8, b: u8 }\n");
    for level in 1..40 {
        let below = level - 1;
        writeln!(items, "record r{level} {{ a: r{below}, b: r{below} }}").unwrap();
    }
    let message = refusal(&items, "r39");
    assert!(
        message.contains(&format!("more than {MAX_TYPE_PARTS} parts")),
        "{message}"
    );
    assert!(
        !parse(&format!("{items} f: func(p: r10);"))
            .functions
            .is_empty()
    );
    let many = "p0: r13, p1: r13, p2: r13, p3: r13, p4: r13";
    let message = parse(&format!("{items} f: func({many});")).unsupported[0].to_string();
    assert!(
        message.starts_with("`f` has a type of more than"),
        "{message}"
    );
}

#[test]
fn a_type_deeper_than_a_value_is_refused() {
    let mut items = String::from("type t0 = u8;\n");
    for level in 1..=200 {
        writeln!(items, "type t{level} = option<t{}>;", level - 1).unwrap();
    }
    assert!(refusal(&items, "t200").contains("more than 128 levels"));
    assert!(
        !parse(&format!("{items} f: func(p: t100);"))
            .functions
            .is_empty()
    );
}

#[test]
fn hostile_texts_are_refused_before_they_cost_anything() {
    let chain = |levels: usize| {
        let mut text = String::from("package a:b; interface i { type t0 = u8;\n");
        for level in 1..levels {
            writeln!(text, "type t{level} = list<t{}>;", level - 1).unwrap();
        }
        format!("{text} f: func() -> t{}; }}", levels - 1)
    };
    let packages = |count: usize| {
        let package = |number| format!("package a:p{number} {{ interface i {{ }} }}\n");
        format!(
            "package a:b;\n{}",
            (0..count).map(package).collect::<String>()
        )
    };
    let interfaces = |count: usize| {
        let interface = |number| format!("interface i{number} {{ }}\n");
        format!(
            "package a:b;\n{}",
            (0..count).map(interface).collect::<String>()
        )
    };
    let worlds = |count: usize| {
        let world = |number| format!("world w{number} {{ }}\n");
        format!(
            "package a:b;\n{}",
            (0..count).map(world).collect::<String>()
        )
    };
    let nested = |levels: usize| {
        let (open, close) = ("list<".repeat(levels), ">".repeat(levels));
        format!("package a:b; interface i {{ f: func(p: {open}u8{close}); }}")
    };
    let in_packages = |levels: usize| {
        let (open, close) = ("package a:b {".repeat(levels), "}".repeat(levels));
        format!("package a:b; {open}{close}")
    };
    let params = |between: &str| {
        let param = |number| format!("p{number}x: u8,{between}\n");
        let params = (0..30_000).map(param).collect::<String>();
        format!("package a:b; interface i {{ f: func({params}); }}")
    };
    let cases = [
        (
            params(""),
            "parameters of a function, above the limit of 1000",
        ),
        (params(" // )("), "parameters of a function"),
        (params("/* ) /* ( */ ) */"), "parameters of a function"),
        (
            format!("{}\n\"", params("\n\")\\\"\"")),
            "parameters of a function",
        ),
        (chain(30_000), "levels of types"),
        (packages(10_000), "packages"),
        (interfaces(10_000), "interfaces"),
        (worlds(10_000), "worlds"),
        (" ".repeat((1 << 20) + 1), "bytes exceeds the limit"),
        (nested(100_000), "type nesting too deep"),
        (in_packages(50_000), "package nesting too deep"),
        ("/*".repeat(100_000), "WIT text is invalid"),
        (String::new(), "WIT text is invalid"),
        (
            "package a:b; interface i { type t = t; }".into(),
            "WIT text is invalid",
        ),
    ];
    for (text, expected) in cases {
        let error = Interface::from_text(&text, "a:b/i")
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.len() < 2_000, "{error}");
    }
}

#[test]
fn an_interface_that_the_text_does_not_have_is_an_error_with_those_it_has() {
    let text = "package a:b@1.0.0; interface i { } interface j { }";
    let error = Interface::from_text(text, "a:b/i").unwrap_err();
    assert_eq!(
        error.to_string(),
        "WIT text does not define the interface `a:b/i`; found `a:b/i@1.0.0`, `a:b/j@1.0.0`"
    );
    let error = Interface::from_text("package a:b;", "a:b/i").unwrap_err();
    assert!(matches!(error, TextError::Interface { found, .. } if found == "no interfaces"));
}

proptest! {
    #[test]
    fn damaged_texts_are_errors_or_interfaces(cut in 0..600_usize, to in 0..600_usize, with in "\\PC{0,4}") {
        let text = "package test:types@1.2.3;\ninterface api { use test:base/u@0.1.0.{unit};\n\
            record r { a: u8, b: option<list<string>>, c: map<string, unit> } flags f { a, b }\n\
            variant v { a, b(tuple<r, f>) } enum e { x, y } type t = result<v, e>;\n\
            f: async func(p: t, q: stream<u8>) -> t; }\n\
            package test:base@0.1.0 { interface u { enum unit { piece, gram } } }";
        let (from, to) = (cut.min(text.len()), to.min(text.len()));
        let damaged = format!("{}{with}{}", &text[..from], &text[to..]);
        let _ = Interface::from_text(&damaged, NAME);
    }
}
