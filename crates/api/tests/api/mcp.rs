//! Messages of the Model Context Protocol.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use weft_api::mcp::{Step, Tools};
use weft_api::{Api, Body, Response};

use crate::{ORDERS, api};

const ROUTE: &str = "operations:
- {func: get, as: 'GET /orders/{id}'}
- {func: recent, as: POST /recent}
- {func: find, as: 'GET /maybe/{id}'}
- {func: remove, as: 'DELETE /orders/{id}'}
- {func: watch, as: POST /watch}
";

const LEGACY: &[(&str, &str)] = &[("mcp-protocol-version", "2025-11-25")];

fn shop() -> Api {
    api(ORDERS, ROUTE)
}

fn headers(headers: &[(&str, &str)]) -> HeaderMap {
    let headers = headers.iter().map(|(name, value)| {
        let name = HeaderName::try_from(*name).expect("a name");
        (name, HeaderValue::try_from(*value).expect("a value"))
    });
    headers.collect()
}

/// The status and the document of a response.
fn parts(response: &Response) -> (u16, Value) {
    let Body::Bytes(body) = &response.body else {
        panic!("a stream");
    };
    let value = serde_json::from_slice(body).unwrap_or_default();
    (response.status.as_u16(), value)
}

/// The response to a message; one for a call has the value.
fn sent(with: &[(&str, &str)], body: &str, value: Option<&str>) -> (u16, Value) {
    let (shop, tools) = (shop(), Tools::new(&shop()));
    let response = match shop.mcp(&headers(with), body.as_bytes()) {
        Step::Respond(response) => response,
        Step::List(pending) => pending.tools(&tools),
        Step::Call {
            function, pending, ..
        } => pending.value(&tools, &function, value),
    };
    parts(&response)
}

fn legacy(method: &str, params: &Value) -> (u16, Value) {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    sent(LEGACY, &body.to_string(), Some("null"))
}

/// A message of the stateless revision with these headers beside that of the version.
fn modern(method: &str, mut params: Value, with: &[(&str, &str)]) -> (u16, Value) {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let version = [("mcp-protocol-version", "2026-07-28")];
    let with: Vec<_> = version.iter().chain(with).copied().collect();
    sent(&with, &body.to_string(), Some("null"))
}

#[test]
fn a_client_of_today_begins_without_a_session() {
    for (requested, answered) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", "2025-11-25"),
    ] {
        let params = json!({ "protocolVersion": requested, "capabilities": {}, "clientInfo": {} });
        let body = json!({ "jsonrpc": "2.0", "id": "a", "method": "initialize", "params": params });
        let (status, answer) = sent(&[], &body.to_string(), None);
        assert_eq!((status, &answer["id"]), (200, &json!("a")));
        assert_eq!(answer["result"]["protocolVersion"], answered);
        assert_eq!(answer["result"]["capabilities"], json!({ "tools": {} }));
        assert_eq!(answer["result"]["serverInfo"]["version"], "1.2.3");
    }
    assert_eq!(
        legacy("ping", &json!({})),
        (200, json!({"jsonrpc": "2.0", "id": 1, "result": {}}))
    );
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(sent(LEGACY, notification, None), (202, Value::Null));
}

#[test]
fn each_function_of_an_operation_is_a_tool_with_whole_schemas() {
    let (status, answer) = legacy("tools/list", &json!({}));
    assert_eq!(status, 200);
    let tools = answer["result"]["tools"].as_array().expect("tools");
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str()).collect();
    let expected = ["get", "recent", "find", "remove"].map(Some);
    assert_eq!(names, expected);
    for tool in tools {
        let input = &tool["inputSchema"];
        assert_eq!(input["type"], "object", "{tool}");
        assert_eq!(input["additionalProperties"], false, "{tool}");
        assert!(tool["description"].is_string(), "{tool}");
        if let Some(output) = tool.get("outputSchema") {
            assert_eq!(output["type"], "object", "{tool}");
            for name in references(output) {
                let name = name.strip_prefix("#/$defs/").expect("a local reference");
                assert!(output["$defs"].get(name).is_some(), "{name} in {tool}");
            }
        }
    }
    assert_eq!(
        tools[0]["outputSchema"]["properties"]["lines"]["type"],
        "array"
    );
    assert_eq!(tools[1]["outputSchema"]["required"], json!(["result"]));
    assert_eq!(
        tools[1]["inputSchema"]["required"],
        json!(["limit", "tags"])
    );
    assert!(tools[3].get("outputSchema").is_none());
    assert_eq!(tools[0]["annotations"]["readOnlyHint"], true);
    assert_eq!(tools[3]["annotations"]["destructiveHint"], true);
}

/// All references in a schema.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str);
            let others = members.values().flat_map(references);
            own.map(str::to_owned).into_iter().chain(others).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn values_keep_their_digits_and_others_than_objects_are_wrapped() {
    let call = |name: &str, value: Option<&str>| {
        let params = json!({ "name": name, "arguments": {} });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        sent(LEGACY, &body.to_string(), value).1["result"].clone()
    };
    let order = r#"{"id":18446744073709551615}"#;
    let result = call("get", Some(order));
    assert_eq!(
        result["content"],
        json!([{ "type": "text", "text": order }])
    );
    assert_eq!(result["structuredContent"]["id"], 18446744073709551615_u64);
    let result = call("recent", Some("[]"));
    assert_eq!(result["structuredContent"], json!({ "result": [] }));
    let result = call("remove", None);
    assert_eq!(result, json!({ "content": [] }));
}

#[test]
fn a_message_that_cannot_be_handled_is_refused() {
    let call = |params: Value| legacy("tools/call", &params);
    for ((status, answer), expected, code) in [
        (legacy("resources/list", &json!({})), 200, -32601),
        (legacy("tools/list", &json!({ "cursor": "x" })), 400, -32602),
        (legacy("tools/list", &json!([])), 400, -32602),
        (call(json!({})), 400, -32602),
        (call(json!({ "name": "place" })), 200, -32602),
        (call(json!({ "name": "watch" })), 200, -32602),
        (
            call(json!({ "name": "get", "arguments": [1] })),
            400,
            -32602,
        ),
        (sent(LEGACY, "[]", None), 400, -32600),
        (sent(LEGACY, "{", None), 400, -32700),
        (
            sent(
                LEGACY,
                r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
                None,
            ),
            400,
            -32600,
        ),
        (
            sent(
                LEGACY,
                r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
                None,
            ),
            400,
            -32600,
        ),
        (
            sent(
                &[("mcp-protocol-version", "1900-01-01")],
                r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
                None,
            ),
            400,
            -32022,
        ),
    ] {
        assert_eq!(
            (status, &answer["error"]["code"]),
            (expected, &json!(code)),
            "{answer}"
        );
    }
}

#[test]
fn a_stateless_request_carries_its_revision_and_gets_a_whole_result() {
    let list = [("mcp-method", "tools/list")];
    let (status, answer) = modern("tools/list", json!({}), &list);
    let result = &answer["result"];
    assert_eq!((status, &result["resultType"]), (200, &json!("complete")));
    assert_eq!(result["cacheScope"], "public");
    assert!(result["ttlMs"].is_u64());
    let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(server["name"], "test:shop/orders");
    let discover = [("mcp-method", "server/discover")];
    let (_, answer) = modern("server/discover", json!({}), &discover);
    let revisions = &answer["result"]["supportedVersions"];
    assert_eq!(
        revisions,
        &json!(["2026-07-28", "2025-11-25", "2025-06-18"])
    );
    let call = [("mcp-method", "tools/call"), ("mcp-name", "find")];
    let (status, answer) = modern("tools/call", json!({ "name": "find" }), &call);
    assert_eq!(
        (status, &answer["result"]["resultType"]),
        (200, &json!("complete"))
    );
}

#[test]
fn a_stateless_request_whose_headers_do_not_fit_is_refused() {
    let find = || json!({ "name": "find" });
    for ((status, answer), expected, code) in [
        (modern("tools/list", json!({}), &[]), 400, -32020),
        (
            modern("tools/list", json!({}), &[("mcp-method", "ping")]),
            400,
            -32020,
        ),
        (
            modern("tools/call", find(), &[("mcp-method", "tools/call")]),
            400,
            -32020,
        ),
        (
            modern(
                "tools/call",
                find(),
                &[("mcp-method", "tools/call"), ("mcp-name", "get")],
            ),
            400,
            -32020,
        ),
        (
            modern("ping", json!({}), &[("mcp-method", "ping")]),
            404,
            -32601,
        ),
        (
            modern("initialize", json!({}), &[("mcp-method", "initialize")]),
            404,
            -32601,
        ),
    ] {
        assert_eq!(
            (status, &answer["error"]["code"]),
            (expected, &json!(code)),
            "{answer}"
        );
    }
    let without_meta = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let version = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/list"),
    ];
    let (status, answer) = sent(&version, without_meta, None);
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32602)));
    let of_body = json!({ "io.modelcontextprotocol/protocolVersion": "2099-01-01" });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": of_body } });
    let (status, answer) = sent(
        &[("mcp-protocol-version", "2099-01-01")],
        &body.to_string(),
        None,
    );
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32022)));
    assert_eq!(answer["error"]["data"]["requested"], "2099-01-01");
}
