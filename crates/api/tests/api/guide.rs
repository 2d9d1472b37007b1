//! The examples of `docs/http.md`.

use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use weft_api::{Api, Body, Matched, RequestInput, Response};

use crate::{api, repository, shop};

/// The JSON of the guide, in its order.
fn examples() -> Vec<Value> {
    let guide = std::fs::read_to_string(repository("docs/http.md")).expect("readable");
    let blocks = guide.split("```json\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().expect("an end"));
    blocks
        .map(|block| serde_json::from_str(block).expect("JSON"))
        .collect()
}

fn document(response: &Response) -> Value {
    let Body::Bytes(body) = &response.body else {
        panic!("the body is a stream");
    };
    serde_json::from_slice(body).expect("JSON")
}

fn post(api: &Api) -> Matched<'_> {
    api.find(&Method::POST, "/orders").expect("an operation")
}

#[test]
fn the_problem_of_the_guide_is_that_of_the_shop() {
    let shop = shop();
    let operation = post(&shop).operation;
    let accept = operation.accept(&HeaderMap::new()).unwrap();
    let response = operation.response(b"\x01\x03\x06teapot\x01", &accept);
    assert_eq!(document(&response), examples()[0]);
}

#[test]
fn the_errors_of_the_guide_are_those_of_a_request() {
    let items = "record line { sku: string } place: func(lines: list<line>, limit: u32);";
    let lines = "operations: [{func: place, as: 'POST /orders?limit={limit=20}'}]";
    let api = api(items, lines);
    let matched = post(&api);
    let json = HeaderValue::from_static("application/json");
    let problem = matched.operation.arguments(&RequestInput {
        path: &matched.path,
        query: Some("limit=-1"),
        headers: &HeaderMap::from_iter([(http::header::CONTENT_TYPE, json)]),
        body: br#"{"lines": [{"sku": 7}]}"#,
        encoded_max: 100,
    });
    assert_eq!(document(&problem.unwrap_err().response()), examples()[1]);
}
