//! Operations that are WebSockets.

use http::HeaderMap;
use serde_json::json;
use weft_api::{Body, MessageKind, RequestInput};

use crate::{api, try_api};

const CHATS: &str = "
    chat: async func(room: string, messages: stream<string>) -> stream<string>;
    mirror: async func(messages: stream<list<u8>>) -> stream<list<u8>>;
    mixed: async func(messages: stream<string>) -> stream<u8>;
    texts: async func() -> stream<string>;
";

#[test]
fn a_stream_of_messages_in_both_directions_is_a_socket() {
    let lines = "operations:
- {func: chat, as: 'GET /rooms/{room}'}
- {func: mirror, as: GET /mirror}
- {func: texts, as: GET /texts}
";
    let api = api(CHATS, lines);
    let kinds = api.operations().iter().map(|operation| {
        assert_eq!(operation.unserved_stream(), None);
        assert!(operation.is_concurrent());
        (operation.socket(), operation.is_idempotent())
    });
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        [
            (Some(MessageKind::Text), false),
            (Some(MessageKind::Binary), false),
            (None, true)
        ]
    );
    let matched = api.find(&http::Method::GET, "/rooms/tea").unwrap();
    let headers = HeaderMap::new();
    let input = RequestInput {
        path: &matched.path,
        query: None,
        headers: &headers,
        body: b"",
        encoded_max: 100,
    };
    // The room, and the number of the stream.
    let arguments = matched.operation.arguments(&input).unwrap();
    assert_eq!(arguments, b"\x03tea\0");
    let accept = matched.operation.accept(&headers).unwrap();
    let opened = matched.operation.response(&[1], &accept);
    assert_eq!(opened.body, Body::Messages { number: 1 });
    let mirror = &api.operations()[1];
    assert_eq!(mirror.response(&[1], &accept).status, 101);
    assert_eq!(mirror.response(&[], &accept).status, 500);
    let document = api.openapi();
    let operation = &document["paths"]["/rooms/{room}"]["get"];
    assert_eq!(operation["x-weft-websocket"], json!({ "messages": "text" }));
    let responses = operation["responses"].as_object().unwrap();
    assert!(responses.contains_key("101") && responses.contains_key("426"));
    assert!(operation.get("requestBody").is_none());
}

#[test]
fn other_streams_of_messages_are_refused_with_the_reason() {
    let lines = "operations:
- {func: mixed, as: GET /mixed}
- {func: mirror, as: POST /mirror}
";
    let api = api(CHATS, lines);
    let reasons = api.operations().iter().map(|it| it.unserved_stream());
    let reasons: Vec<_> = reasons.map(Option::unwrap_or_default).collect();
    assert_eq!(
        reasons,
        [
            "takes a `stream<string>`, and a `GET` request with it is a WebSocket, whose function \
             returns a `stream<string>`, too",
            "takes a `stream<list<u8>>`, and the body of a request can only be a `stream<u8>`; with \
             `GET` it is a WebSocket",
        ]
    );
    let status = "operations: [{func: mirror, as: GET /mirror, ok: 201}]";
    let mistakes = try_api(CHATS, status).unwrap_err();
    assert_eq!(mistakes[0].path, "operations[0].ok");
}

#[test]
fn a_route_without_operations_has_get_for_sockets() {
    let items = "talk: async func(messages: stream<string>) -> stream<string>; other: func();";
    let api = api(items, "");
    let requests = api.operations().iter().map(|it| it.request().to_string());
    assert_eq!(requests.collect::<Vec<_>>(), ["GET /talk", "POST /other"]);
}
