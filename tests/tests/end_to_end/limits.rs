//! What a component may use: time, memory, processor, requests at once, bytes of a body. Whoever goes
//! too far is told so, and nobody else notices.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use weft_tests::http::{Connection, Request};
use weft_tests::{Files, PATIENCE, Probe, Weft, eventually, probes, start_nats};

use crate::lattice::host;

/// A host with one app of these components, each at a path that is its name: `/NAME`.
fn serving(files: &Files, components: &[(&str, &str)]) -> Weft {
    Weft::serving(&[manifest(files, components)])
}

/// The manifest of one app of these components, each with its name as the host name of its route.
fn manifest(files: &Files, components: &[(&str, &str)]) -> PathBuf {
    let hosts: Vec<_> = components
        .iter()
        .map(|(name, settings)| Probe {
            name,
            settings,
            path: "/",
        })
        .collect();
    let spec = probes(&hosts);
    let (before, _) = spec.split_once("routes:").unwrap();
    let routes: String = components
        .iter()
        .map(|(name, _)| format!("- {{host: {name}, path: /, to: {name}}}\n"))
        .collect();
    files.app("probe", &format!("{before}routes:\n{routes}"))
}

fn row(weft: &Weft, component: &str) -> Value {
    let rows = weft.get("components");
    let row = rows.iter().find(|row| row["component"] == component);
    row.unwrap().clone()
}

fn nothing_in_flight(weft: &Weft, component: &str) {
    eventually("nothing is in flight", PATIENCE, || {
        let row = row(weft, component);
        (row["in_flight"] == 0).then_some(()).ok_or(row.to_string())
    });
}

#[test]
fn a_guest_that_takes_too_long_is_cut_off_at_its_deadline() {
    let files = Files::new();
    let weft = serving(&files, &[("web", "limits: {deadline: 300ms}")]);
    let get = |path| Request::get(path).host("web");
    for path in ["/sleep?ms=60000", "/spin"] {
        let started = Instant::now();
        let answer = weft.send(get(path));
        answer.expect(504, &["`probe/web`", "300 ms", "limits.deadline"]);
        assert!(started.elapsed() >= Duration::from_millis(300), "{path}");
    }
    // While guests loop for ever, others are served: they give way.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| weft.send(get("/spin")).expect(504, &[]));
        }
        for _ in 0..10 {
            weft.send(get("/count")).expect(200, &[]);
        }
    });
    // A request whose body never ends ends all the same.
    let text = "POST /kv/a HTTP/1.1\nhost: web\ncontent-length: 100\n\nsome";
    let mut connection = Connection::with(weft.http(), &text.replace("POST", "PUT"));
    connection
        .response()
        .unwrap()
        .expect(504, &["limits.deadline"]);

    weft.send(get("/sleep?ms=10")).expect(200, &["slept"]);
    nothing_in_flight(&weft, "web");
    assert_eq!(row(&weft, "web")["deadline_ms"], 300);
}

#[test]
fn a_full_component_says_when_to_try_again() {
    let files = Files::new();
    let weft = serving(
        &files,
        &[("web", "limits: {concurrency: 1}"), ("other", "")],
    );
    let sleep = "GET /sleep?ms=3600000 HTTP/1.1\nhost: web\n\n";
    let first = Connection::with(weft.http(), sleep);
    eventually("the first request is in flight", PATIENCE, || {
        let row = row(&weft, "web");
        (row["in_flight"] == 1).then_some(()).ok_or(row.to_string())
    });
    let refused = weft.send(Request::get("/count").host("web"));
    refused.expect(503, &["`probe/web`", "1 requests", "limits.concurrency"]);
    assert_eq!(refused.header("retry-after"), Some("1"));
    weft.send(Request::get("/count").host("other"))
        .expect(200, &[]);
    // The client goes away: the room it took is free again.
    drop(first);
    nothing_in_flight(&weft, "web");
    weft.send(Request::get("/count").host("web"))
        .expect(200, &[]);
}

#[test]
fn silent_clients_make_room_when_their_component_is_full() {
    let files = Files::new();
    let spec = [("web", "limits: {concurrency: 2, deadline: 1h}")];
    let weft = serving(&files, &spec);
    silent_clients_make_room(&weft, &weft);
}

#[test]
fn silent_clients_of_another_host_make_room_when_their_component_is_full() {
    let nats = start_nats();
    let (front, back) = (host(&nats, "place=front"), host(&nats, "place=back"));
    let files = Files::new();
    let settings = "limits: {concurrency: 2, deadline: 1h}, placement: {require: {place: back}}";
    let manifest = manifest(&files, &[("web", settings)]);
    front.wait_for_ready(2);
    front.deploy(&manifest).expect_code(0);
    eventually("the front reaches it", PATIENCE, || {
        let answer = front.send(Request::get("/count").host("web"));
        (answer.status == 200).then_some(()).ok_or(answer.text())
    });
    assert!(front.own("components").is_empty());
    silent_clients_make_room(&front, &back);
}

/// Fills the component `web` of `back`, which takes two requests at once, with silent clients of
/// `front`, and then with requests that wait for something else.
fn silent_clients_make_room(front: &Weft, back: &Weft) {
    // One sends nothing of its body, the other reads nothing of its response.
    let upload = "PUT /kv/a HTTP/1.1\nhost: web\ncontent-length: 100\n\n";
    let download = "GET /big?bytes=1000000000 HTTP/1.1\nhost: web\n\n";
    let mut upload = Connection::with(front.http(), upload);
    let download = Connection::with(front.http(), download);
    let full = || {
        eventually("two are in flight", PATIENCE, || {
            let rows = back.own("components");
            let row = &rows[0];
            (row["in_flight"] == 2).then_some(()).ok_or(row.to_string())
        });
    };
    full();
    // A client is silent for some seconds before it counts as such.
    let mut sleeping = Vec::new();
    for _ in 0..2 {
        eventually("there is room", PATIENCE, || {
            let answer = front.send(Request::get("/count").host("web"));
            (answer.status == 200)
                .then_some(())
                .ok_or(answer.status.to_string())
        });
        // This one computes, or waits for something else, so it stays.
        let sleep = "GET /sleep?ms=3600000 HTTP/1.1\nhost: web\n\n";
        sleeping.push(Connection::with(front.http(), sleep));
        full();
    }
    let answer = upload.response().unwrap();
    answer.expect(408, &["`probe/web`", "limits.concurrency"]);
    eventually("the component is full", PATIENCE, || {
        let refused = front.send(Request::get("/count").host("web"));
        (refused.status == 503)
            .then_some(())
            .ok_or(refused.status.to_string())
    });
    drop((download, sleeping));
}

#[test]
fn a_client_that_goes_away_takes_its_request_with_it() {
    let files = Files::new();
    let weft = serving(&files, &[("web", "")]);
    let requests = [
        // Before the answer, during it, and in the middle of the request's own body.
        "GET /sleep?ms=3600000 HTTP/1.1\nhost: web\n\n",
        "GET /big?bytes=1000000000 HTTP/1.1\nhost: web\n\n",
        "PUT /kv/a HTTP/1.1\nhost: web\ncontent-length: 1000\n\nthe beginning",
        "POST /echo HTTP/1.1\nhost: web\ntransfer-encoding: chunked\n\n4\nsome\n",
    ];
    let connections: Vec<_> = requests
        .iter()
        .map(|text| Connection::with(weft.http(), text))
        .collect();
    eventually("all requests are in flight", PATIENCE, || {
        let row = row(&weft, "web");
        (row["in_flight"] == requests.len())
            .then_some(())
            .ok_or(row.to_string())
    });
    drop(connections);
    nothing_in_flight(&weft, "web");
    weft.send(Request::get("/kv/a").host("web"))
        .expect(404, &[]);
}

#[test]
fn a_client_that_goes_away_during_the_answer_takes_its_request_with_it() {
    let files = Files::new();
    let weft = serving(&files, &[("web", "limits: {deadline: 1h}")]);
    let slow = "GET /slow-body HTTP/1.1\nhost: web\n\n";
    let mut connection = Connection::with(weft.http(), slow);
    assert_eq!(connection.head().unwrap().status, 200);
    assert_eq!(row(&weft, "web")["in_flight"], 1);
    drop(connection);
    nothing_in_flight(&weft, "web");
}

#[test]
fn an_answer_that_is_cut_off_does_not_look_complete() {
    let files = Files::new();
    let weft = serving(&files, &[("web", "limits: {deadline: 300ms}")]);
    let slow = "GET /slow-body HTTP/1.1\nhost: web\n\n";
    let mut connection = Connection::with(weft.http(), slow);
    assert_eq!(connection.head().unwrap().status, 200);
    assert_eq!(connection.chunk().unwrap(), b"the first of two chunks\n");
    let end = connection.chunk();
    assert!(end.is_err(), "the end of the body is missing: {end:?}");
}

#[test]
fn a_guest_that_fails_gets_an_id_that_the_log_explains() {
    let files = Files::new();
    let weft = serving(
        &files,
        &[
            ("web", ""),
            ("small", "limits: {memory: 16MiB}"),
            ("brief", "limits: {cpu: 100ms}"),
        ],
    );
    let cases = [
        ("web", "/trap", "trapped"),
        ("web", "/silent", "without setting a response"),
        ("small", "/alloc", "16777216 (`limits.memory`)"),
        ("web", "/alloc", "(`limits.memory`)"),
        ("brief", "/spin", "`limits.cpu`"),
    ];
    for (component, path, reason) in cases {
        let answer = weft.send(Request::get(path).host(component));
        let id = answer.header("weft-error-id").unwrap().to_owned();
        answer.expect(500, &[&id, component]);
        assert!(
            !answer.text().contains(reason),
            "details are not for the outside"
        );
        let logged = weft
            .run(&["logs", &format!("probe/{component}")])
            .expect_code(0)
            .stdout;
        let line = logged.lines().find(|line| line.contains(&id));
        assert!(
            line.is_some_and(|line| line.contains(reason)),
            "{path}: {line:?} in\n{logged}"
        );
        let found = weft.run(&["logs", "--error", &id]).expect_code(0).stdout;
        assert_eq!(found.lines().next(), line);
        assert_eq!(found.matches(" host: error ").count(), 1, "{found}");
    }
    assert_eq!(row(&weft, "web")["traps"], 3);
    // The time that a guest waits is not time that it computes.
    weft.send(Request::get("/sleep?ms=300").host("brief"))
        .expect(200, &[]);
    for component in ["web", "small", "brief"] {
        weft.send(Request::get("/count").host(component))
            .expect(200, &[]);
        nothing_in_flight(&weft, component);
    }
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let files = Files::new();
    let weft = serving(&files, &[("web", "limits: {body: 1KiB}")]);
    let put = |body: &[u8]| weft.send(Request::with_body("PUT", "/kv/a", body).host("web"));
    put(&[b'x'; 1024]).expect(204, &[]);
    put(&[b'x'; 1025]).expect(413, &["1025", "1024", "limits.body"]);
    // One that says nothing of its length ends in an error, and is not stored.
    let mut connection = Connection::with(
        weft.http(),
        "PUT /kv/b HTTP/1.1\nhost: web\ntransfer-encoding: chunked\nconnection: close\n\n",
    );
    connection.send_chunk(&[b'x'; 2000]).unwrap();
    connection.send(b"0\r\n\r\n").unwrap();
    let answer = connection.response().unwrap();
    assert!(answer.status >= 400, "{}", answer.text());
    weft.send(Request::get("/kv/b").host("web"))
        .expect(404, &[]);
}

#[test]
fn an_instance_lives_as_long_as_the_manifest_says() {
    let files = Files::new();
    let weft = serving(
        &files,
        &[
            ("fresh", ""),
            ("reused", "instances: {reuse: {max-requests: 3}}"),
        ],
    );
    let counts = |component: &str, requests: usize| -> Vec<String> {
        let count = || weft.send(Request::get("/count").host(component)).text();
        (0..requests).map(|_| count().trim().to_owned()).collect()
    };
    assert_eq!(counts("fresh", 4), ["1", "1", "1", "1"]);
    assert_eq!(counts("reused", 7), ["1", "2", "3", "1", "2", "3", "1"]);
    let modes: Vec<_> = weft
        .get("components")
        .iter()
        .map(|row| row["instances"].clone())
        .collect();
    assert_eq!(modes, ["per-request", "reuse"]);
    // One that has trapped serves nobody any more.
    weft.send(Request::get("/trap").host("reused"))
        .expect(500, &[]);
    assert_eq!(counts("reused", 2), ["1", "2"]);
    weft.send(Request::get("/silent").host("reused"))
        .expect(500, &[]);
    assert!(["1", "3"].contains(&counts("reused", 1)[0].as_str()));
}

/// The resident memory of the host, in bytes.
fn resident_bytes(weft: &Weft) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", weft.process().id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

#[test]
fn a_guest_cannot_fill_the_memory_of_its_host() {
    let files = Files::new();
    let weft = serving(&files, &[("web", "limits: {deadline: 20s}")]);
    let get = |what: &str| {
        let path = format!("/hoard?what={what}");
        weft.send(Request::get(&path).host("web"))
    };
    weft.send(Request::get("/count").host("web"))
        .expect(200, &[]);
    let before = resident_bytes(&weft);
    // Refused one by one, or at once, or ended: never stored.
    get("methods").expect(200, &["0 of 30 accepted"]);
    get("authorities").expect(200, &["0 of 30 accepted"]);
    get("random").expect(500, &[]);
    for what in ["headers", "bodies"] {
        let answer = get(what);
        let id = answer.header("weft-error-id").unwrap();
        let found = weft.run(&["logs", "--error", id]).expect_code(0).stdout;
        assert!(found.contains("bytes of the host's memory"), "{found}");
    }
    get("output").expect(200, &["printed"]);
    for _ in 0..10 {
        get("error").expect(500, &[]);
    }
    // The memory of one instance, which the pool may keep, and twice what handles may hold.
    let allowance = (256 << 20) + (128 << 20);
    let grown = resident_bytes(&weft).saturating_sub(before);
    assert!(grown < allowance, "the host grew by {} MiB", grown >> 20);
    weft.send(Request::get("/count").host("web"))
        .expect(200, &[]);
}

#[test]
fn the_memory_of_dead_instances_is_returned() {
    let files = Files::new();
    let weft = serving(&files, &[("web", "")]);
    let own = || {
        weft.send(Request::get("/hoard?what=own").host("web"))
            .expect(200, &["200000000 bytes"]);
    };
    own();
    let before = resident_bytes(&weft);
    (0..10).for_each(|_| own());
    let grown = resident_bytes(&weft).saturating_sub(before);
    assert!(grown < 64 << 20, "the host grew by {} MiB", grown >> 20);
}
