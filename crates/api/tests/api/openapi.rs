//! The OpenAPI document.

use std::path::Path;

use serde_json::{Value, json};
use weft_api::Api;
use weft_harness::golden;
use weft_json::Interface;

use crate::{ORDERS, api, interface, route, shop};

/// An interface with a type of every kind.
const ALL: &str = "
    type sku = string;
    enum color { red, green }
    flags rights { read, write-all }
    variant shape { dot, circle(f32), poly(list<tuple<s32, s32>>) }
    record all { a: bool, b: s8, c: u16, d: s64, e: u64, f: f64, g: char, h: sku, i: color, j: rights,
        k: shape, l: option<u8>, m: option<option<u8>>, n: list<u8>, o: map<string, color>,
        p: result<u8, string>, unit-price: u32 }
    put: func(a: all) -> result<all, color>;
    find: func(a: bool, b: s8, d: s64, f: f64, g: char, h: sku, i: color, l: option<u8>, n: list<color>) -> option<option<u8>>;
    fail: func() -> result;
";

/// Compares a document with its golden file, and checks that all references have a target.
fn check(name: &str, api: &Api) {
    let document = api.openapi();
    let text = serde_json::to_string_pretty(&document).expect("plain data") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/openapi/{name}.json"));
    if let Err(difference) = golden::compare(&file, &text, env!("CARGO_PKG_NAME")) {
        panic!("{difference}");
    }
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let schemas = document["components"]["schemas"].as_object();
    for key in schemas.expect("an object").keys() {
        let reference = format!("#/components/schemas/{key}");
        assert!(references.contains(&reference), "`{key}` is not mentioned");
    }
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values()
                .for_each(|value| collect_references(value, references));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect_references(item, references)),
        _ => {}
    }
}

#[test]
fn the_document_of_the_shop_is_that_of_its_golden_file() {
    check("shop", &shop());
}

#[test]
fn the_document_of_all_types_is_that_of_its_golden_file() {
    let lines = "operations:
- {func: put, as: 'PUT /{a.h}/{a.i}', body: a}
- {func: find, as: 'GET /?a={a=true}&b={b=-1}&d={d}&f={f}&g={g=x}&h={h=1}&i={i=red}&l={l=7}&n={n}'}
- {func: fail, as: POST /fail}
- {func: fail, as: POST /fail-again}
errors:
  color: {404: [red], default: {status: 500, hide: true}}
";
    check("all-types", &api(ALL, lines));
    check(
        "all-types-kebab",
        &api(ALL, &format!("{lines}names: kebab\nint64: string")),
    );
}

#[test]
fn the_document_of_files_and_streams_is_that_of_its_golden_file() {
    let lines = "operations:
- {func: download, as: 'GET /files/{*name}'}
- {func: upload, as: 'PUT /files/{name}', body: data, location: '/files/{id}'}
- {func: change, as: 'PUT /orders/{order.id}', body: order, headers: {If-Match: etag}}
- {func: watch, as: POST /watch}
- {func: save, as: 'POST /files'}
- {func: upload, as: 'POST /uploads'}
- {func: read, as: 'GET /read/{name}'}
";
    let items = format!(
        "{ORDERS}
        save: async func(name: string, first-line: option<line>, data: stream<u8>);
        read: async func(name: string) -> result<stream<string>, order-error>;"
    );
    check("files", &api(&items, lines));
}

#[test]
fn a_raw_body_may_be_missing_and_an_object_with_required_fields_may_not() {
    let document = api(ORDERS, "").openapi();
    let required = |path: &str| document["paths"][path]["post"]["requestBody"]["required"].clone();
    assert_eq!(required("/place"), true);
    let lines = "operations: [{func: upload, as: 'PUT /files/{name}', body: data}]";
    let document = api(ORDERS, lines).openapi();
    let body = &document["paths"]["/files/{name}"]["put"]["requestBody"];
    assert!(body["content"]["application/octet-stream"].is_object());
    assert_eq!(body["required"], Value::Null);
}

#[test]
fn a_document_is_the_same_each_time() {
    let document = || serde_json::to_string(&api(ORDERS, "").openapi()).unwrap();
    assert_eq!(document(), document());
}

#[test]
fn only_the_listed_operations_are_in_the_document() {
    let document = api(ORDERS, "operations: [{func: remove, as: 'DELETE /{id}'}]").openapi();
    assert_eq!(document["paths"].as_object().unwrap().len(), 1);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert_eq!(schemas.keys().collect::<Vec<_>>(), ["host.problem"]);
}

#[test]
fn types_with_one_name_have_keys_with_their_interfaces() {
    let text = "package test:shop@1.2.3;
        interface a { record item { x: u8 } } interface b { record item { y: u8 } }
        interface orders { use a.{item}; use b.{item as other}; f: func(p: item, q: other); }";
    let interface = Interface::from_text(text, "test:shop/orders@1.2.3").unwrap();
    let document = Api::new(&route(""), &interface).unwrap().openapi();
    let keys: Vec<_> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let expected = [
        "host.problem",
        "test_shop_a_1.2.3.item",
        "test_shop_b_1.2.3.item",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn the_location_of_a_result_links_to_the_operation_that_reads_it() {
    let lines = "operations:
- {func: place, as: POST /orders, location: '/orders/{id}'}
- {func: get, as: 'GET /orders/{id}'}
- {func: find, as: 'GET /other/{id}'}
";
    let document = api(ORDERS, lines).openapi();
    let links = &document["paths"]["/orders"]["post"]["responses"]["200"]["links"];
    let expected =
        json!({"get": {"operationId": "get", "parameters": {"id": "$response.body#/id"}}});
    assert_eq!(*links, expected);
}

#[test]
fn templates_that_differ_in_names_are_one_path() {
    let lines = "operations:
- {func: get, as: 'GET /orders/{id}'}
- {func: change, as: 'PUT /orders/{order.id}', body: order, headers: {If-Match: etag}}
- {func: place, as: POST /orders, location: '/orders/{id}'}
";
    let document = api(ORDERS, lines).openapi();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/orders", "/orders/{id}"]);
    let name = &document["paths"]["/orders/{id}"]["put"]["parameters"][0]["name"];
    assert_eq!(name, "id");
}

#[test]
fn the_name_of_a_field_in_a_path_has_no_dot() {
    let lines = "operations:
- {func: change, as: 'PUT /orders/{order.id}', body: order, headers: {If-Match: etag}}
";
    let document = api(ORDERS, lines).openapi();
    let operation = &document["paths"]["/orders/{order_id}"]["put"];
    assert_eq!(operation["parameters"][0]["name"], "order_id");
}

#[test]
fn an_interface_without_a_version_has_one_in_the_document() {
    let text = "package a:b; interface c { f: func(); }";
    let interface_without = Interface::from_text(text, "a:b/c").unwrap();
    let document = Api::new(&route(""), &interface_without).unwrap().openapi();
    assert_eq!(
        document["info"],
        json!({"title": "a:b/c", "version": "0.0.0"})
    );
    assert_eq!(document["servers"], json!([{"url": "/api"}]));
    let with = Api::new(&route(""), &interface(ORDERS)).unwrap().openapi();
    assert_eq!(with["info"]["version"], "1.2.3");
}
