//! Mistakes of routes, which only the interface shows.

use std::fmt::Write as _;

use weft_lattice_config::Mistakes;

use crate::{ORDERS, api, route, try_api};

/// The mistakes as lines of path, message and help.
fn mistakes(items: &str, lines: &str) -> String {
    let mut text = String::new();
    for mistake in try_api(items, lines).err().unwrap_or_default() {
        let help = mistake
            .help
            .as_deref()
            .map_or(String::new(), |help| format!(" ({help})"));
        writeln!(text, "{}: {}{help}", mistake.path, mistake.message).expect("writable");
    }
    text
}

fn check(items: &str, lines: &str, expected: &[&str]) {
    let expected: String = expected.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(mistakes(items, lines), expected, "{lines}");
}

/// Checks a route with one operation.
fn check_operation(operation: &str, expected: &[&str]) {
    check(ORDERS, &format!("operations: [{{{operation}}}]"), expected);
}

#[test]
fn an_unknown_function_parameter_or_field_is_a_mistake_with_the_nearest_name() {
    check_operation(
        "func: gett, as: 'GET /orders/{id}'",
        &[
            "operations[0].func: unknown function `gett` of `test:shop/orders@1.2.3` (did you mean `get`?)",
        ],
    );
    check_operation(
        "func: get, as: 'GET /orders/{idd}'",
        &["operations[0].as: unknown parameter `idd` of `get` (did you mean `id`?)"],
    );
    check_operation(
        "func: change, as: 'PUT /orders/{order.it}?etag={etag}', body: order",
        &["operations[0].as: unknown field `it` of `order` (did you mean `id`?)"],
    );
    check_operation(
        "func: get, as: 'GET /orders/{id.x}?id={id.y}'",
        &[
            "operations[0].as: `id` has no fields: it is `u64`",
            "operations[0].as: `id` has no fields: it is `u64`",
        ],
    );
    check_operation(
        "func: change, as: 'PUT /orders', headers: {If-Match: tag}, body: orders",
        &[
            "operations[0].headers.If-Match: unknown parameter `tag` of `change` (did you mean `etag`?)",
            "operations[0].body: unknown parameter `orders` of `change` (did you mean `order`?)",
        ],
    );
}

#[test]
fn a_parameter_without_a_place_is_a_mistake() {
    check_operation(
        "func: recent, as: 'GET /orders?limit={limit=20}'",
        &[
            "operations[0].as: unbound parameter `after`: a GET request has no body (add it to the query, as in `?after={after}`)",
            "operations[0].as: unbound parameter `tags`: a GET request has no body (add it to the query, as in `?tags={tags}`)",
        ],
    );
    check_operation(
        "func: change, as: 'POST /orders/{order.id}'",
        &[
            "operations[0].as: field `lines` of `order` stands nowhere in the request (add `body: order`, so that the body has the other fields)",
            "operations[0].as: field `total` of `order` stands nowhere in the request (add `body: order`, so that the body has the other fields)",
        ],
    );
    check_operation(
        "func: change, as: 'POST /orders/{order.total.cents}', body: order, headers: {If-Match: etag}",
        &[
            "operations[0].as: field `currency` of `order.total` stands nowhere in the request (name all fields of the record, or none)",
        ],
    );
    check_operation(
        "func: get, as: 'DELETE /orders', body: id",
        &[
            "operations[0].body: a DELETE request has no body (use POST, PUT or PATCH, or put the parameter into the query)",
        ],
    );
}

#[test]
fn a_type_that_has_no_text_is_a_mistake_in_a_path_a_query_or_a_header() {
    let fields =
        "expected a boolean, number, character, string or enum, or an option or list of these";
    let help = "(leave the value to the body, or name a field of it)";
    let in_path = format!(
        "operations[0].as: `lines` cannot be in a segment of the path: expected a boolean, number, character, string or enum, found `list<line>` {help}"
    );
    check_operation("func: place, as: 'POST /orders/{lines}'", &[&in_path]);
    let in_query = format!(
        "operations[0].as: `lines` cannot be in the query: {fields}, found `list<line>` {help}"
    );
    check_operation("func: place, as: 'POST /orders?l={lines}'", &[&in_query]);
    let in_header = format!(
        "operations[0].headers.X: `order` cannot be in a header: {fields}, found the record `order` {help}"
    );
    check_operation(
        "func: change, as: POST /orders, headers: {X: order}",
        &[&in_header],
    );
    let rest = format!(
        "operations[0].as: `id` cannot be in the rest of the path: expected a string or a list of strings, found `u64` {help}"
    );
    check_operation("func: get, as: 'GET /{*id}'", &[&rest]);
    for (ty, is_fine) in [
        ("bool", true),
        ("s8", true),
        ("u64", true),
        ("f32", true),
        ("char", true),
        ("string", true),
        ("color", true),
        ("sku", true),
        ("option<u8>", true),
        ("list<color>", true),
        ("list<u8>", false),
        ("option<option<u8>>", false),
        ("list<option<u8>>", false),
        ("point", false),
        ("rights", false),
        ("shape", false),
        ("tuple<u8>", false),
        ("map<string, u8>", false),
        ("result<u8>", false),
    ] {
        let items = format!(
            "enum color {{ red }} type sku = string; record point {{ x: u8 }} flags rights {{ read }}
             variant shape {{ dot }} f: func(p: {ty});"
        );
        let is_segment = is_fine && !ty.contains('<');
        for (request, is_fine) in [("GET /{p}", is_segment), ("GET /?p={p}", is_fine)] {
            let lines = format!("operations: [{{func: f, as: '{request}'}}]");
            assert_eq!(
                try_api(&items, &lines).is_ok(),
                is_fine,
                "{ty} in {request}"
            );
        }
    }
}

#[test]
fn a_default_must_be_a_value_of_its_parameter() {
    check_operation(
        "func: recent, as: 'GET /?limit={limit=many}&after={after=-1}&tags={tags=a}'",
        &[
            "operations[0].as: the default of `limit` must be an integer from 0 to 4294967295, found \"many\"",
            "operations[0].as: the default of `after` must be an integer from 0 to 18446744073709551615, found \"-1\"",
            "operations[0].as: `tags` is a list, which is empty without its key (remove the default)",
        ],
    );
}

#[test]
fn every_case_of_an_error_has_one_status() {
    let errors = |lines: &str| {
        format!(
            "errors:\n  order-error:\n    {}",
            lines.replace('\n', "\n    ")
        )
    };
    check(ORDERS, &errors("default: 500"), &[]);
    check(
        ORDERS,
        &errors("400: [empty]\n500: {cases: [storage], hide: true}\ndefault: 404"),
        &[],
    );
    check(
        ORDERS,
        &errors("400: [empty]\n500: [storage]"),
        &[
            "errors.order-error: `order-error` lacks the status of `unknown-order`, `out-of-stock` (list the cases, or add `default: 422` for all others)",
        ],
    );
    check(
        ORDERS,
        &errors(
            "400: [empty, emty]\n404: [empty]\n409: {cases: [unknown, empty], hide: true}\ndefault: 500",
        ),
        &[
            "errors.order-error.400[1]: unknown case `emty` of `order-error` (did you mean `empty`?)",
            "errors.order-error.404[0]: case `empty` is listed twice: with 400 and 404",
            "errors.order-error.409.cases[0]: unknown case `unknown` of `order-error` (use one of `empty`, `unknown-order`, `out-of-stock`, `storage`)",
            "errors.order-error.409.cases[1]: case `empty` is listed twice: with 404 and 409",
        ],
    );
    check(
        ORDERS,
        "errors:\n  orders-error: {default: 400}\n  string: {400: [a]}",
        &[
            "errors.orders-error: `orders-error` is not the error type of a function of the route (did you mean `order-error`?)",
            "errors.string.400: `string` has no cases: it is `string` (use `default` for the status of all its values)",
        ],
    );
}

#[test]
fn errors_are_those_of_the_listed_functions() {
    check(
        ORDERS,
        "operations: [{func: find, as: 'GET /{id}'}]\nerrors:\n  order-error: {default: 400}",
        &["errors.order-error: `order-error` is not the error type of a function of the route"],
    );
}

#[test]
fn a_mistake_is_reported_once() {
    check(
        ORDERS,
        "operations: [{func: gett, as: 'GET /{id}'}]\nerrors:\n  order-error: {default: 400}",
        &[
            "operations[0].func: unknown function `gett` of `test:shop/orders@1.2.3` (did you mean `get`?)",
        ],
    );
    check_operation(
        "func: change, as: 'PUT /orders/{order.ids}', headers: {If-Match: etag}, body: order",
        &["operations[0].as: unknown field `ids` of `order` (did you mean `id`?)"],
    );
}

#[test]
fn a_function_without_a_result_has_neither_a_status_nor_a_location() {
    check_operation(
        "func: remove, as: 'DELETE /{id}', ok: 200, location: '/{id}'",
        &[
            "operations[0].ok: `remove` has no result: its status is 204, without a body (remove `ok`)",
            "operations[0].location: `remove` has no result: its status is 204, without a body (remove `location`)",
        ],
    );
}

#[test]
fn a_location_has_fields_of_the_result_that_are_text() {
    for (location, expected) in [
        ("/orders/{id}", ""),
        ("/in/{total.currency}/{id}", ""),
        ("/all", ""),
        (
            "/orders/{number}",
            "unknown field `number` of the result (use one of `id`, `lines`, `total`)",
        ),
        (
            "/orders/{total}",
            "`total` cannot be in a path: expected a boolean, number, character, string or enum, found the record `money`",
        ),
        ("/orders/{id.x}", "`id` has no field `x`: it is `u64`"),
    ] {
        let expected = match expected {
            "" => vec![],
            expected => vec![format!("operations[0].location: {expected}")],
        };
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        check_operation(
            &format!("func: place, as: POST /, location: '{location}'"),
            &expected,
        );
    }
    // A result without fields is the only value of the location.
    check_operation("func: upload, as: 'PUT /{name}', location: '/{id}'", &[]);
    check_operation(
        "func: upload, as: 'PUT /{name}', location: '/{a}/{b}'",
        &[
            "operations[0].location: the result has no field `a`: it is `u64`",
            "operations[0].location: the result has no field `b`: it is `u64`",
        ],
    );
}

#[test]
fn resources_and_streams_inside_other_types_are_mistakes_by_name() {
    let items = "resource cart { add: func(); } record point { x: u8 }
        f: func(p: cart); g: func(p: list<stream<u8>>); h: func(p: stream<point>); i: func() -> future<u8>;
        j: func(p: stream<string>, q: u8); k: func(p: stream<u8>, q: stream<string>);";
    let operations = |names: &[&str]| {
        let items = names
            .iter()
            .map(|name| format!("{{func: {name}, as: POST /{name}}}"));
        format!("operations: [{}]", items.collect::<Vec<_>>().join(", "))
    };
    check(
        items,
        &operations(&["f", "g", "h", "i", "j", "k"]),
        &[
            "operations[0].func: parameter `p` of `f` has the resource `cart`, which has no form in JSON; use another type there",
            "operations[1].func: parameter `p` of `g` has a stream within another type, which has no form in JSON; use another type there",
            "operations[2].func: parameter `p` of `h` has a stream of `point`, which has no form in JSON; use another type there",
            "operations[3].func: a future cannot be the result of an HTTP API",
            "operations[4].func: parameter `p` is a stream, which must be the whole body (add `body: p`, and put the others into the query)",
            "operations[5].func: parameter `q` is a second stream of a request",
        ],
    );
    let implied = mistakes(items, "");
    assert!(
        implied.lines().all(|line| line.starts_with("interface: ")),
        "{implied}"
    );
    assert!(
        implied.contains("the resource `cart`") && implied.contains("a stream of `point`"),
        "{implied}"
    );
    assert!(
        implied.contains("interface: `j`: parameter `p` is a stream"),
        "{implied}"
    );
}

#[test]
fn a_path_of_a_chosen_face_is_no_operation() {
    check(
        ORDERS,
        "operations: [{func: find, as: 'GET /{id}'}, {func: place, as: POST /mcp}]\nfaces: [http, docs, rpc, mcp]",
        &[
            "faces[1]: the path `/openapi.json` of the face `docs` is also one of `GET /{id}` (change the path of the operation, or remove the face)",
            "faces[1]: the path `/docs` of the face `docs` is also one of `GET /{id}` (change the path of the operation, or remove the face)",
            "faces[2]: the path `/rpc` of the face `rpc` is also one of `GET /{id}` (change the path of the operation, or remove the face)",
            "faces[3]: the path `/mcp` of the face `mcp` is also one of `GET /{id}` (change the path of the operation, or remove the face)",
        ],
    );
    check(
        "rpc: func(); docs: func();",
        "faces: [http, rpc]",
        &[
            "faces[1]: the path `/rpc` of the face `rpc` is also one of `POST /rpc` (change the path of the operation, or remove the face)",
        ],
    );
}

#[test]
fn mistakes_have_the_lines_of_the_manifest() {
    let mistakes = try_api(
        ORDERS,
        "errors:\n  order-error:\n    400: [empty]\n    404: [unknow-order]\n    default: 500",
    )
    .unwrap_err();
    let mut mistakes = Mistakes(mistakes);
    for mistake in &mut mistakes.0 {
        mistake.path = format!("spec.routes[0].{}", mistake.path);
    }
    let text = "spec:\n  routes:\n  - errors:\n      order-error:\n        400: [empty]\n        404: [unknow-order]\n";
    let located = mistakes.locate("shop.yaml", text).to_string();
    assert!(
        located.starts_with("shop.yaml:6:15: error: unknown case `unknow-order`"),
        "{located}"
    );
}

#[test]
fn a_route_without_mistakes_has_its_operations_in_order() {
    let api = api(
        ORDERS,
        "operations:\n- {func: recent, as: 'GET /orders?limit={limit=20}&after={after}&tag={tags}'}\n\
         - {func: place, as: POST /orders, ok: 201, location: '/orders/{id}'}\n\
         - {func: change, as: 'PUT /orders/{order.id}', body: order, headers: {If-Match: etag}}",
    );
    let operations: Vec<_> = api
        .operations()
        .iter()
        .map(|it| (it.function(), it.is_idempotent()))
        .collect();
    assert_eq!(
        operations,
        [("recent", true), ("place", false), ("change", true)]
    );
    assert_eq!(api.prefix(), &route("").path);
}
