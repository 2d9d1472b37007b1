//! From results to responses.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::{Value, json};
use weft_api::{Api, Body, Problem, Response, StreamFormat};
use weft_wire::FailureCode;

use crate::{ORDERS, api};

const ROUTE: &str = "operations:
- {func: place, as: POST /orders, ok: 201, location: '/orders/{id}'}
- {func: get, as: 'GET /orders/{id}'}
- {func: find, as: 'GET /maybe/{id}'}
- {func: find, as: 'POST /maybe/{id}'}
- {func: change, as: 'PUT /orders/{order.id}', body: order, headers: {If-Match: etag}}
- {func: remove, as: 'DELETE /orders/{id}'}
- {func: upload, as: 'PUT /files/{name}', location: '/files/{id}'}
- {func: download, as: 'GET /files/{*name}'}
- {func: watch, as: POST /watch}
errors:
  order-error:
    400: [empty]
    404: [unknown-order]
    409: [out-of-stock]
    500: {cases: [storage], hide: true}
";

/// An order with the id 300 and no lines.
const ORDER: &[u8] = b"\xac\x02\x00\x05\x01";

fn shop() -> Api {
    api(ORDERS, ROUTE)
}

fn response_to(api: &Api, line: &str, headers: &[(&str, &str)], result: &[u8]) -> Response {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let matched = api.find(&method, path).expect("an operation");
    let headers = headers.iter().map(|(name, value)| {
        let name = HeaderName::try_from(*name).expect("a name");
        (name, HeaderValue::try_from(*value).expect("a value"))
    });
    let headers: HeaderMap = headers.collect();
    match matched.operation.accept(&headers) {
        Ok(accept) => matched.operation.response(result, &accept),
        Err(problem) => problem.response(),
    }
}

fn response(line: &str, result: &[u8]) -> Response {
    response_to(&shop(), line, &[], result)
}

fn body(response: &Response) -> &[u8] {
    match &response.body {
        Body::Bytes(bytes) => bytes,
        Body::Stream { .. } | Body::Messages { .. } => panic!("the body is a stream"),
    }
}

fn document(response: &Response) -> Value {
    serde_json::from_slice(body(response)).expect("JSON")
}

/// A result that is not an error.
fn ok(value: &[u8]) -> Vec<u8> {
    [&[0], value].concat()
}

/// An error of a case.
fn err(case: u8, value: &[u8]) -> Vec<u8> {
    [&[1, case], value].concat()
}

#[test]
fn a_value_is_200_or_the_status_of_the_operation() {
    let expected = json!({"id": 300, "lines": [], "total": {"cents": 5, "currency": "gbp"}});
    for (line, status) in [("GET /orders/300", 200), ("POST /orders", 201)] {
        let response = response(line, &ok(ORDER));
        assert_eq!(response.status, status);
        assert_eq!(document(&response), expected);
        assert_eq!(response.headers["content-type"], "application/json");
        assert_eq!(response.headers["vary"], "accept");
    }
}

#[test]
fn nothing_is_204() {
    for (line, result) in [("PUT /orders/7", &[0][..]), ("DELETE /orders/7", &[])] {
        let response = response(line, result);
        assert_eq!((response.status.as_u16(), body(&response)), (204, &b""[..]));
        assert!(response.headers.is_empty());
    }
}

#[test]
fn a_missing_value_is_404_for_get_and_null_for_others() {
    let response_to_get = response("GET /maybe/7", &[0]);
    assert_eq!(response_to_get.status, 404);
    assert_eq!(
        document(&response_to_get)["type"],
        "tag:weft.dev,2026:problem/missing"
    );
    let response_to_post = response("POST /maybe/7", &[0]);
    assert_eq!(
        (response_to_post.status.as_u16(), body(&response_to_post)),
        (200, &b"null"[..])
    );
    let found = response("GET /maybe/300", &[&[1], ORDER].concat());
    assert_eq!(
        (found.status.as_u16(), &document(&found)["id"]),
        (200, &json!(300))
    );
}

#[test]
fn bytes_are_the_body_and_a_stream_is_one_of_the_call() {
    let bytes = response("GET /files/a", b"\x03\xff\x00\x01");
    assert_eq!(body(&bytes), [0xff, 0, 1]);
    assert_eq!(bytes.headers["content-type"], "application/octet-stream");
    let stream = response("POST /watch", &[1]);
    assert_eq!(
        stream.body,
        Body::Stream {
            number: 1,
            format: StreamFormat::Events
        }
    );
    let media_type = |accept: &str| {
        let accept = [("accept", accept)];
        let response = response_to(&shop(), "POST /watch", &accept, &[1]);
        let media_type = response.headers.get("content-type").cloned();
        let media_type = media_type.map(|it| it.to_str().unwrap_or_default().to_owned());
        (response.status.as_u16(), media_type.unwrap_or_default())
    };
    for (accept, status, expected) in [
        ("*/*", 200, "text/event-stream"),
        ("application/x-ndjson", 200, "application/x-ndjson"),
        (
            "text/event-stream;q=0.1, application/*",
            200,
            "application/x-ndjson",
        ),
        ("application/json", 406, "application/problem+json"),
    ] {
        assert_eq!(
            media_type(accept),
            (status, expected.to_owned()),
            "{accept}"
        );
    }
}

#[test]
fn an_error_is_the_problem_of_its_case() {
    let cases = [
        (err(0, b""), 400, "empty", None, "The order has no lines"),
        (
            err(1, b"\x07"),
            404,
            "unknown-order",
            Some(json!(7)),
            "Unknown order",
        ),
        (
            err(2, b"\x03cup\x02"),
            409,
            "out-of-stock",
            Some(json!({"sku": "cup", "left": 2})),
            "Out of stock",
        ),
        (err(3, b"\x04disk"), 500, "storage", None, "Storage"),
    ];
    for (result, status, case, value, title) in cases {
        let response = response("GET /orders/7", &result);
        assert_eq!(response.status.as_u16(), status);
        assert_eq!(response.headers["content-type"], "application/problem+json");
        let mut expected = json!({
            "type": format!("tag:weft.dev,2026:test:shop/orders@1.2.3/order-error#{case}"),
            "title": title, "status": status, "case": case,
        });
        if let Some(value) = value {
            expected["value"] = value;
        }
        assert_eq!(document(&response), expected);
    }
}

#[test]
fn a_hidden_value_is_for_the_log() {
    let hidden = response("GET /orders/7", &err(3, b"\x08pass\nwd!"));
    assert!(!String::from_utf8_lossy(body(&hidden)).contains("pass"));
    let log = hidden.log.unwrap();
    assert!(
        log.contains(r#""pass\nwd!""#) && !log.contains('\n'),
        "{log}"
    );
    assert_eq!(response("GET /orders/7", &err(0, b"")).log, None);
    let long = [&b"\x03\x90\x4e"[..], &[b'x'; 10_000]].concat();
    let long = response("GET /orders/7", &[&[1], &long[..]].concat());
    assert!((4096..5000).contains(&long.log.unwrap().len()));
}

#[test]
fn an_error_without_an_entry_is_422() {
    let plain = api(ORDERS, "");
    let response = response_to(&plain, "POST /get", &[], &err(0, b""));
    assert_eq!(response.status, 422);
    let text = response_to(&plain, "POST /upload", &[], b"\x01\x02no");
    assert_eq!(
        (text.status.as_u16(), &document(&text)["value"]),
        (422, &json!("no"))
    );
    assert_eq!(
        document(&text)["type"],
        "tag:weft.dev,2026:test:shop/orders@1.2.3/string"
    );
    let unit = response_to(&api("f: func() -> result<u8>;", ""), "POST /f", &[], &[1]);
    assert_eq!(
        (unit.status.as_u16(), &document(&unit)["value"]),
        (422, &json!(null))
    );
}

#[test]
fn a_location_has_the_values_of_the_result_escaped() {
    assert_eq!(
        response("POST /orders", &ok(ORDER)).headers["location"],
        "/api/orders/300"
    );
    assert_eq!(
        response("PUT /files/x", &ok(&[7])).headers["location"],
        "/api/files/7"
    );
    assert!(
        !response("POST /orders", &err(0, b""))
            .headers
            .contains_key("location")
    );
    let named = api(
        "f: func() -> string;",
        "operations: [{func: f, as: POST /, location: '/x/{name}/y'}]",
    );
    let location = |name: &str| {
        let result = [&[name.len() as u8], name.as_bytes()].concat();
        let response = response_to(&named, "POST /", &[], &result);
        response
            .headers
            .get("location")
            .map(|it| it.to_str().unwrap().to_owned())
    };
    for (name, expected) in [
        ("a b", Some("/api/x/a%20b/y")),
        (
            "a\r\nset-cookie: x=1",
            Some("/api/x/a%0D%0Aset-cookie%3A%20x%3D1/y"),
        ),
        ("../..", Some("/api/x/..%2F../y")),
        ("//evil.example", Some("/api/x/%2F%2Fevil.example/y")),
        ("é?#", Some("/api/x/%C3%A9%3F%23/y")),
        ("..", None),
        ("", None),
    ] {
        assert_eq!(location(name).as_deref(), expected, "{name:?}");
    }
}

#[test]
fn bytes_and_streams_have_a_fixed_location() {
    let items = "f: func() -> list<u8>; g: func() -> stream<u8>;";
    let lines = "operations: [{func: f, as: POST /f, location: /files}, {func: g, as: POST /g, location: /}]";
    let api = api(items, lines);
    assert_eq!(
        response_to(&api, "POST /f", &[], &[0]).headers["location"],
        "/api/files"
    );
    assert_eq!(
        response_to(&api, "POST /g", &[], &[1]).headers["location"],
        "/api/"
    );
}

#[test]
fn a_tag_changes_with_the_body_and_its_format() {
    let line = "GET /orders/7";
    let tag = |headers: &[_], result: &[u8]| {
        response_to(&shop(), line, headers, result).headers["etag"].clone()
    };
    let (order, other) = (ok(ORDER), ok(b"\xac\x02\x00\x06\x01"));
    let first = tag(&[], &order);
    assert_eq!(first, tag(&[], &order));
    assert_ne!(first, tag(&[], &other));
    assert_ne!(first, tag(&[("accept", "application/cbor")], &order));
    let text = first.to_str().unwrap();
    for (known, is_known) in [
        (text.to_owned(), true),
        (format!("\"a\", W/{text}"), true),
        ("*".to_owned(), true),
        ("\"a\"".to_owned(), false),
        (text.replace('"', ""), false),
    ] {
        let response = response_to(&shop(), line, &[("if-none-match", &known)], &order);
        let expected = if is_known { 304 } else { 200 };
        assert_eq!(response.status.as_u16(), expected, "{known}");
        assert_eq!(body(&response).is_empty(), is_known);
        assert_eq!(response.headers["etag"], first);
    }
    let post = response_to(&shop(), "POST /orders", &[("if-none-match", "*")], &order);
    assert_eq!(
        (post.status.as_u16(), post.headers.contains_key("etag")),
        (201, false)
    );
    let error = response_to(&shop(), line, &[("if-none-match", "*")], &err(0, b""));
    assert_eq!(error.status, 400);
}

#[test]
fn the_client_chooses_the_format() {
    let cases = [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/cbor", "application/cbor"),
        ("application/*", "application/json"),
        (
            "application/json;q=0.1, application/cbor",
            "application/cbor",
        ),
        (
            "application/*;q=0.2, application/cbor;q=0",
            "application/json",
        ),
        ("text/html, */*;q=0.1", "application/json"),
        ("Application/CBOR", "application/cbor"),
        ("nonsense", "application/json"),
        // None of both.
        ("text/html", "406"),
        ("application/json;q=0, application/cbor;q=0", "406"),
        ("*/*;q=0", "406"),
        ("application/problem+json", "406"),
    ];
    for (accept, expected) in cases {
        let headers = [("accept", accept)];
        let headers = if accept.is_empty() { &[][..] } else { &headers };
        let response = response_to(&shop(), "GET /orders/7", headers, &ok(ORDER));
        let found = match response.status.as_u16() {
            200 => response.headers["content-type"]
                .to_str()
                .unwrap()
                .to_owned(),
            status => status.to_string(),
        };
        assert_eq!(found, expected, "{accept}");
    }
    assert_eq!(
        response_to(&shop(), "GET /files/a", &[("accept", "image/png")], b"\x00").status,
        406
    );
    assert_eq!(
        response_to(&shop(), "DELETE /orders/7", &[("accept", "image/png")], b"").status,
        204
    );
}

#[test]
fn names_and_integers_have_the_form_of_the_route() {
    let items = "record r { unit-price: u64 } f: func(the-value: r) -> r;";
    let api = api(items, "names: kebab\nint64: string");
    let response = response_to(&api, "POST /f", &[], &[7]);
    assert_eq!(body(&response), br#"{"unit-price":"7"}"#);
}

#[test]
fn a_malformed_result_is_500_with_the_reason_in_the_log() {
    let cases: [(&str, &[u8]); 8] = [
        ("GET /orders/7", b""),
        ("GET /orders/7", b"\x02"),
        ("GET /orders/7", b"\x00\xac"),
        ("GET /orders/7", b"\x01\x09"),
        ("GET /orders/7", b"\x01\x00\x00"),
        ("PUT /orders/7", b"\x00\x00"),
        ("GET /files/a", b"\x05a"),
        ("DELETE /orders/7", b"\x00"),
    ];
    for (line, result) in cases {
        let response = response(line, result);
        assert_eq!(response.status, 500, "{line} {result:?}");
        assert!(response.log.is_some());
        assert_eq!(
            document(&response)["type"],
            "tag:weft.dev,2026:problem/result"
        );
    }
}

#[test]
fn a_failed_call_is_a_problem_with_its_code() {
    let cases = [
        (FailureCode::Trapped, 500, false),
        (FailureCode::Busy, 503, true),
        (FailureCode::Unreachable, 503, true),
        (FailureCode::Deadline, 504, false),
        (FailureCode::MaybeExecuted, 502, false),
        (FailureCode::Refused, 502, false),
    ];
    for (code, status, has_retry) in cases {
        let response = Problem::of_failure(code, Some("0123")).response();
        assert_eq!(response.status.as_u16(), status, "{code}");
        assert_eq!(
            response.headers.contains_key("retry-after"),
            has_retry,
            "{code}"
        );
        assert_eq!(response.headers["weft-error-id"], "0123");
        assert_eq!(document(&response)["case"], code.to_string());
    }
    let without = Problem::of_failure(FailureCode::Busy, None).response();
    assert!(!without.headers.contains_key("weft-error-id"));
    let injected = Problem::of_failure(FailureCode::Trapped, Some("a\r\nx: y")).response();
    assert!(!injected.headers.contains_key("weft-error-id"));
}

proptest! {
    #[test]
    fn the_location_of_a_result_is_a_path_with_its_value(name in "[ -~é€%+&=]{1,12}") {
        let items = "create: func() -> string; read: func(name: string) -> string;";
        let lines = "operations:\n- {func: create, as: POST /items, location: '/items/{name}'}\n- {func: read, as: 'GET /items/{name}'}";
        let api = api(items, lines);
        let value = [&[name.len() as u8], name.as_bytes()].concat();
        let created = response_to(&api, "POST /items", &[], &value);
        prop_assume!(created.headers.contains_key("location"));
        let location = created.headers["location"].to_str().unwrap();
        // The host refuses a path that another program may read in another way.
        prop_assume!(!name.split(['/', '\\']).any(|part| part == "." || part == ".."));
        let matched = api.find(&Method::GET, api.below(location).unwrap()).unwrap();
        let arguments = matched.operation.arguments(&weft_api::RequestInput {
            path: &matched.path,
            query: None,
            headers: &HeaderMap::new(),
            body: b"",
            encoded_max: 100,
        });
        prop_assert_eq!(arguments, Ok(value));
    }

    #[test]
    fn any_result_has_a_response(result in prop::collection::vec(any::<u8>(), 0..40)) {
        let api = shop();
        for line in ["GET /orders/7", "POST /orders", "PUT /files/a", "GET /files/a", "GET /maybe/1", "POST /watch"] {
            let response = response_to(&api, line, &[], &result);
            if response.status.is_client_error() || response.status.is_server_error() {
                document(&response);
            }
        }
    }
}
