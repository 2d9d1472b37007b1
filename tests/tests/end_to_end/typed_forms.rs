//! Uploads as a part of a form (`multipart/form-data`), at the host that runs the component and
//! through another one.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weft_tests::http::{Connection, Request, Response};
use weft_tests::{PATIENCE, Weft, eventually};

use crate::feeds::{Lattice, READY};

const SPEC: &str = "\
components:
- {name: feed, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {body: 2MB, deadline: 5m}}
- {name: hasty, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {deadline: 1s}}
- {name: large, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {body: 3GB, deadline: 5m, cpu: 5m}}
routes:
- path: /api
  to: feed
  interface: fixture:feed/feed
  operations:
  - {func: add, as: 'GET /add/{a}/{b}'}
  - {func: upload, as: POST /upload}
  - {func: upload, as: 'POST /named/{name}'}
  - {func: count, as: POST /count}
  - {func: count, as: POST /raw, body: data}
  - {func: store, as: POST /store}
- path: /hasty
  to: hasty
  interface: fixture:feed/feed
  operations:
  - {func: upload, as: POST /upload}
- path: /large
  to: large
  interface: fixture:feed/feed
  operations:
  - {func: upload, as: POST /upload}
";

const FORM: &str = "content-type: multipart/form-data; boundary=\"b:1\"\n";

/// The last boundary.
const END: &str = "--b:1--\r\n";

fn part(headers: &str, content: &str) -> String {
    format!("--b:1\r\ncontent-disposition: form-data; {headers}\r\n\r\n{content}\r\n")
}

fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Response {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\nhost: feeds\n{headers}content-length: {length}\n\n");
    let mut connection = Connection::with(address, &head);
    connection.send(body).unwrap();
    connection.response().unwrap()
}

fn post_form(address: SocketAddr, path: &str, parts: &[String]) -> Response {
    post(address, path, FORM, parts.concat().as_bytes())
}

/// A `POST` of a form that is sent in chunks.
fn chunked(address: SocketAddr, path: &str, parts: &[String]) -> Connection {
    let head = format!("POST {path} HTTP/1.1\nhost: feeds\n{FORM}transfer-encoding: chunked\n\n");
    let mut connection = Connection::with(address, &head);
    connection.send_chunk(parts.concat().as_bytes()).unwrap();
    connection
}

fn requests(weft: &Weft) -> u64 {
    let rows = weft.own("components");
    rows.iter().filter_map(|row| row["requests"].as_u64()).sum()
}

/// The most memory that a host has had, in bytes.
fn memory_peak(weft: &Weft) -> u64 {
    let path = format!("/proc/{}/status", weft.process().id());
    let status = fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn a_form_is_the_parameters_of_its_function() {
    let lattice = Lattice::start(SPEC, READY);
    let note = "name=note\r\ncontent-type: application/json";
    let file = "name=data; filename=\"a.bin\"\r\ncontent-type: application/octet-stream";
    let content = "\r\n--b:\r\n".repeat(100_000);
    let sum: u64 = content.bytes().map(u64::from).sum();
    for (place, address) in lattice.places() {
        let parts = [
            part("name=\"tags\"", "one"),
            part(note, r#"{"title": "t", "stars": 5}"#),
            part("name=name", "caf\u{e9}"),
            part("name=tags", "two"),
            part(file, &content),
            END.to_owned(),
        ];
        let expected = json!({
            "name": "caf\u{e9}",
            "tags": ["one", "two"],
            "note": {"title": "t", "stars": 5},
            "bytes": content.len(),
            "sum": sum,
        });
        let uploaded = post_form(address, "/api/upload", &parts);
        assert_eq!(
            (uploaded.status, uploaded.json()),
            (200, expected),
            "{place}"
        );

        let parts = [part(file, "abc"), END.to_owned()];
        let named = post_form(address, "/api/named/it", &parts).json();
        assert_eq!(
            (&named["name"], &named["bytes"]),
            (&json!("it"), &json!(3)),
            "{place}"
        );
        let counted = post_form(address, "/api/count", &parts);
        assert_eq!(counted.text(), "3", "{place}");
        // A parameter that is the whole body by name is all of its bytes.
        let raw = post_form(address, "/api/raw", &parts);
        assert_eq!(raw.text(), parts.concat().len().to_string(), "{place}");
        let plain = post(address, "/api/count", "content-type: text/plain\n", b"abcd");
        assert_eq!(plain.text(), "4", "{place}");

        let parts = [
            part(file, "abc"),
            part("name=name", "n"),
            part("name=icon; filename=i", "icon"),
            END.to_owned(),
        ];
        let stored = post_form(address, "/api/store", &parts).json();
        assert_eq!(
            (&stored["tags"], &stored["bytes"]),
            (&json!(["4"]), &json!(3)),
            "{place}"
        );
        let json = br#"{"name": "n", "data": "YWJj"}"#;
        let stored = post(
            address,
            "/api/store",
            "content-type: application/json\n",
            json,
        );
        assert_eq!(stored.json()["bytes"], 3, "{place}: {}", stored.text());
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_wrong_form_is_answered_in_full_and_reaches_no_component() {
    let lattice = Lattice::start(SPEC, READY);
    let before = requests(&lattice.back);
    let name = || part("name=name", "n");
    let end = || END.to_owned();
    let long = format!("x: {}\r\n", "x".repeat(9 << 10));
    let many = vec![part("name=tags", ""); 1100];
    for (place, address) in lattice.places() {
        for (parts, pointers) in [
            (vec![part("name=data", "abc"), end()], &["/name"][..]),
            (vec![name(), end()], &["/data"]),
            (vec![name(), name(), part("name=data", "")], &["/name"]),
            (
                vec![
                    part("name=more", ""),
                    part("name=note", "{}"),
                    part("name=data", ""),
                ],
                &["/more", "/name", "/note"],
            ),
            (
                vec![
                    part(
                        "name=note\r\ncontent-type: application/json",
                        "{\"stars\": -1}",
                    ),
                    end(),
                ],
                &["/name", "/note/stars", "/note/title", "/data"],
            ),
            (vec![part("filename=a", ""), end()], &[""]),
            (vec![format!("--b:1\r\n{long}\r\n"), end()], &[""]),
            (many.clone(), &[""]),
            (vec![name()], &[""]),
            (vec!["text".to_owned()], &[""]),
            (vec![], &[""]),
        ] {
            let answer = post_form(address, "/api/upload", &parts);
            let problem = answer.json();
            assert_eq!(answer.status, 400, "{place}: {problem}");
            let errors = problem["errors"].as_array().unwrap().iter();
            let found: Vec<_> = errors
                .map(|error| error["pointer"].as_str().unwrap())
                .collect();
            assert_eq!(found, pointers, "{place}: {problem}");
        }
        for (headers, status) in [
            ("content-type: multipart/form-data\n", 400),
            ("content-type: multipart/form-data; boundary=\n", 400),
            ("content-type: multipart/mixed; boundary=b\n", 415),
            ("content-type: application/json\n", 415),
            ("", 415),
            (&format!("{FORM}origin: http://evil.example\n"), 403),
            (&format!("{FORM}origin: null\n"), 403),
        ] {
            let answer = post(address, "/api/upload", headers, b"{}");
            assert_eq!(
                answer.status,
                status,
                "{place}, {headers}: {}",
                answer.text()
            );
        }
    }
    // So are raw bodies of a type that any page can send.
    for (place, address) in lattice.places() {
        for (headers, status) in [
            ("origin: http://evil.example\n", 403),
            (
                "content-type: text/plain\norigin: http://evil.example\n",
                403,
            ),
        ] {
            let answer = post(address, "/api/raw", headers, b"abc");
            assert_eq!(answer.status, status, "{place}, {headers}");
        }
    }
    assert_eq!(requests(&lattice.back), before, "a component was called");
    for (place, address) in lattice.places() {
        let headers = format!("{FORM}origin: http://localhost:3000\n");
        let form = part("name=data", "a") + END;
        let answer = post(address, "/api/count", &headers, form.as_bytes());
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "1"),
            "{place}"
        );
    }
}

#[test]
fn a_stream_is_complete_with_its_form() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        let start = part("name=name", "n") + &part("name=data", "abc");
        for (rest, pointer) in [
            (String::new(), ""),
            ("--b:1".to_owned(), ""),
            ("--b:12--\r\n".to_owned(), ""),
            (part("name=tags", "late") + END, "/tags"),
            (part("name=data", "again") + END, "/data"),
        ] {
            let answer = post_form(address, "/api/upload", &[start.clone(), rest.clone()]);
            let problem = answer.json();
            assert_eq!(answer.status, 400, "{place}, {rest:?}: {problem}");
            assert_eq!(
                problem["errors"][0]["pointer"], pointer,
                "{place}, {rest:?}"
            );
        }
        // What follows the last boundary is ignored.
        let epilogue = [start.clone(), END.to_owned(), "epilogue".to_owned()];
        assert_eq!(
            post_form(address, "/api/upload", &epilogue).json()["bytes"],
            3,
            "{place}"
        );

        let mut leaving = chunked(address, "/api/upload", std::slice::from_ref(&start));
        leaving.send_chunk(b"some").unwrap();
        drop(leaving);
        let cut = format!("POST /api/upload HTTP/1.1\nhost: feeds\n{FORM}content-length: 999\n\n");
        let mut cut = Connection::with(address, &cut);
        cut.send(start.as_bytes()).unwrap();
        cut.finish_sending().unwrap();
        assert_eq!(cut.response().unwrap().status, 400, "{place}");
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_form_has_its_limits() {
    let lattice = Lattice::start(SPEC, READY);
    let start = |content: &str| part("name=name", "n") + part("name=data", content).trim_end();
    for (place, address) in lattice.places() {
        let head =
            format!("POST /api/upload HTTP/1.1\nhost: feeds\n{FORM}content-length: 2147483648\n\n");
        let declared = Connection::with(address, &head).response().unwrap();
        assert_eq!(declared.status, 413, "{place}");

        let mut undeclared = chunked(address, "/api/upload", &[start("a")]);
        for _ in 0..3 {
            undeclared.send_chunk(&vec![b'x'; 700_000]).unwrap();
        }
        let answer = undeclared.response().unwrap();
        assert_eq!(answer.status, 413, "{place}: {}", answer.text());
        let mut text = chunked(
            address,
            "/api/upload",
            &[part("name=name", "a").trim_end().to_owned()],
        );
        for _ in 0..3 {
            text.send_chunk(&vec![b'x'; 700_000]).unwrap();
        }
        assert_eq!(text.response().unwrap().status, 413, "{place}");

        for parts in [
            start("some"),
            part("name=name", "so").trim_end().to_owned(),
            String::from("--b"),
        ] {
            let answer = chunked(address, "/hasty/upload", std::slice::from_ref(&parts))
                .response()
                .unwrap();
            assert_eq!(answer.status, 408, "{place}, {parts}: {}", answer.text());
        }
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_large_part_takes_no_more_memory_than_a_small_one() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 256;
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        let send = |pieces: usize| -> Value {
            let start = part("name=name", "n") + part("name=data", "").trim_end() + "\r\n\r\n";
            let mut upload = chunked(address, "/large/upload", &[start]);
            let piece = vec![b'\r'; PIECE];
            for _ in 0..pieces {
                upload.send_chunk(&piece).unwrap();
            }
            upload.send_chunk(format!("\r\n{END}").as_bytes()).unwrap();
            upload.send(b"0\r\n\r\n").unwrap();
            upload.response().unwrap().json()
        };
        send(16);
        let before = [&lattice.front, &lattice.back].map(memory_peak);
        let start = Instant::now();
        let uploaded = send(PIECES);
        assert_eq!(uploaded["bytes"], PIECES * PIECE, "{place}");
        assert_eq!(uploaded["sum"], PIECES * PIECE * 13, "{place}");
        assert!(
            start.elapsed() < Duration::from_secs(240),
            "{place}: {:?}",
            start.elapsed()
        );
        let after = [&lattice.front, &lattice.back].map(memory_peak);
        for (before, after) in before.into_iter().zip(after) {
            let more = after.saturating_sub(before);
            assert!(more < 64 << 20, "{place}: {more} more bytes");
        }
    }
}

#[test]
fn the_document_has_the_form() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        let document = eventually("the document is served", PATIENCE, || {
            let answer = Request::get("/api/openapi.json").send(address);
            (answer.status == 200)
                .then(|| answer.json())
                .ok_or(answer.text())
        });
        let body = |path: &str| &document["paths"][path]["post"]["requestBody"];
        let content = &body("/upload")["content"];
        assert_eq!(content.as_object().unwrap().len(), 1, "{place}");
        let form = &content["multipart/form-data"];
        assert_eq!(
            form["schema"]["required"],
            json!(["name", "data"]),
            "{place}"
        );
        assert_eq!(
            form["encoding"]["note"]["contentType"], "application/json",
            "{place}"
        );
        let types = |path: &str| -> Vec<String> {
            body(path)["content"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect()
        };
        assert_eq!(
            types("/count"),
            ["application/octet-stream", "multipart/form-data"]
        );
        assert_eq!(types("/raw"), ["application/octet-stream"], "{place}");
        let stored = [
            "application/cbor",
            "application/json",
            "multipart/form-data",
        ];
        assert_eq!(types("/store"), stored, "{place}");
    }
}
