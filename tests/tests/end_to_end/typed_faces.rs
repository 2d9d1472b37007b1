//! The faces of a typed route besides its operations: the document and its page, JSON-RPC and the Model
//! Context Protocol, on the host that runs the component and through another one.

use std::net::SocketAddr;

use serde_json::{Value, json};
use weft_tests::http::{Connection, Request, Response};

use crate::typed_http::{Lattice, SPEC, raw_post};

const JSON: &str = "content-type: application/json\n";

fn shop() -> Lattice {
    let spec = SPEC.replace(
        "  operations:\n",
        "  faces: [http, docs, rpc, mcp]\n  operations:\n",
    );
    Lattice::of(&spec)
}

fn rpc(address: SocketAddr, body: &str) -> Value {
    let answer = raw_post(address, "/api/rpc", JSON, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn mcp(address: SocketAddr, method: &str, params: &Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let headers = format!("{JSON}accept: application/json, text/event-stream\n");
    let answer = raw_post(address, "/api/mcp", &headers, body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn send(address: SocketAddr, line: &str, headers: &str) -> Response {
    let head = format!("{line} HTTP/1.1\nhost: shop\n{headers}\n");
    { Connection::with(address, &head) }.response().unwrap()
}

#[test]
fn the_document_and_its_page_are_served_on_every_host() {
    let lattice = shop();
    for (place, address) in lattice.places() {
        let document = Request::get("/api/openapi.json").send(address);
        assert_eq!(document.status, 200, "{place}");
        assert_eq!(document.header("content-type"), Some("application/json"));
        assert_eq!(document.header("cache-control"), Some("no-cache"));
        assert_eq!(document.json()["servers"][0]["url"], "/api", "{place}");
        assert!(
            document.json()["paths"]["/orders/{id}"].is_object(),
            "{place}"
        );
        let tag = document.header("etag").unwrap();
        let known = format!("if-none-match: {tag}\n");
        let unchanged = send(address, "GET /api/openapi.json", &known);
        assert_eq!(
            (unchanged.status, unchanged.body.len()),
            (304, 0),
            "{place}"
        );

        for (path, kind) in [
            ("/api/docs", "text/html"),
            ("/api/docs/docs.css", "text/css"),
            ("/api/docs/docs.js", "text/javascript"),
        ] {
            let page = Request::get(path).send(address);
            assert_eq!(page.status, 200, "{place}, {path}");
            assert!(page.header("content-type").unwrap().starts_with(kind));
            let policy = page.header("content-security-policy").unwrap();
            assert!(policy.contains("default-src 'none'"), "{policy}");
            assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
            let head = format!("HEAD {path} HTTP/1.1\nhost: shop\nconnection: close\n\n");
            let mut connection = Connection::with(address, &head);
            let head = connection.head().unwrap();
            assert_eq!(head.status, 200, "{place}, {path}");
            assert_eq!(connection.rest().unwrap().len(), 0, "{place}, {path}");
            assert_eq!(head.header("etag"), page.header("etag"), "{place}, {path}");
            assert_eq!(send(address, &format!("DELETE {path}"), "").status, 405);
        }
        assert_eq!(
            Request::get("/api/docs/").send(address).status,
            404,
            "{place}"
        );
    }
}

#[test]
fn faces_that_are_not_chosen_are_not_served() {
    let spec = |faces: &str| {
        let moved = SPEC.replace("path: /api", "path: /other");
        let operations = format!("  faces: [{faces}]\n  operations:\n");
        moved.replace("  operations:\n", &operations)
    };
    let lattice = Lattice::of(SPEC);
    let by_default = [
        ("GET /api/docs", 200),
        ("GET /api/openapi.json", 200),
        ("POST /api/rpc", 404),
        ("POST /api/mcp", 404),
    ];
    for (place, address) in lattice.places() {
        for (line, status) in by_default {
            let found = send(address, line, "content-length: 0\n").status;
            assert_eq!(found, status, "{place}, {line}");
        }
    }
    let manifest = lattice.files.app("other", &spec("rpc"));
    lattice.front.deploy(&manifest).expect_code(0);
    for (place, address) in lattice.places() {
        weft_tests::eventually("the route serves", weft_tests::PATIENCE, || {
            let call = r#"{"jsonrpc":"2.0","id":1,"method":"recent","params":[1]}"#;
            let answer = raw_post(address, "/other/rpc", JSON, call.as_bytes());
            let is_served = answer.status == 200 && answer.json().get("result").is_some();
            is_served.then_some(()).ok_or(answer.text())
        });
        for line in [
            "GET /other/orders",
            "GET /other/docs",
            "GET /other/openapi.json",
            "POST /other/mcp",
        ] {
            let found = send(address, line, "content-length: 0\n").status;
            assert_eq!(found, 404, "{place}, {line}");
        }
    }
}

#[test]
fn functions_are_methods_of_json_rpc_on_every_host() {
    let lattice = shop();
    for (place, address) in lattice.places() {
        let order = r#"{"jsonrpc":"2.0","id":"a","method":"place","params":{"lines":[{"sku":"cup","quantity":2}]}}"#;
        let placed = rpc(address, order);
        assert_eq!(placed["id"], "a", "{place}: {placed}");
        let id = &placed["result"]["id"];
        let get = json!({ "jsonrpc": "2.0", "id": 1, "method": "get", "params": [id] });
        assert_eq!(
            rpc(address, &get.to_string())["result"],
            placed["result"],
            "{place}"
        );

        let batch = json!([
            get,
            { "jsonrpc": "2.0", "id": 2, "method": "get", "params": [999] },
            { "jsonrpc": "2.0", "method": "get", "params": [id] },
            { "jsonrpc": "2.0", "id": 3, "method": "get", "params": ["x"] },
            { "jsonrpc": "2.0", "id": 4, "method": "lefts" },
            7,
        ]);
        let answers = rpc(address, &batch.to_string());
        let answers = answers.as_array().unwrap();
        assert_eq!(answers[0]["result"], placed["result"], "{place}");
        let error = &answers[1]["error"];
        assert_eq!(error["code"], 404, "{place}");
        assert_eq!(error["data"]["case"], "unknown-order", "{place}");
        assert_eq!(error["data"]["value"], 999, "{place}");
        let error = &answers[2]["error"];
        assert_eq!(
            (&answers[2]["id"], &error["code"]),
            (&json!(3), &json!(-32602))
        );
        assert_eq!(error["data"]["errors"][0]["pointer"], "/id", "{place}");
        assert_eq!(answers[3]["error"]["code"], -32601, "{place}");
        assert_eq!(
            (&answers[4]["error"]["code"], answers.len()),
            (&json!(-32600), 5)
        );

        let notification = r#"{"jsonrpc":"2.0","method":"recent","params":[1]}"#;
        let answer = raw_post(address, "/api/rpc", JSON, notification.as_bytes());
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{place}");
    }
}

#[test]
fn functions_are_tools_of_mcp_on_every_host() {
    let lattice = shop();
    for (place, address) in lattice.places() {
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
        let begun = mcp(address, "initialize", &params);
        assert_eq!(begun["result"]["protocolVersion"], "2025-11-25", "{place}");
        let listed = mcp(address, "tools/list", &json!({}));
        let tools = listed["result"]["tools"].as_array().unwrap();
        let names: Vec<_> = tools
            .iter()
            .filter_map(|tool| tool["name"].as_str())
            .collect();
        assert_eq!(names, ["place", "get", "recent", "left"], "{place}");

        let call = |name: &str, arguments: Value| {
            let params = json!({ "name": name, "arguments": arguments });
            mcp(address, "tools/call", &params)["result"].take()
        };
        let placed = call(
            "place",
            json!({ "lines": [{ "sku": "cup", "quantity": 1 }] }),
        );
        let order = &placed["structuredContent"];
        assert!(order["id"].is_u64(), "{place}: {placed}");
        let text = placed["content"][0]["text"].as_str().unwrap();
        assert_eq!(
            &serde_json::from_str::<Value>(text).unwrap(),
            order,
            "{place}"
        );
        let recent = call("recent", json!({ "limit": 1 }));
        assert_eq!(&recent["structuredContent"]["result"][0], order, "{place}");

        for (arguments, expected) in [
            (json!({ "id": 999 }), "unknown-order"),
            (json!({ "id": -1 }), "/id"),
            (json!({}), "/id"),
        ] {
            let failed = call("get", arguments);
            assert_eq!(failed["isError"], true, "{place}: {failed}");
            let text = failed["content"][0]["text"].as_str().unwrap();
            assert!(text.contains(expected), "{place}: {text}");
        }
    }
}

#[test]
fn bad_messages_are_refused() {
    let lattice = shop();
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"recent","params":{"limit":1}}"#;
    let many = format!("[{}]", vec![call; 101].join(","));
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"get","params":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let large = vec![b' '; 1_000_001];
    for (place, address) in lattice.places() {
        for (name, body, code) in [
            ("too many calls", many.as_str(), -32600),
            ("nested deeply", deep.as_str(), -32602),
            ("cut off", "{\"jsonrpc\":", -32700),
            (
                "an unknown method",
                r#"{"jsonrpc":"2.0","id":1,"method":"list"}"#,
                -32601,
            ),
        ] {
            let answer = rpc(address, body);
            assert_eq!(answer["error"]["code"], code, "{place}, {name}: {answer}");
        }
        for path in ["/api/rpc", "/api/mcp"] {
            for (headers, body, status) in [
                ("content-type: text/plain\n", call.as_bytes(), 415),
                ("content-type: application/cbor\n", call.as_bytes(), 415),
                ("", call.as_bytes(), 415),
                (JSON, &large[..], 413),
                (
                    "content-type: application/json\norigin: http://evil.example\n",
                    call.as_bytes(),
                    403,
                ),
                (
                    "content-type: application/json\norigin: http://shop\n",
                    call.as_bytes(),
                    403,
                ),
                (
                    "content-type: application/json\norigin: null\n",
                    call.as_bytes(),
                    403,
                ),
                (
                    "content-type: application/json\norigin: http://localhost:3000\n",
                    call.as_bytes(),
                    200,
                ),
            ] {
                let answer = raw_post(address, path, headers, body);
                let text = answer.text();
                assert_eq!(answer.status, status, "{place}, {path}, {headers}: {text}");
            }
            for method in ["GET", "DELETE", "PUT"] {
                let answer = send(address, &format!("{method} {path}"), "");
                assert_eq!(answer.status, 405, "{place}, {method} {path}");
                assert_eq!(answer.header("allow"), Some("POST, OPTIONS"), "{place}");
            }
        }
        let batch = format!("[{call}]");
        let answer = raw_post(address, "/api/mcp", JSON, batch.as_bytes());
        assert_eq!(answer.status, 400, "{place}");
        let old = format!("{JSON}mcp-protocol-version: 1900-01-01\n");
        let answer = raw_post(address, "/api/mcp", &old, call.as_bytes());
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (400, &json!(-32022))
        );
    }
}
