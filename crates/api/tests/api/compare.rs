//! Breaking changes between two APIs.

use weft_api::breaking_changes;

use crate::{ORDERS, api};

/// The breaking changes from one API to another.
fn changes(old: (&str, &str), new: (&str, &str)) -> Vec<String> {
    let changes = breaking_changes(&api(old.0, old.1), &api(new.0, new.1));
    changes.iter().map(ToString::to_string).collect()
}

/// Checks the changes between two types: of a parameter, and of a result.
fn check_types(items: &str, old: &str, new: &str, of_body: &[&str], of_result: &[&str]) {
    let input = |ty: &str| format!("{items} f: func(p: {ty});");
    assert_eq!(
        changes((&input(old), ""), (&input(new), "")),
        of_body,
        "parameter: {old} to {new}"
    );
    let output = |ty: &str| format!("{items} f: func() -> {ty};");
    assert_eq!(
        changes((&output(old), ""), (&output(new), "")),
        of_result,
        "result: {old} to {new}"
    );
}

#[test]
fn changed_types_break_those_who_send_or_those_who_read() {
    let items = "record old { a: u8, b: list<u16> } record more { a: u8, b: list<u16>, c: u8 }
        record optional { a: u8, b: list<u16>, c: option<u8> } record less { b: list<u16> }
        record wide { a: u8, b: list<u32> }
        enum e1 { x, y } enum e2 { x, y, z } flags f1 { r, w } flags f2 { r }
        variant v1 { x, y(u8) } variant v2 { x, y(u16), z } variant v3 { x(u8), y }";
    let cases: &[(&str, &str, &[&str], &[&str])] = &[
        ("u8", "u8", &[], &[]),
        (
            "u8",
            "u16",
            &[],
            &["changed the result of `f` from `u8` to `u16`"],
        ),
        (
            "u16",
            "u8",
            &["changed `p` of the body of `f` from `u16` to `u8`"],
            &[],
        ),
        (
            "u8",
            "s8",
            &["changed `p` of the body of `f` from `u8` to `s8`"],
            &["changed the result of `f` from `u8` to `s8`"],
        ),
        (
            "u32",
            "f64",
            &[],
            &["changed the result of `f` from `u32` to `f64`"],
        ),
        (
            "u64",
            "f64",
            &["changed `p` of the body of `f` from `u64` to `f64`"],
            &["changed the result of `f` from `u64` to `f64`"],
        ),
        (
            "string",
            "bool",
            &["changed `p` of the body of `f` from `string` to `bool`"],
            &["changed the result of `f` from `string` to `bool`"],
        ),
        (
            "u8",
            "option<u8>",
            &[],
            &["made the result of `f` optional"],
        ),
        (
            "option<u8>",
            "u8",
            &["made `p` of the body of `f` required"],
            &[],
        ),
        (
            "old",
            "more",
            &["added required field `p.c` to the body of `f`"],
            &[],
        ),
        ("old", "optional", &[], &[]),
        (
            "old",
            "less",
            &["removed field `p.a` from the body of `f`"],
            &["removed field `a` from the result of `f`"],
        ),
        (
            "list<old>",
            "list<less>",
            &["removed field `p.a` from the body of `f`"],
            &["removed field `a` from the result of `f`"],
        ),
        (
            "old",
            "wide",
            &[],
            &["changed `b` of the result of `f` from `u16` to `u32`"],
        ),
        ("e1", "e2", &[], &["added case `z` to the result of `f`"]),
        (
            "e2",
            "e1",
            &["removed case `p.z` from the body of `f`"],
            &[],
        ),
        (
            "f1",
            "f2",
            &["removed flag `p.w` from the body of `f`"],
            &["removed flag `w` from the result of `f`"],
        ),
        ("f2", "f1", &[], &[]),
        (
            "v1",
            "v2",
            &[],
            &[
                "changed `y` of the result of `f` from `u8` to `u16`",
                "added case `z` to the result of `f`",
            ],
        ),
        (
            "v1",
            "v3",
            &[
                "added a value to `p.x` of the body of `f`",
                "removed the value of `p.y` of the body of `f`",
            ],
            &[
                "added a value to `x` of the result of `f`",
                "removed the value of `y` of the result of `f`",
            ],
        ),
        (
            "tuple<u8, u8>",
            "tuple<u8>",
            &["changed `p` of the body of `f` from `tuple<u8, u8>` to `tuple<u8>`"],
            &["changed the result of `f` from `tuple<u8, u8>` to `tuple<u8>`"],
        ),
        (
            "tuple<u8, u16>",
            "tuple<u8, u8>",
            &["changed `p.1` of the body of `f` from `u16` to `u8`"],
            &[],
        ),
        (
            "map<string, u8>",
            "map<string, string>",
            &["changed `p` of the body of `f` from `u8` to `string`"],
            &["changed the result of `f` from `u8` to `string`"],
        ),
        (
            "list<u8>",
            "list<u16>",
            &["changed the body of `f` from bytes to an object of parameters"],
            &["changed the result of `f` from bytes to `list<u16>`"],
        ),
    ];
    for (old, new, of_body, of_result) in cases {
        check_types(items, old, new, of_body, of_result);
    }
}

/// Checks the changes between two routes to the interface of the shop.
fn check_routes(old: &str, new: &str, expected: &[&str]) {
    assert_eq!(
        changes((ORDERS, old), (ORDERS, new)),
        expected,
        "{old} to {new}"
    );
}

#[test]
fn changed_routes_break_clients() {
    let get = "operations: [{func: get, as: 'GET /orders/{id}'}]";
    check_routes(get, get, &[]);
    check_routes(
        get,
        "operations: [{func: get, as: 'GET /orders/{id}'}, {func: place, as: POST /orders}]",
        &[],
    );
    check_routes(
        get,
        "operations: [{func: get, as: 'GET /order/{id}'}]",
        &["removed `GET /orders/{id}`"],
    );
    check_routes(
        get,
        "operations: [{func: find, as: 'GET /orders/{id}'}]",
        &[],
    );
    check_routes(
        get,
        "operations: [{func: get, as: 'PUT /orders/{id}'}]",
        &["removed `GET /orders/{id}`"],
    );
    let recent = |query: &str, headers: &str| {
        format!("operations: [{{func: recent, as: 'GET /orders?{query}', headers: {{{headers}}}}}]")
    };
    let old = recent("limit={limit=20}&after={after}&tag={tags}", "");
    check_routes(
        &old,
        &recent("limit={limit}&after={after}&tag={tags}", ""),
        &["made query parameter `limit` of `recent` required"],
    );
    check_routes(
        &old,
        &recent("limit={limit=5}&after={after}", "X-Tag: tags"),
        &["removed query parameter `tag` of `recent`"],
    );
    check_routes(
        &old,
        &recent("n={limit}&after={after}&tag={tags}", ""),
        &[
            "removed query parameter `limit` of `recent`",
            "added required query parameter `n` of `recent`",
        ],
    );
    check_routes(
        &recent("limit={limit=5}&after={after}", "X-Tag: tags"),
        &old,
        &[],
    );
    let place = "operations: [{func: place, as: POST /orders, ok: 201, location: '/{id}'}]";
    check_routes(
        place,
        "operations: [{func: place, as: POST /orders}]",
        &[
            "changed the status of the result of `place` from 201 to 200",
            "removed the location of the result of `place`",
        ],
    );
    check_routes(
        "operations: [{func: place, as: POST /orders}]",
        "operations: [{func: place, as: POST /orders, body: lines}]",
        &["changed the body of `place` from an object of parameters to `list<line>`"],
    );
    check_routes("", "names: kebab", &["changed the names in JSON (`names`)"]);
    check_routes(
        "",
        "int64: string",
        &["changed the form of 64-bit integers in results (`int64`)"],
    );
}

#[test]
fn changed_faces_break_their_clients() {
    check_routes(
        "faces: [http, docs, rpc]",
        "faces: [http]",
        &["removed the face `rpc`"],
    );
    check_routes("", "faces: [mcp]", &["removed the face `http`"]);
    check_routes(
        "operations: [{func: get, as: 'GET /o/{id}'}]\nfaces: [http, mcp]",
        "operations: [{func: find, as: 'GET /o/{id}'}]\nfaces: [http, mcp]",
        &["removed function `get`"],
    );
}

#[test]
fn changed_errors_break_clients() {
    let route = |errors: &str| {
        format!(
            "operations: [{{func: get, as: 'GET /{{id}}'}}]\nerrors: {{order-error: {{{errors}}}}}"
        )
    };
    let old = route("400: [empty], default: 500");
    check_routes(
        &old,
        &route("404: [empty], default: 500"),
        &["changed the status of error `empty` of `get` from 400 to 404"],
    );
    check_routes(
        &old,
        &route("400: [empty], 500: {cases: [storage], hide: true}, default: 500"),
        &["removed the value of error `storage` of `get`"],
    );
    check_routes(
        &route("400: [empty], 500: {cases: [storage], hide: true}, default: 500"),
        &old,
        &[],
    );
    let items = |cases: &str| format!("variant e {{ {cases} }} f: func() -> result<_, e>;");
    let compare = |old: &str, new: &str| changes((&items(old), ""), (&items(new), ""));
    assert_eq!(compare("a, b(u8)", "a, b(u8), c"), [""; 0]);
    assert_eq!(compare("a, b(u8)", "a"), [""; 0]);
    assert_eq!(
        compare("a, b(u8)", "a, b"),
        ["removed the value of error `b` of `f`"]
    );
    assert_eq!(
        compare("a, b(u8)", "a, b(string)"),
        ["changed the value of error `b` of `f` from `u8` to `string`"]
    );
    let of = |result: &str| format!("enum e {{ x }} f: func() -> {result};");
    let compare = |old: &str, new: &str| changes((&of(old), ""), (&of(new), ""));
    assert_eq!(
        compare("result<u8, string>", "result<u8, u8>"),
        ["changed the value of the error of `f` from `string` to `u8`"]
    );
    assert_eq!(
        compare("result<u8, string>", "result<u8, e>"),
        ["changed the error of `f` from `string` to the enum `e`"]
    );
    assert_eq!(compare("u8", "result<u8, e>"), [""; 0]);
}

#[test]
fn a_removed_field_is_named_with_its_place() {
    let items = |fields: &str| {
        format!(
            "record money {{ cents: u64 }} record order {{ id: u64, {fields} }} get: func(id: u64) -> result<order, string>;"
        )
    };
    let changes = changes((&items("total: money"), ""), (&items(""), ""));
    assert_eq!(changes, ["removed field `total` from the result of `get`"]);
}

#[test]
fn an_api_does_not_differ_from_itself() {
    check_routes("faces: [http, rpc, mcp]", "faces: [http, rpc, mcp]", &[]);
}
