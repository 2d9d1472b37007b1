//! Instances of WASI 0.3 handlers that serve several requests at once: what they share, and what ends
//! with what.

use std::num::NonZeroUsize;

use weft_tests::http::{Connection, Request};
use weft_tests::{Files, Options, PATIENCE, Weft, eventually};

/// More requests than the host has cores, each of which may have an instance of its own.
fn many() -> usize {
    4 * std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn spec(guest: &str, settings: &str) -> String {
    format!(
        "components:\n\
         - name: web\n\
         \x20 source: {{file: guest:{guest}}}\n\
         \x20 instances: {{reuse: {{concurrent: 64}}}}\n\
         \x20 {settings}\n\
         routes:\n\
         - {{path: /, to: web}}\n"
    )
}

fn serving(files: &Files, settings: &str) -> Weft {
    Weft::serving(&[files.app("shared", &spec("probe-http-p3", settings))])
}

/// Requests whose guests wait for the rest of their bodies.
fn waiting(weft: &Weft, count: usize) -> Vec<Connection> {
    let head = "POST /upload HTTP/1.1\nhost: localhost\nconnection: close\ncontent-length: 2\n\n";
    let start = |_| {
        let mut connection = Connection::with(weft.http(), head);
        connection.send(b"a").unwrap();
        connection
    };
    let connections = (0..count).map(start).collect();
    in_flight(weft, count);
    connections
}

fn in_flight(weft: &Weft, count: usize) {
    eventually("the requests are in flight", PATIENCE, || {
        let rows = weft.get("components");
        let found = rows[0]["in_flight"].as_u64();
        let is_so = found == u64::try_from(count).ok();
        is_so.then_some(()).ok_or_else(|| format!("{found:?}"))
    });
}

#[test]
fn requests_that_wait_share_instances_and_all_are_answered() {
    let files = Files::new();
    let weft = serving(&files, "");
    let connections = waiting(&weft, many());
    let served: usize = weft.fetch("/count").text().trim().parse().unwrap();
    assert!(served > 2, "the instance has served {served} requests");
    for mut connection in connections {
        connection.send(b"b").unwrap();
        connection.response().unwrap().expect(200, &["read"]);
    }
    in_flight(&weft, 0);
    // The instances go on, one request after another.
    let again: usize = weft.fetch("/count").text().trim().parse().unwrap();
    assert!(again > 2, "the instance has served {again} requests");
}

#[test]
fn a_trap_ends_the_requests_of_its_instance_and_no_others() {
    let files = Files::new();
    let weft = serving(&files, "");
    let connections = waiting(&weft, many());
    weft.fetch("/trap").expect(500, &["`shared/web`"]);
    let mut statuses = Vec::new();
    for mut connection in connections {
        // The connection of a request that has failed may be closed already.
        let _ = connection.send(b"b");
        statuses.push(connection.response().unwrap().status);
    }
    let failed = statuses.iter().filter(|status| **status == 500).count();
    assert!((1..=many()).contains(&failed), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [200, 500].contains(status)),
        "{statuses:?}"
    );
    in_flight(&weft, 0);
    weft.fetch("/count").expect(200, &[]);
}

#[test]
fn a_request_that_takes_too_long_ends_alone_and_its_instance_takes_no_further_ones() {
    let files = Files::new();
    let weft = serving(&files, "limits: {deadline: 1s}");
    let mut late = waiting(&weft, many());
    for connection in &mut late {
        let response = connection.response().unwrap();
        response.expect(504, &["limits.deadline"]);
    }
    in_flight(&weft, 0);
    weft.fetch("/count").expect(200, &["1"]);
    weft.fetch("/spin").expect(504, &["limits.deadline"]);
    weft.send(Request::with_body("POST", "/upload", b"some"))
        .expect(200, &["read"]);
}

#[test]
fn a_response_that_streams_ends_at_the_deadline_too() {
    let files = Files::new();
    let weft = serving(&files, "limits: {deadline: 1s}");
    let head = "POST /slow HTTP/1.1\nhost: localhost\ncontent-length: 2\n\n";
    let mut connection = Connection::with(weft.http(), head);
    assert_eq!(connection.head().unwrap().status, 200);
    assert_eq!(connection.chunk().unwrap(), b"begun");
    connection.chunk().expect_err("the body is incomplete");
    in_flight(&weft, 0);
}

#[test]
fn only_components_whose_calls_can_overlap_may_share_instances() {
    let files = Files::new();
    let manifest = files.app("old", &spec("hello-http", ""));
    let refused = Weft::start_refused(&Options {
        files: &[manifest],
        ..Options::default()
    });
    refused.expect_stderr(&["wasi:http/handler@0.3", "concurrent: 64"]);
}
