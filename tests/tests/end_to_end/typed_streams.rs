//! Routes that serve `async func`s and streams, at the host that runs the component and through
//! another one.

use std::net::SocketAddr;

use weft_tests::http::{Connection, Request, Response};
use weft_tests::{PATIENCE, eventually};

use crate::feeds::{Lattice, READY};

/// `feed` has more time than a test takes, so that only a client that leaves ends its calls;
/// `hasty` has none to lose.
const SPEC: &str = "\
components:
- {name: feed, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {body: 2MB, deadline: 5m}}
- {name: hasty, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {deadline: 1s}}
routes:
- path: /api
  to: feed
  interface: fixture:feed/feed
  operations:
  - {func: add, as: 'GET /add/{a}/{b}'}
  - {func: divide, as: 'GET /divide/{a}/{b}'}
  - {func: echo, as: POST /echo}
  - {func: plain, as: 'GET /plain/{value}'}
  - {func: fail, as: POST /fail}
  - {func: wait, as: POST /wait}
  - {func: texts, as: POST /texts}
  - {func: ticks, as: GET /ticks}
  - {func: quiet, as: GET /quiet}
  - {func: broken, as: 'GET /broken/{count}'}
  - {func: bytes, as: 'GET /bytes/{count}'}
  - {func: forward, as: POST /forward}
  - {func: count, as: POST /count}
  - {func: first, as: 'POST /first?count={count}'}
  - {func: open, as: 'GET /open/{name}/{count}', ok: 203}
  - {func: follow, as: 'GET /follow/{name}/{count}'}
  errors:
    open-error: {404: [missing], 423: [locked]}
- path: /hasty
  to: hasty
  interface: fixture:feed/feed
  operations:
  - {func: wait, as: POST /wait}
  - {func: quiet, as: GET /quiet}
  - {func: count, as: POST /count}
";

fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Response {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\nhost: feeds\n{headers}content-length: {length}\n\n");
    let mut connection = Connection::with(address, &head);
    connection.send(body).unwrap();
    connection.response().unwrap()
}

/// A `POST` whose body is sent in chunks.
fn chunked(address: SocketAddr, path: &str) -> Connection {
    let head = format!("POST {path} HTTP/1.1\nhost: feeds\ntransfer-encoding: chunked\n\n");
    Connection::with(address, &head)
}

fn texts(address: SocketAddr, accept: &str, body: &str) -> Response {
    let headers = format!("content-type: application/json\naccept: {accept}\n");
    post(address, "/api/texts", &headers, body.as_bytes())
}

/// Opens a stream of a response, and returns its first chunk.
fn begin(address: SocketAddr, path: &str) -> (Connection, String) {
    let head = format!("GET {path} HTTP/1.1\nhost: feeds\n\n");
    let mut connection = Connection::with(address, &head);
    let head = connection.head().unwrap();
    assert_eq!(head.status, 200, "{path}");
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    let chunk = connection.chunk().unwrap();
    (connection, String::from_utf8(chunk).unwrap())
}

#[test]
fn async_functions_are_called_on_every_host() {
    let lattice = Lattice::start(SPEC, READY);
    let large: Vec<u8> = (0..1_500_000_u32).map(|byte| byte as u8).collect();
    for (place, address) in lattice.places() {
        for (path, status, expected) in [
            ("/api/add/20/22", 200, "42"),
            ("/api/divide/-7/2", 200, "-3"),
            ("/api/divide/1/0", 422, "cannot divide 1 by 0"),
            ("/api/plain/text", 200, "\"text\""),
            ("/api/add/20/-1", 400, "/a"),
        ] {
            let answer = Request::get(path).send(address);
            let text = answer.text();
            assert_eq!(answer.status, status, "{place}, {path}: {text}");
            assert!(
                text.contains(expected) || status == 400,
                "{place}, {path}: {text}"
            );
        }
        // More than a message to another host carries, both ways.
        let echoed = post(address, "/api/echo", "", &large);
        assert_eq!(echoed.status, 200, "{place}: {}", echoed.text());
        assert!(echoed.body == large, "{place}: {}", echoed.body.len());
        let failed = post(address, "/api/fail", "", b"");
        assert_eq!(failed.status, 500, "{place}");
        assert!(failed.header("weft-error-id").is_some(), "{place}");
        let late = post(address, "/hasty/wait", "", b"");
        assert_eq!(late.status, 504, "{place}: {}", late.text());
        lattice.nothing_in_flight(place);

        let waiting = Connection::with(
            address,
            "POST /api/wait HTTP/1.1\nhost: feeds\ncontent-length: 0\n\n",
        );
        eventually("the call runs", PATIENCE, || {
            let rows = lattice.back.own("components");
            let runs = rows.iter().any(|row| row["in_flight"] == 1);
            runs.then_some(()).ok_or(format!("{place}: {rows:?}"))
        });
        drop(waiting);
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn streams_of_results_are_bodies() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        let body = r#"{"values": ["one", "two\nlines", "a\r\n\r\nid: 7\u0000", ""]}"#;
        let events = texts(address, "text/event-stream", body);
        assert_eq!(events.status, 200, "{place}: {}", events.text());
        assert_eq!(events.header("content-type"), Some("text/event-stream"));
        assert_eq!(
            events.text(),
            "id: 1\ndata: one\n\nid: 2\ndata: two\ndata: lines\n\n\
             id: 3\ndata: a\ndata: \ndata: id: 7\0\n\nid: 4\ndata: \n\n",
            "{place}"
        );
        let lines = texts(address, "application/x-ndjson", body);
        assert_eq!(
            lines.text(),
            "\"one\"\n\"two\\nlines\"\n\"a\\r\\n\\r\\nid: 7\\u0000\"\n\"\"\n",
            "{place}"
        );
        assert_eq!(texts(address, "text/html", body).status, 406, "{place}");
        let none = texts(address, "*/*", r#"{"values": []}"#);
        assert_eq!((none.status, none.text().as_str()), (200, ""), "{place}");

        for count in [0, 1, 3_000_000] {
            let bytes = Request::get(&format!("/api/bytes/{count}")).send(address);
            let media_type = bytes.header("content-type");
            assert_eq!(media_type, Some("application/octet-stream"), "{place}");
            assert!(
                bytes.body == vec![b'a'; count],
                "{place}: {}",
                bytes.body.len()
            );
        }
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_result_is_an_error_or_a_stream() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        for path in ["/api/open", "/api/follow"] {
            for (name, status, case) in [("missing", 404, "missing"), ("locked", 423, "locked")] {
                let answer = Request::get(&format!("{path}/{name}/3")).send(address);
                let problem = answer.json();
                assert_eq!(answer.status, status, "{place}, {path}: {problem}");
                let media_type = answer.header("content-type");
                assert_eq!(media_type, Some("application/problem+json"), "{place}");
                assert_eq!(problem["case"], case, "{place}, {path}");
                let value = (name == "missing").then_some("missing");
                assert_eq!(problem["value"].as_str(), value, "{place}, {path}");
            }
        }
        for count in [0, 3, 3_000_000] {
            let bytes = Request::get(&format!("/api/open/a/{count}")).send(address);
            let media_type = bytes.header("content-type");
            assert_eq!(bytes.status, 203, "{place}");
            assert_eq!(media_type, Some("application/octet-stream"), "{place}");
            let length = bytes.body.len();
            assert!(bytes.body == vec![b'a'; count], "{place}: {length}");
        }
        let texts = Request::get("/api/follow/a/2").send(address);
        assert_eq!(
            texts.text(),
            "id: 1\ndata: 0\n\nid: 2\ndata: 1\n\n",
            "{place}"
        );
        let (mut broken, first) = begin(address, "/api/follow/broken/1");
        assert_eq!(first, "id: 1\ndata: 0\n\n", "{place}");
        assert!(
            broken.chunk().is_err(),
            "{place}: a trap was the end of a stream"
        );
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_stream_ends_with_its_client_its_component_and_its_deadline() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        // One component writes on, the other waits and would not notice by itself.
        for path in ["/api/ticks", "/api/quiet"] {
            let (connection, first) = begin(address, path);
            assert!(
                first.starts_with("id: 1\ndata: "),
                "{place}, {path}: {first}"
            );
            drop(connection);
            lattice.nothing_in_flight(place);
        }
        let head = "HEAD /api/quiet HTTP/1.1\nhost: feeds\n\n";
        let head = Connection::with(address, head).head().unwrap();
        assert_eq!(head.status, 200, "{place}");
        lattice.nothing_in_flight(place);
        let (mut broken, _) = begin(address, "/api/broken/3");
        let end = loop {
            match broken.chunk() {
                Ok(chunk) if chunk.is_empty() => break "complete",
                Ok(_) => {}
                Err(_) => break "broken off",
            }
        };
        assert_eq!(end, "broken off", "{place}");
        let (mut late, _) = begin(address, "/hasty/quiet");
        assert!(
            late.chunk().is_err(),
            "{place}: a stream outlived its deadline"
        );
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn bodies_are_streams_of_arguments() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        // Both directions at once: each chunk returns before the next is sent.
        let mut connection = chunked(address, "/api/forward");
        connection.send_chunk(b"chunk 0").unwrap();
        assert_eq!(connection.head().unwrap().status, 200, "{place}");
        for number in 0..20 {
            let chunk = connection.chunk().unwrap();
            assert_eq!(
                String::from_utf8_lossy(&chunk),
                format!("chunk {number}"),
                "{place}"
            );
            let next = format!("chunk {}", number + 1);
            connection.send_chunk(next.as_bytes()).unwrap();
        }
        assert_eq!(connection.chunk().unwrap(), b"chunk 20", "{place}");
        connection.send(b"0\r\n\r\n").unwrap();
        assert_eq!(connection.chunk().unwrap(), b"", "{place}");

        for length in [0, 1, 2_000_000] {
            let counted = post(address, "/api/count", "", &vec![b'x'; length]);
            assert_eq!(counted.text(), length.to_string(), "{place}");
        }
        let first = post(address, "/api/first?count=3", "", b"abcdef");
        assert_eq!(
            (first.status, first.text().as_str()),
            (200, "abc"),
            "{place}"
        );
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_streamed_body_has_its_limits() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        let declared = "POST /api/count HTTP/1.1\nhost: feeds\ncontent-length: 2000001\n\n";
        let answer = Connection::with(address, declared).response().unwrap();
        assert_eq!(answer.status, 413, "{place}");

        let mut undeclared = chunked(address, "/api/count");
        for _ in 0..3 {
            undeclared.send_chunk(&vec![b'x'; 700_000]).unwrap();
        }
        let answer = undeclared.response().unwrap();
        assert_eq!(answer.status, 413, "{place}: {}", answer.text());

        let mut slow = chunked(address, "/hasty/count");
        slow.send_chunk(b"some").unwrap();
        let answer = slow.response().unwrap();
        assert_eq!(answer.status, 408, "{place}: {}", answer.text());

        let mut leaving = chunked(address, "/api/count");
        leaving.send_chunk(b"some").unwrap();
        drop(leaving);
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_stream_without_a_form_in_a_body_is_refused_with_its_line() {
    let lattice = Lattice::start(SPEC, READY);
    let spec = SPEC
        .replace(
            "{func: ticks, as: GET /ticks}",
            "{func: numbers, as: 'GET /numbers/{count}'}",
        )
        .replace(
            "{func: count, as: POST /count}",
            "{func: join, as: POST /join}",
        )
        .replace(
            "{func: add, as: 'GET /add/{a}/{b}'}",
            "{func: mixed, as: GET /mixed}",
        )
        .replace(
            "{func: divide, as: 'GET /divide/{a}/{b}'}",
            "{func: mirror, as: POST /mirror}",
        );
    let manifest = lattice.files.app("wrong", &spec);
    let refused = lattice.front.deploy(&manifest).expect_code(1);
    for expected in [
        "`numbers` returns a `stream<u32>`",
        "`join` takes a `stream<string>`",
        "`mixed` takes a `stream<string>`, and a `GET` request with it is a WebSocket",
        "`mirror` takes a `stream<list<u8>>`",
        "with `GET` it is a WebSocket",
        "func: numbers",
    ] {
        let message = &refused.stderr;
        assert!(message.contains(expected), "{expected} in {message}");
    }
}
