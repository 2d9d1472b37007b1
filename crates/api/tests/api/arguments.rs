//! From requests to arguments.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::{Value, json};
use weft_api::{Api, Body, Problem, RequestInput};

use crate::{ORDERS, api};

const OPERATIONS: &str = "operations:
- {func: recent, as: 'GET /orders?limit={limit=20}&after={after}&tag={tags}'}
- {func: place, as: POST /orders}
- {func: get, as: 'GET /orders/{id}'}
- {func: change, as: 'PUT /orders/{order.id}', body: order, headers: {If-Match: etag}}
- {func: download, as: 'GET /files/{*name}'}
- {func: upload, as: 'PUT /files/{name}', body: data}
- {func: watch, as: POST /watch}
";

/// A request for an API.
#[derive(Clone, Default)]
struct Request<'r> {
    line: &'r str,
    headers: &'r [(&'r str, &'r str)],
    body: &'r [u8],
}

const JSON: (&str, &str) = ("content-type", "application/json");

impl Request<'_> {
    fn arguments(&self, api: &Api) -> Result<Vec<u8>, Problem> {
        let (method, target) = self.line.split_once(' ').expect("a method and a path");
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let matched = api
            .find(&method, path)
            .unwrap_or_else(|error| panic!("{}: {error:?}", self.line));
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            let name = HeaderName::try_from(*name).expect("a name");
            headers.append(
                name,
                HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
            );
        }
        matched.operation.arguments(&RequestInput {
            path: &matched.path,
            query,
            headers: &headers,
            body: self.body,
            encoded_max: 1 << 16,
        })
    }
}

fn arguments(line: &str) -> Vec<u8> {
    let request = Request {
        line,
        ..Request::default()
    };
    request
        .arguments(&api(ORDERS, OPERATIONS))
        .unwrap_or_else(|problem| panic!("{line}: {problem:?}"))
}

/// The problem document of a request.
fn problem(request: &Request<'_>) -> Value {
    let problem = request
        .arguments(&api(ORDERS, OPERATIONS))
        .expect_err(request.line);
    let Body::Bytes(body) = problem.response().body else {
        panic!("a problem has a body");
    };
    serde_json::from_slice(&body).expect("JSON")
}

fn errors(line: &str) -> Value {
    problem(&Request {
        line,
        ..Request::default()
    })["errors"]
        .clone()
}

#[test]
fn arguments_are_in_the_path_the_query_and_headers() {
    let cases: &[(&str, &[u8])] = &[
        ("GET /orders/300", &[0xac, 2]),
        ("HEAD /orders/7", &[7]),
        ("GET /orders", &[20, 0, 0]),
        ("GET /orders?limit=5", &[5, 0, 0]),
        (
            "GET /orders?after=9&limit=5&tag=a&tag=b+%26",
            b"\x05\x01\x09\x02\x01a\x03b &",
        ),
        ("GET /orders?&&tag=", &[20, 0, 1, 0]),
        ("GET /orders?l%69mit=3", &[3, 0, 0]),
        ("GET /files/a/b%20c", b"\x02\x01a\x03b c"),
        ("GET /files/x", b"\x01\x01x"),
        // The number of the stream within the call.
        ("POST /watch", &[0]),
    ];
    for (line, expected) in cases {
        assert_eq!(arguments(line), *expected, "{line}");
    }
}

#[test]
fn a_body_is_an_object_of_the_parameters_that_stand_nowhere_else() {
    let api = api(ORDERS, OPERATIONS);
    let line = "POST /orders";
    let body = br#"{"lines": [{"quantity": 2, "sku": "cup"}]}"#;
    let request = Request {
        line,
        headers: &[JSON],
        body,
    };
    assert_eq!(request.arguments(&api), Ok(b"\x01\x03cup\x02".to_vec()));
    let cbor = b"\xa1\x65lines\x81\xa2\x63sku\x63cup\x68quantity\x02";
    let headers = &[("content-type", "application/cbor")];
    let request = Request {
        line,
        headers,
        body: cbor,
    };
    assert_eq!(request.arguments(&api), Ok(b"\x01\x03cup\x02".to_vec()));
}

#[test]
fn a_record_has_fields_from_the_path_and_others_from_the_body() {
    let api = api(ORDERS, OPERATIONS);
    let request = Request {
        line: "PUT /orders/7",
        headers: &[JSON, ("if-match", "\"x\"")],
        body: br#"{"total": {"cents": 5, "currency": "gbp"}, "lines": []}"#,
    };
    assert_eq!(
        request.arguments(&api),
        Ok(b"\x07\x00\x05\x01\x01\x03\"x\"".to_vec())
    );
    let id = Request {
        body: br#"{"id": 8, "total": {"cents": 5, "currency": "gbp"}, "lines": []}"#,
        ..request
    };
    let errors = &problem(&id)["errors"];
    assert_eq!(errors[0]["pointer"], "/id", "{errors}");
    assert_eq!(errors.as_array().unwrap().len(), 1);
}

#[test]
fn a_parameter_of_bytes_is_the_raw_body_of_any_media_type() {
    let api = api(ORDERS, OPERATIONS);
    let request = Request {
        line: "PUT /files/a.png",
        headers: &[("content-type", "image/png")],
        body: &[0xff, 0, 1],
    };
    assert_eq!(
        request.arguments(&api),
        Ok(b"\x05a.png\x03\xff\x00\x01".to_vec())
    );
    let empty = Request {
        headers: &[],
        body: b"",
        ..request
    };
    assert_eq!(empty.arguments(&api), Ok(b"\x05a.png\x00".to_vec()));
}

#[test]
fn a_missing_body_lacks_all_keys() {
    let document = problem(&Request {
        line: "POST /orders",
        ..Request::default()
    });
    assert_eq!(document["errors"][0]["pointer"], "/lines");
    assert_eq!(document["errors"][0]["found"], "nothing");
    let optional = api(
        "f: func(a: option<u8>); g: func(); h: func(a: option<u8>);",
        "operations: [{func: f, as: POST /f}, {func: g, as: POST /g}, {func: h, as: POST /h, body: a}]",
    );
    for (line, expected) in [("POST /f", &[0][..]), ("POST /g", &[]), ("POST /h", &[0])] {
        let request = Request {
            line,
            ..Request::default()
        };
        assert_eq!(
            request.arguments(&optional),
            Ok(expected.to_vec()),
            "{line}"
        );
    }
}

#[test]
fn an_input_of_another_form_is_an_error_with_its_place() {
    assert_eq!(
        errors("GET /orders/x"),
        json!([{"in": "path", "name": "id", "expected": "an integer from 0 to 18446744073709551615", "found": "\"x\""}])
    );
    assert_eq!(
        errors("GET /orders?limit=-1&limits=3&after="),
        json!([
            {"in": "query", "name": "limits", "expected": "one of `limit`, `after`, `tag`", "found": "an unknown key"},
            {"in": "query", "name": "limit", "expected": "an integer from 0 to 4294967295", "found": "\"-1\""},
            {"in": "query", "name": "after", "expected": "an integer from 0 to 18446744073709551615", "found": "\"\""},
        ])
    );
    assert_eq!(
        errors("GET /orders?limit=1&limit=2")[0]["found"],
        "2 values"
    );
    assert_eq!(errors("GET /orders/7?x=1")[0]["expected"], "no query");
    assert_eq!(
        errors("GET /orders?limit=%zz")[0]["expected"],
        "percent-encoded UTF-8"
    );
    assert_eq!(errors("GET /orders?tag=%ff")[0]["found"], "`tag=%ff`");
    let pairs = format!("GET /orders?{}", "tag=a&".repeat(1025));
    assert_eq!(errors(&pairs)[0]["expected"], "at most 1024 keys");
}

#[test]
fn all_errors_of_a_request_are_in_one_answer() {
    let document = problem(&Request {
        line: "PUT /orders/x?y=1",
        headers: &[JSON, ("if-match", "a"), ("if-match", "b")],
        body: br#"{"lines": [{"sku": 1}], "total": null}"#,
    });
    let places: Vec<_> = document["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            error["pointer"]
                .as_str()
                .or(error["name"].as_str())
                .unwrap()
        })
        .collect();
    assert_eq!(
        places,
        [
            "y",
            "order.id",
            "If-Match",
            "/lines/0/sku",
            "/lines/0/quantity",
            "/total"
        ]
    );
    assert_eq!(document["status"], 400);
    assert_eq!(document["type"], "tag:weft.dev,2026:problem/validation");
}

#[test]
fn at_most_32_errors_are_in_an_answer() {
    let keys: Vec<_> = (0..50).map(|key| format!("k{key}=1")).collect();
    let line = format!("GET /orders?{}", keys.join("&"));
    assert_eq!(errors(&line).as_array().unwrap().len(), 32);
}

#[test]
fn a_body_of_another_media_type_is_415() {
    let types = [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/json; charset=utf-16"),
        Some("application/jsonx"),
        Some("json"),
        Some(""),
    ];
    for media_type in types {
        let header = media_type.map(|it| ("content-type", it));
        let request = Request {
            line: "POST /orders",
            headers: header.as_slice(),
            body: b"{}",
        };
        let problem = request.arguments(&api(ORDERS, OPERATIONS)).unwrap_err();
        assert_eq!(problem.status(), 415, "{media_type:?}");
        assert_eq!(
            problem.response().headers["accept"],
            "application/json, application/cbor"
        );
    }
    for media_type in [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/json;charset=\"utf-8\"",
    ] {
        let request = Request {
            line: "POST /orders",
            headers: &[("content-type", media_type)],
            body: b"{\"lines\":[]}",
        };
        assert_eq!(
            request.arguments(&api(ORDERS, OPERATIONS)),
            Ok(vec![0]),
            "{media_type}"
        );
    }
}

#[test]
fn a_malformed_body_is_400_with_the_place() {
    let document = problem(&Request {
        line: "POST /orders",
        headers: &[JSON],
        body: b"{\"lines\": [",
    });
    assert_eq!(document["status"], 400);
    assert_eq!(document["type"], "tag:weft.dev,2026:problem/body");
    assert!(
        document["detail"]
            .as_str()
            .unwrap()
            .contains("line 1, column 12"),
        "{document}"
    );
}

#[test]
fn arguments_above_the_limit_are_413() {
    let api = api(ORDERS, OPERATIONS);
    let long = "x".repeat(1 << 16);
    let body = format!("{{\"lines\":[{{\"sku\":\"{long}\",\"quantity\":1}}]}}");
    let requests = [
        Request {
            line: "POST /orders",
            headers: &[JSON],
            body: body.as_bytes(),
        },
        Request {
            line: "PUT /files/a",
            headers: &[],
            body: body.as_bytes(),
        },
    ];
    for request in requests {
        assert_eq!(
            request.arguments(&api).unwrap_err().status(),
            413,
            "{}",
            request.line
        );
    }
    let line = format!("PUT /files/{long}");
    let request = Request {
        line: &line,
        ..Request::default()
    };
    assert_eq!(request.arguments(&api).unwrap_err().status(), 400);
}

#[test]
fn values_of_a_list_in_a_header_are_separated_by_commas() {
    let api = api(
        "f: func(a: list<string>, b: bool);",
        "operations: [{func: f, as: GET /, headers: {X-A: a, X-B: b}}]",
    );
    let request = Request {
        line: "GET /",
        headers: &[("x-a", "a, b,,"), ("x-b", "true"), ("x-a", "c")],
        body: b"",
    };
    assert_eq!(
        request.arguments(&api),
        Ok(b"\x03\x01a\x01b\x01c\x01".to_vec())
    );
}

/// A function with every type that a query can have.
const ALL: &str = "enum color { red, green }
    f: func(a: bool, b: s8, c: u16, d: s64, e: f64, g: char, h: string, i: color, j: option<u8>, k: list<color>);";

proptest! {
    #[test]
    fn a_value_in_a_query_is_the_value_in_a_body(
        a in any::<bool>(), b in any::<i8>(), c in any::<u16>(), d in any::<i64>(), e in -1e9..1e9,
        g in any::<char>(), h in "\\PC{0,8}", i in 0..2_usize, j in prop::option::of(any::<u8>()),
        k in prop::collection::vec(0..2_usize, 0..3),
    ) {
        let names = ["red", "green"];
        let query = api(ALL, "operations: [{func: f, as: 'GET /?a={a}&b={b}&c={c}&d={d}&e={e}&g={g}&h={h}&i={i}&j={j}&k={k}'}]");
        let body = api(ALL, "operations: [{func: f, as: POST /}]");
        let value = json!({
            "a": a, "b": b, "c": c, "d": d, "e": e, "g": g.to_string(), "h": h, "i": names[i], "j": j,
            "k": k.iter().map(|index| names[*index]).collect::<Vec<_>>(),
        });
        let mut pairs = vec![];
        for (key, value) in value.as_object().unwrap() {
            let values = match value {
                Value::Null => vec![],
                Value::Array(values) => values.clone(),
                value => vec![value.clone()],
            };
            for value in values {
                let text = value.as_str().map_or(value.to_string(), str::to_owned);
                let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
                pairs.push(format!("{key}={encoded}"));
            }
        }
        let line = format!("GET /?{}", pairs.join("&"));
        let from_query = Request { line: &line, ..Request::default() }.arguments(&query);
        let text = value.to_string();
        let from_body = Request { line: "POST /", headers: &[JSON], body: text.as_bytes() }.arguments(&body);
        prop_assert!(from_body.is_ok(), "{:?}", from_body);
        prop_assert_eq!(from_query, from_body);
    }

    #[test]
    fn any_request_has_arguments_or_a_problem(
        query in "([a-z]{0,6}=?[%a-f0-9+]{0,4}&?){0,6}",
        etag in "[ -~]{0,8}",
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let api = api(ORDERS, OPERATIONS);
        for line in [format!("GET /orders?{query}"), format!("PUT /orders/7?{query}"), format!("POST /orders?{query}")] {
            let request = Request { line: &line, headers: &[JSON, ("if-match", &etag)], body: &body };
            if let Err(problem) = request.arguments(&api) {
                prop_assert!(problem.status().is_client_error());
                prop_assert!(problem.errors().len() <= 32);
            }
        }
    }
}
