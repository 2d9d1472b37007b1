//! Requests that reach a host which does not run the component they are for: another one answers, and
//! nobody can tell.

use std::time::Duration;

use weft_tests::http::{Connection, Request};
use weft_tests::{Files, NatsServer, PATIENCE, Weft, eventually, start_nats, start_nats_with};

use crate::lattice::host;

/// The longest drain of a host without requests: far less than its deadline.
const DRAIN_MAX: Duration = Duration::from_secs(15);

/// Hosts of one lattice: requests go to the front, and the component runs elsewhere.
struct Lattice {
    front: Weft,
    backs: Vec<Weft>,
    _nats: NatsServer,
    _files: Files,
}

impl Lattice {
    /// A front and some hosts that each run the component `probe/web`.
    fn start(backs: usize, settings: &str) -> Self {
        Self::start_on(start_nats(), backs, settings)
    }

    fn start_on(nats: NatsServer, backs: usize, settings: &str) -> Self {
        let front = host(&nats, "place=front");
        let hosts: Vec<_> = (0..backs).map(|_| host(&nats, "place=back")).collect();
        let files = Files::new();
        let spec = format!(
            "components:\n\
             - name: web\n\
             \x20 source: {{file: guest:probe-http-p3}}\n\
             \x20 replicas: {backs}\n\
             \x20 placement: {{require: {{place: back}}, one-per-host: true}}\n\
             \x20 {settings}\n\
             routes:\n\
             - {{path: /, to: web}}\n"
        );
        let manifest = files.app("probe", &spec);
        front.wait_for_ready(backs + 1);
        front.deploy(&manifest).expect_code(0);
        let lattice = Self {
            front,
            backs: hosts,
            _nats: nats,
            _files: files,
        };
        for back in &lattice.backs {
            eventually("the component is there", PATIENCE, || {
                let rows = back.own("components");
                (!rows.is_empty())
                    .then_some(())
                    .ok_or("none runs".to_owned())
            });
        }
        eventually("the front reaches it", PATIENCE, || {
            let request = Request::with_body("POST", "/echo", b"there");
            let answer = lattice.front.send(request);
            (answer.status == 200).then_some(()).ok_or(answer.text())
        });
        assert!(lattice.front.own("components").is_empty());
        lattice
    }

    fn nothing_in_flight(&self) {
        eventually("nothing is in flight", PATIENCE, || {
            let rows = self.backs.iter().flat_map(|back| back.own("components"));
            let rows: Vec<_> = rows.collect();
            let free = rows.iter().all(|row| row["in_flight"] == 0);
            free.then_some(()).ok_or(format!("{rows:?}"))
        });
    }
}

/// The head of a request whose body has that many bytes.
fn post(path: &str, bytes: usize) -> String {
    format!("POST {path} HTTP/1.1\nhost: localhost\nconnection: close\ncontent-length: {bytes}\n\n")
}

#[test]
fn an_echo_by_another_host_streams_both_ways_at_once() {
    let lattice = Lattice::start(1, "instances: {reuse: {}}");
    // Twice, so that an instance that served one request serves another.
    for _ in 0..2 {
        let head = "POST /echo HTTP/1.1\nhost: localhost\ntransfer-encoding: chunked\n\n";
        let mut connection = Connection::with(lattice.front.http(), head);
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
    lattice.nothing_in_flight();
}

#[test]
fn a_big_body_goes_to_another_host_and_comes_back_whole() {
    let lattice = Lattice::start(1, "limits: {body: 20MB}");
    let body: Vec<u8> = (0..10_000_000_u32)
        .map(|number| number.to_le_bytes()[(number % 3) as usize])
        .collect();
    let mut connection = Connection::with(lattice.front.http(), &post("/echo", body.len()));
    let mut sender = connection.try_clone().unwrap();
    let echoed = std::thread::scope(|scope| {
        scope.spawn(|| sender.send(&body).unwrap());
        connection.response().unwrap()
    });
    assert!(echoed.body == body, "{} bytes came back", echoed.body.len());
    lattice.nothing_in_flight();
}

#[test]
fn bodies_of_any_size_go_to_another_host_over_a_server_with_small_messages() {
    let nats = start_nats_with("max_payload: 32KB");
    let lattice = Lattice::start_on(nats, 1, "limits: {body: 20MB}");
    for size in [31_000, 33_000, 70_000, 3_000_000] {
        let body: Vec<u8> = (0..size).map(|number: u32| (number % 251) as u8).collect();
        let mut connection = Connection::with(lattice.front.http(), &post("/echo", body.len()));
        let mut sender = connection.try_clone().unwrap();
        let echoed = std::thread::scope(|scope| {
            scope.spawn(|| sender.send(&body).unwrap());
            connection.response().unwrap()
        });
        assert!(
            echoed.body == body,
            "{} of {size} bytes came back",
            echoed.body.len()
        );
    }
    lattice.nothing_in_flight();
}

#[test]
fn what_fails_on_another_host_fails_as_it_does_here() {
    let lattice = Lattice::start(1, "limits: {deadline: 500ms, body: 1KB}");
    let front = &lattice.front;
    front.fetch("/trap").expect(500, &["`probe/web`"]);
    front.fetch("/spin").expect(504, &["`probe/web`"]);
    let large = [0; 2000];
    let refused = front.send(Request::with_body("POST", "/echo", &large));
    refused.expect(413, &["limits.body"]);
    for sent in ["", "some"] {
        let mut upload = Connection::with(front.http(), &post("/upload", 10));
        upload.send(sent.as_bytes()).unwrap();
        upload.response().unwrap().expect(504, &["`probe/web`"]);
    }
    for path in ["/slow", "/broken"] {
        let mut connection = Connection::with(front.http(), &post(path, 10));
        assert_eq!(connection.head().unwrap().status, 200, "{path}");
        assert_eq!(connection.chunk().unwrap(), b"begun", "{path}");
        let end = connection.chunk();
        assert!(
            end.is_err(),
            "{path}: the end of the body is missing: {end:?}"
        );
    }
    lattice.nothing_in_flight();
    let answer = front.send(Request::with_body("POST", "/echo", b"still here"));
    assert_eq!(answer.text(), "still here");
}

#[test]
fn an_answer_of_another_host_without_data_ends_at_once() {
    let lattice = Lattice::start(1, "instances: {reuse: {}}");
    for round in 0..8 {
        let mut connection = Connection::with(lattice.front.http(), &post("/trailers", 0));
        assert_eq!(connection.head().unwrap().status, 200, "{round}");
        assert_eq!(connection.chunk().unwrap(), b"", "the end of the body");
        // The length is promised, and nothing comes.
        let mut connection = Connection::with(lattice.front.http(), &post("/short", 0));
        let answer = connection.rest().unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 "), "{round}: {answer:?}");
    }
    lattice.nothing_in_flight();
    // None of them holds the drain of the host that forwarded them.
    let Lattice {
        front,
        backs: _backs,
        ..
    } = lattice;
    front.process().terminate().unwrap();
    front.ended(DRAIN_MAX).expect_code(0);
}

#[test]
fn a_client_that_goes_away_takes_its_request_with_it_on_every_host() {
    let lattice = Lattice::start(1, "limits: {deadline: 1h}");
    let mut connection = Connection::with(lattice.front.http(), &post("/slow", 10));
    assert_eq!(connection.head().unwrap().status, 200);
    assert_eq!(connection.chunk().unwrap(), b"begun");
    drop(connection);
    drop(Connection::with(lattice.front.http(), &post("/upload", 10)));
    lattice.nothing_in_flight();
}

#[test]
fn requests_go_on_when_one_of_the_hosts_that_answer_is_killed() {
    let mut lattice = Lattice::start(2, "instances: {reuse: {}}");
    lattice.backs[0].kill();
    // From the first one on: who is dead and not yet known to be is passed over.
    for number in 0..200 {
        let answer = lattice.front.fetch("/echo");
        assert_eq!(answer.status, 200, "request {number}: {}", answer.text());
    }
}
