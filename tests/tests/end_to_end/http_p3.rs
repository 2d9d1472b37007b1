//! Handlers of WASI 0.3, whose stores run as long as an answer is read: streams, and the ends that are
//! not happy.

use weft_tests::http::{Connection, Request};
use weft_tests::{Files, PATIENCE, Weft, eventually};

fn serving(files: &Files, settings: &str) -> Weft {
    let spec = format!(
        "components:\n\
         - name: web\n\
         \x20 source: {{file: guest:probe-http-p3}}\n\
         \x20 {settings}\n\
         routes:\n\
         - {{path: /, to: web}}\n"
    );
    Weft::serving(&[files.app("probe", &spec)])
}

/// The head of a request whose body has that many bytes.
fn post(path: &str, bytes: usize) -> String {
    format!("POST {path} HTTP/1.1\nhost: localhost\nconnection: close\ncontent-length: {bytes}\n\n")
}

fn nothing_in_flight(weft: &Weft) {
    eventually("nothing is in flight", PATIENCE, || {
        let rows = weft.get("components");
        let free = rows.iter().all(|row| row["in_flight"] == 0);
        free.then_some(()).ok_or(format!("{rows:?}"))
    });
}

#[test]
fn an_echo_streams_both_ways_at_once() {
    let files = Files::new();
    let weft = serving(&files, "instances: {reuse: {}}");
    // Twice, so that an instance that served one request serves another.
    for _ in 0..2 {
        let head = "POST /echo HTTP/1.1\nhost: localhost\ntransfer-encoding: chunked\n\n";
        let mut connection = Connection::with(weft.http(), head);
        connection.send_chunk(b"chunk 0").unwrap();
        assert_eq!(connection.head().unwrap().status, 200);
        for number in 0..20 {
            let chunk = connection.chunk().unwrap();
            assert_eq!(String::from_utf8_lossy(&chunk), format!("chunk {number}"));
            let next = format!("chunk {}", number + 1);
            connection.send_chunk(next.as_bytes()).unwrap();
        }
        assert_eq!(connection.chunk().unwrap(), b"chunk 20");
        connection.send(b"0\r\n\r\n").unwrap();
        assert_eq!(connection.chunk().unwrap(), b"", "the end of the body");
    }
    nothing_in_flight(&weft);
}

#[test]
fn a_big_body_comes_back_whole() {
    let files = Files::new();
    let weft = serving(&files, "limits: {body: 20MB}");
    let body: Vec<u8> = (0..10_000_000_u32)
        .map(|number| number.to_le_bytes()[(number % 3) as usize])
        .collect();
    let mut connection = Connection::with(weft.http(), &post("/echo", body.len()));
    let mut sender = connection.try_clone().unwrap();
    let echoed = std::thread::scope(|scope| {
        scope.spawn(|| sender.send(&body).unwrap());
        connection.response().unwrap()
    });
    assert!(echoed.body == body, "{} bytes came back", echoed.body.len());
}

#[test]
fn a_guest_that_fails_or_takes_too_long_is_an_answer_of_the_host() {
    let files = Files::new();
    let weft = serving(&files, "limits: {deadline: 300ms}");
    weft.fetch("/trap").expect(500, &["`probe/web`"]);
    weft.fetch("/elsewhere").expect(500, &["`probe/web`"]);
    weft.fetch("/spin").expect(504, &["limits.deadline"]);
    let mut waiting = Connection::with(weft.http(), &post("/upload", 10));
    let answer = waiting.response().unwrap();
    answer.expect(504, &["limits.deadline"]);
    nothing_in_flight(&weft);
    weft.send(Request::with_body("POST", "/upload", b"some"))
        .expect(200, &["read"]);
    let answer = weft.send(Request::with_body("POST", "/echo", b"still here"));
    assert_eq!(answer.text(), "still here");
}

#[test]
fn half_an_answer_does_not_look_whole() {
    let files = Files::new();
    let weft = serving(&files, "limits: {deadline: 300ms}");
    for path in ["/slow", "/broken"] {
        let mut connection = Connection::with(weft.http(), &post(path, 10));
        assert_eq!(connection.head().unwrap().status, 200, "{path}");
        assert_eq!(connection.chunk().unwrap(), b"begun", "{path}");
        if path == "/broken" {
            // The guest panics once it has read the body.
            connection.send(b"0123456789").unwrap();
        }
        let end = connection.chunk();
        assert!(
            end.is_err(),
            "{path}: the end of the body is missing: {end:?}"
        );
    }
    nothing_in_flight(&weft);
}

#[test]
fn a_silent_client_makes_room_when_its_component_is_full() {
    for instances in ["", "instances: {reuse: {concurrent: 8}}\n  "] {
        let files = Files::new();
        let settings = format!("{instances}limits: {{concurrency: 1, deadline: 1h}}");
        let weft = serving(&files, &settings);
        let mut silent = Connection::with(weft.http(), &post("/upload", 10));
        silent.send(b"some").unwrap();
        eventually("the request is in flight", PATIENCE, || {
            let rows = weft.get("components");
            let is_full = rows.iter().any(|row| row["in_flight"] == 1);
            is_full.then_some(()).ok_or(format!("{rows:?}"))
        });
        eventually("there is room", PATIENCE, || {
            let answer = weft.send(Request::get("/count"));
            (answer.status == 200)
                .then_some(())
                .ok_or(answer.status.to_string())
        });
        let answer = silent.response().unwrap();
        answer.expect(408, &["`probe/web`", "limits.concurrency"]);
        nothing_in_flight(&weft);
    }
}

#[test]
fn a_client_that_goes_away_takes_its_request_with_it() {
    let files = Files::new();
    let weft = serving(&files, "limits: {deadline: 1h}");
    let mut connection = Connection::with(weft.http(), &post("/slow", 10));
    assert_eq!(connection.head().unwrap().status, 200);
    assert_eq!(connection.chunk().unwrap(), b"begun");
    drop(connection);
    drop(Connection::with(weft.http(), &post("/upload", 10)));
    nothing_in_flight(&weft);
}
