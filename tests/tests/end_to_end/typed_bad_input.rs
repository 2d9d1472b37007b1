//! Hostile requests to routes that serve an interface, at the host that runs the component and through
//! another one: two requests in one, paths that leave their place, values with line ends.

use std::net::SocketAddr;

use weft_tests::http::{Connection, Request};

use crate::feeds::{Lattice, READY};

const SPEC: &str = "\
components:
- {name: feed, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {body: 2MB}}
- {name: hasty, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {deadline: 1s}}
routes:
- path: /api
  to: feed
  interface: fixture:feed/feed
  operations:
  - {func: add, as: 'GET /add/{a}/{b}'}
  - {func: plain, as: 'GET /files/{*value}'}
  - {func: plain, as: 'GET /one/{value}'}
  - {func: plain, as: GET /header, headers: {X-Value: value}}
  - {func: plain, as: POST /plain, ok: 201, location: '/one/{value}'}
  - {func: count, as: POST /count}
  - {func: texts, as: POST /texts}
  errors: {}
- path: /hasty
  to: hasty
  interface: fixture:feed/feed
  operations:
  - {func: plain, as: POST /plain}
  - {func: count, as: POST /count}
";

const JSON: &str = "content-type: application/json\n";

/// A request that no client of a typed route may have made by the bytes of another.
const SECOND: &str = "GET /api/add/20/22 HTTP/1.1\r\nhost: feeds\r\n\r\n";

/// Sends bytes at once, and returns the statuses of all responses until the host closes the
/// connection. Bytes that arrive after the end of a connection would take its last response with
/// them.
fn statuses(address: SocketAddr, head: &str, body: &str) -> Vec<u16> {
    let mut connection = Connection::open(address).expect("an open connection");
    let text = head.replace('\n', "\r\n") + body;
    let sent = connection.send(text.as_bytes());
    sent.expect("a server that reads");
    // The host may have closed the connection by now.
    let _ = connection.finish_sending();
    let mut statuses = Vec::new();
    while let Ok(response) = connection.response() {
        statuses.push(response.status);
    }
    statuses
}

#[test]
fn two_requests_are_never_one() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        for (path, status) in [("/api/plain", 400), ("/api/count", 200)] {
            let head =
                |headers: &str| format!("POST {path} HTTP/1.1\nhost: feeds\n{JSON}{headers}\n");
            for (name, headers, body, expected) in [
                // The chunks decide, for the host and for the component.
                (
                    "both lengths",
                    "content-length: 4\ntransfer-encoding: chunked\n",
                    "0\r\n\r\n".to_owned(),
                    &[status][..],
                ),
                (
                    "both lengths, the other way round",
                    "transfer-encoding: chunked\ncontent-length: 100\n",
                    "0\r\n\r\n".to_owned(),
                    &[status],
                ),
                (
                    "two lengths",
                    "content-length: 0\ncontent-length: 46\n",
                    SECOND.to_owned(),
                    &[400],
                ),
                (
                    "a list of lengths",
                    "content-length: 0, 46\n",
                    SECOND.to_owned(),
                    &[400],
                ),
                ("a sign", "content-length: +0\n", SECOND.to_owned(), &[400]),
                (
                    "a hexadecimal length",
                    "content-length: 0x0\n",
                    SECOND.to_owned(),
                    &[400],
                ),
                (
                    "another coding",
                    "transfer-encoding: identity\n",
                    SECOND.to_owned(),
                    &[400],
                ),
                (
                    "a coding in disguise",
                    "transfer-encoding: xchunked\n",
                    SECOND.to_owned(),
                    &[400],
                ),
                (
                    "chunks that are not last",
                    "transfer-encoding: chunked, identity\n",
                    SECOND.to_owned(),
                    &[400],
                ),
                (
                    "a name with a space",
                    "content-length : 46\n",
                    SECOND.to_owned(),
                    &[400],
                ),
                (
                    "a folded header",
                    "x: y\n content-length: 46\n",
                    SECOND.to_owned(),
                    &[400],
                ),
            ] {
                let found = statuses(address, &head(headers), &body);
                assert_eq!(found, expected, "{place}, {path}, {name}");
            }
            for (name, chunks) in [
                ("no size", "zz\r\n"),
                ("a huge size", "ffffffffffffffffff\r\n"),
                ("a sign", "+1\r\nx\r\n0\r\n\r\n"),
                ("a chunk longer than its size", "1\r\nxyz\r\n0\r\n\r\n"),
                ("no end", "5\r\nxx"),
            ] {
                let body = format!("{chunks}{SECOND}");
                let body = if name == "no end" { chunks } else { &body };
                let found = statuses(address, &head("transfer-encoding: chunked\n"), body);
                assert_eq!(found, [400], "{place}, {path}, {name}");
            }
        }
        // The body of one request, and the next one.
        let body = format!("5\r\nGET /\r\n0\r\n\r\n{SECOND}");
        let head = "POST /api/count HTTP/1.1\nhost: feeds\ntransfer-encoding: chunked\n\n";
        assert_eq!(statuses(address, head, &body), [200, 200], "{place}");
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_path_does_not_leave_its_place() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        for (path, found) in [
            ("a/b.txt", Ok("a/b.txt")),
            ("...", Ok("...")),
            ("..a/b..", Ok("..a/b..")),
            ("a%20b/%C3%A9", Ok("a b/\u{e9}")),
            // Decoded once.
            ("%252e%252e/a", Ok("%2e%2e/a")),
            ("a%252fb", Ok("a%2fb")),
            ("..", Err(400)),
            ("../add/1/2", Err(400)),
            ("a/../../add/1/2", Err(400)),
            ("a/./b", Err(400)),
            ("%2e%2e/a", Err(400)),
            (".%2e", Err(400)),
            ("a/%2E", Err(400)),
            ("a%2fb", Err(400)),
            ("a%2Fb/c", Err(400)),
            ("..%2fa", Err(400)),
            ("a%2f..%2fb", Err(400)),
            ("a%5Cb", Err(400)),
            ("a%5c..%5cb", Err(400)),
            ("a%00", Err(400)),
            ("a%0d%0ab", Err(400)),
            ("a%7f", Err(400)),
            ("a%", Err(400)),
            ("a%4", Err(400)),
            ("a%zz", Err(400)),
            ("%ff", Err(400)),
            ("%c0%ae%c0%ae/a", Err(400)),
            ("a//b", Err(404)),
            ("a/", Err(404)),
            ("", Err(404)),
        ] {
            let answer = Request::get(&format!("/api/files/{path}")).send(address);
            let text = answer.text();
            match found {
                Ok(value) => {
                    assert_eq!(answer.status, 200, "{place}, {path}: {text}");
                    assert_eq!(answer.json(), value, "{place}, {path}");
                }
                Err(status) => assert_eq!(answer.status, status, "{place}, {path}: {text}"),
            }
        }
    }
}

#[test]
fn a_value_is_never_a_header() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        for (value, location) in [
            ("a\r\nx-evil: 1", "a%0D%0Ax-evil%3A%201"),
            ("a\n\n<html>", "a%0A%0A%3Chtml%3E"),
            ("../../b", "..%2F..%2Fb"),
            ("//evil.example/", "%2F%2Fevil.example%2F"),
            ("caf\u{e9}\0", "caf%C3%A9%00"),
        ] {
            let body = serde_json::json!({ "value": value }).to_string();
            let head = format!(
                "POST /api/plain HTTP/1.1\nhost: feeds\n{JSON}content-length: {}\n\n",
                body.len()
            );
            let mut connection = Connection::with(address, &head);
            connection.send(body.as_bytes()).unwrap();
            let answer = connection.response().unwrap();
            assert_eq!(
                (answer.status, answer.json()),
                (201, value.into()),
                "{place}"
            );
            let expected = format!("/api/one/{location}");
            assert_eq!(answer.header("location"), Some(&*expected), "{place}");
            assert_eq!(answer.header("x-evil"), None, "{place}");
        }
        for (value, expected) in [
            ("plain", Some("plain")),
            ("a, b; c=\"d\"", Some("a, b; c=\"d\"")),
            ("\u{e9}", Some("\u{e9}")),
            ("a\0b", None),
            ("a\rb", None),
        ] {
            let head = format!("GET /api/header HTTP/1.1\nhost: feeds\nx-value: {value}\n\n");
            let answer = { Connection::with(address, &head) }.response().unwrap();
            match expected {
                Some(text) => assert_eq!(answer.json(), text, "{place}"),
                None => assert_eq!(answer.status, 400, "{place}: {}", answer.text()),
            }
        }
        let head = "GET /api/header HTTP/1.1\nhost: feeds\nx-value: a\nx-value: b\n\n";
        let answer = { Connection::with(address, head) }.response().unwrap();
        assert_eq!(answer.status, 400, "{place}: {}", answer.text());
        assert_eq!(answer.json()["errors"][0]["in"], "header", "{place}");
    }
}

#[test]
fn a_body_that_stops_arriving_ends_at_the_deadline_and_leaves_nothing() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        let slow = |path: &str, framing: &str, start: &str| {
            let head = format!("POST {path} HTTP/1.1\nhost: feeds\n{JSON}{framing}\n\n");
            let mut connection = Connection::with(address, &head);
            connection.send(start.as_bytes()).unwrap();
            connection
        };
        let mut connections: Vec<_> = ["/hasty/plain", "/hasty/count"]
            .into_iter()
            .flat_map(|path| {
                [
                    slow(path, "content-length: 100", ""),
                    slow(path, "content-length: 100", "{\"value\":"),
                    slow(path, "transfer-encoding: chunked", ""),
                    slow(path, "transfer-encoding: chunked", "5\r\n{\"val"),
                    slow(path, "transfer-encoding: chunked", "9\r\n{\"value\":\r\n"),
                ]
            })
            .collect();
        for (number, connection) in connections.iter_mut().enumerate() {
            let answer = connection.response().unwrap();
            assert_eq!(answer.status, 408, "{place}, {number}: {}", answer.text());
        }
        lattice.nothing_in_flight(place);
    }
}
