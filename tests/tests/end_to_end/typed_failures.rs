//! Failed calls of JSON-RPC and the Model Context Protocol, and the bounds of a batch, at the host that
//! runs the component and through another one.

use std::net::SocketAddr;

use serde_json::{Value, json};
use weft_tests::http::{Connection, Response};
use weft_tests::{PATIENCE, eventually};

use crate::feeds::{Lattice, READY};

const SPEC: &str = "\
components:
- {name: feed, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {deadline: 1m}}
- {name: hasty, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {deadline: 1s}}
- {name: narrow, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {deadline: 5m, concurrency: 1}}
- {name: nowhere, source: {file: guest:feed}, placement: {require: {place: nowhere}}}
routes:
- {path: /api, to: feed, interface: fixture:feed/feed, faces: [http, rpc, mcp], operations: &all [
    {func: add, as: 'GET /add/{a}/{b}'},
    {func: divide, as: 'GET /divide/{a}/{b}'},
    {func: plain, as: 'GET /plain/{value}'},
    {func: large, as: 'GET /large/{count}'},
    {func: fail, as: POST /fail},
    {func: wait, as: POST /wait},
    {func: ticks, as: GET /ticks}]}
- {path: /hasty, to: hasty, interface: fixture:feed/feed, faces: [rpc, mcp], operations: *all}
- {path: /narrow, to: narrow, interface: fixture:feed/feed, faces: [rpc, mcp], operations: *all}
- {path: /nowhere, to: nowhere, interface: fixture:feed/feed, faces: [rpc, mcp], operations: *all}
";

/// The most bytes of the responses of a batch, after which its calls are not made.
const BATCH_BYTES_MAX: usize = 16 << 20;

fn spec() -> String {
    // The manifest has no anchors.
    let start = SPEC.find("&all [").unwrap() + "&all ".len();
    let end = SPEC.find("]}\n- {path: /hasty").unwrap() + 1;
    let all = SPEC[start..end].to_owned();
    SPEC.replace("&all ", "").replace("*all", &all)
}

fn send(address: SocketAddr, path: &str, body: &Value) -> Response {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\nhost: feeds\ncontent-type: application/json\n\
         accept: application/json, text/event-stream\ncontent-length: {}\n\n",
        body.len()
    );
    let mut connection = Connection::with(address, &head);
    connection.send(body.as_bytes()).unwrap();
    connection.response().unwrap()
}

fn call(id: usize, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn rpc(address: SocketAddr, path: &str, message: &Value) -> Value {
    let answer = send(address, &format!("{path}/rpc"), message);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// The result of a call of a tool.
fn tool(address: SocketAddr, path: &str, name: &str, arguments: &Value) -> Value {
    let params = json!({ "name": name, "arguments": arguments });
    let answer = send(
        address,
        &format!("{path}/mcp"),
        &call(1, "tools/call", &params),
    );
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()["result"].take()
}

/// Checks that a call fails the same way in both faces, and returns the problem.
fn failed(
    (place, address): (&str, SocketAddr),
    (path, name): (&str, &str),
    params: &Value,
    code: i32,
) -> Value {
    let answer = rpc(address, path, &call(7, name, params));
    let error = &answer["error"];
    assert_eq!(
        (&answer["id"], &error["code"]),
        (&json!(7), &json!(code)),
        "{place}: {answer}"
    );
    assert_eq!(
        error["message"], error["data"]["title"],
        "{place}: {answer}"
    );
    assert!(answer.get("result").is_none(), "{place}: {answer}");

    let result = tool(address, path, name, params);
    assert_eq!(result["isError"], true, "{place}: {result}");
    assert!(
        result.get("structuredContent").is_none(),
        "{place}: {result}"
    );
    let text = result["content"][0]["text"].as_str().unwrap();
    let problem: Value = serde_json::from_str(text).unwrap();
    for key in ["type", "title", "status", "case", "value", "errors"] {
        assert_eq!(
            problem.get(key),
            error["data"].get(key),
            "{place}, {key}: {text}"
        );
    }
    problem
}

#[test]
fn failed_calls_are_problems_in_every_face() {
    let lattice = Lattice::start(&spec(), READY);
    for way in lattice.places() {
        let place = way.0;
        let divided = failed(way, ("/api", "divide"), &json!({"a": 1, "b": 0}), 422);
        assert_eq!(divided["value"], "cannot divide 1 by 0", "{place}");
        let wrong = failed(way, ("/api", "divide"), &json!({"a": "x"}), -32602);
        assert_eq!(wrong["errors"][0]["pointer"], "/a", "{place}: {wrong}");

        let trapped = failed(way, ("/api", "fail"), &json!({}), -32004);
        assert_eq!(
            (&trapped["status"], &trapped["case"]),
            (&json!(500), &json!("trapped"))
        );
        let detail = trapped["detail"].as_str().unwrap();
        let id = detail.split(' ').find(|word| word.len() == 16).unwrap();
        let log = || lattice.front.log() + &lattice.back.log();
        eventually("the failure is in a log", PATIENCE, || {
            log().contains(id).then_some(()).ok_or(detail.to_owned())
        });
        assert!(!detail.contains("told to trap"), "{place}: {detail}");

        let late = failed(way, ("/hasty", "wait"), &json!({}), -32002);
        assert_eq!(
            (&late["status"], &late["case"]),
            (&json!(504), &json!("deadline"))
        );
        let away = failed(way, ("/nowhere", "add"), &json!({"a": 1, "b": 2}), -32000);
        assert_eq!(
            (&away["status"], &away["case"]),
            (&json!(503), &json!("unreachable"))
        );
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_call_of_a_full_component_is_busy() {
    let lattice = Lattice::start(&spec(), READY);
    for way in lattice.places() {
        let (place, address) = way;
        let head = "POST /narrow/rpc HTTP/1.1\nhost: feeds\ncontent-type: application/json\n\
                    content-length: 42\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\"}  ";
        let waiting = Connection::with(address, head);
        eventually("the call runs", PATIENCE, || {
            let rows = lattice.back.own("components");
            let runs = rows.iter().any(|row| row["in_flight"] == 1);
            runs.then_some(()).ok_or(format!("{place}: {rows:?}"))
        });
        for (name, params) in [
            ("add", json!({"a": 1, "b": 2})),
            ("plain", json!({"value": "a"})),
        ] {
            let busy = failed(way, ("/narrow", name), &params, -32001);
            assert_eq!(
                (&busy["status"], &busy["case"]),
                (&json!(503), &json!("busy"))
            );
        }
        drop(waiting);
        lattice.nothing_in_flight(place);
        let added = rpc(address, "/narrow", &call(1, "add", &json!([1, 2])));
        assert_eq!(
            added["result"], 3,
            "{place}: a client that left keeps its place"
        );
    }
}

#[test]
fn a_failed_call_ends_no_other_of_its_batch() {
    let lattice = Lattice::start(&spec(), READY);
    for (place, address) in lattice.places() {
        let batch = json!([
            call(1, "fail", &json!({})),
            call(2, "add", &json!([1, 2])),
            call(3, "ticks", &json!({})),
            { "jsonrpc": "2.0", "method": "fail" },
            call(4, "divide", &json!([1, 0])),
            call(5, "divide", &json!([7, 2])),
        ]);
        let answers = rpc(address, "/api", &batch);
        let codes = answers
            .as_array()
            .unwrap()
            .iter()
            .map(|answer| &answer["error"]["code"]);
        let codes: Vec<_> = codes.collect();
        assert_eq!(
            json!(codes),
            json!([-32004, null, -32601, 422, null]),
            "{place}: {answers}"
        );
        assert_eq!(
            (&answers[1]["result"], &answers[4]["result"]),
            (&json!(3), &json!(3))
        );

        // All calls have the deadline of one request.
        let batch = json!([
            call(1, "add", &json!([1, 2])),
            call(2, "wait", &json!({})),
            call(3, "add", &json!([1, 2])),
        ]);
        let answers = rpc(address, "/hasty", &batch);
        assert_eq!(answers[0]["result"], 3, "{place}: {answers}");
        for answer in &answers.as_array().unwrap()[1..] {
            assert_eq!(answer["error"]["code"], -32002, "{place}: {answer}");
        }
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_batch_has_its_bounds() {
    let lattice = Lattice::start(&spec(), READY);
    for (place, address) in lattice.places() {
        let batch = |count| -> Value {
            let calls = (0..count).map(|id| call(id, "add", &json!([id, 1])));
            calls.collect()
        };
        let answers = rpc(address, "/api", &batch(100));
        let results = answers
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["result"].as_u64().unwrap());
        assert_eq!(
            results.collect::<Vec<_>>(),
            (1..=100).collect::<Vec<_>>(),
            "{place}"
        );
        let refused = rpc(address, "/api", &batch(101));
        assert_eq!(refused["error"]["code"], -32600, "{place}: {refused}");

        // Each is more than a third of the bound in base64.
        let large = json!([BATCH_BYTES_MAX / 4]);
        let mut calls: Vec<_> = (0..4).map(|id| call(id, "large", &large)).collect();
        calls.push(json!({ "jsonrpc": "2.0", "method": "fail" }));
        calls.push(call(5, "unknown", &large));
        let response = send(address, "/api/rpc", &json!(calls));
        assert!(response.body.len() < 2 * BATCH_BYTES_MAX, "{place}");
        let answers = response.json();
        let answers = answers.as_array().unwrap();
        assert_eq!(answers.len(), 5, "{place}");
        for answer in &answers[..3] {
            let length = answer["result"].as_str().unwrap().len();
            assert_eq!(length, (BATCH_BYTES_MAX / 4).div_ceil(3) * 4, "{place}");
        }
        for answer in &answers[3..] {
            assert_eq!(answer["error"]["code"], -32603, "{place}: {answer}");
        }
        lattice.nothing_in_flight(place);
    }
}
