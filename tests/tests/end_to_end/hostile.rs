//! Requests that no friend sends: each is refused by itself, and the next client is served.

use weft_tests::http::Connection;
use weft_tests::http2::Client;
use weft_tests::{Files, Probe, Weft, probes};

fn serving(files: &Files) -> Weft {
    let probe = Probe {
        name: "web",
        settings: "limits: {deadline: 2s}",
        path: "/",
    };
    Weft::serving(&[files.app("probe", &probes(&[probe]))])
}

/// The status of the answer to these bytes; `None` if the connection is closed without one.
fn status_of(weft: &Weft, bytes: &[u8]) -> Option<u16> {
    let mut connection = Connection::open(weft.http()).unwrap();
    // The host may close before it has read everything.
    let _ = connection.send(bytes);
    let _ = connection.finish_sending();
    connection.head().ok().map(|head| head.status)
}

#[test]
fn paths_that_mean_two_things_are_refused() {
    let files = Files::new();
    let weft = serving(&files);
    for path in [
        "/../count",
        "/a/../count",
        "/a/./count",
        "/%2e%2e/count",
        "/a/%2E%2e/count",
        "/a%2f..%2fcount",
        "/a\\..\\count",
        "/count%00",
        "/count%0",
        "/%zz",
    ] {
        weft.fetch(path).expect(400, &["invalid path"]);
    }
    for path in ["/headers?up=../..", "/headers?nul=%00", "/headers"] {
        weft.fetch(path).expect(200, &[path]);
    }
    let before = weft.get("components")[0]["requests"].clone();
    assert_eq!(before, 3, "no guest saw what was refused");
}

#[test]
fn malformed_and_endless_heads_are_refused_and_others_are_served() {
    let files = Files::new();
    let weft = serving(&files);
    let with_headers = |headers: &str| format!("GET /count HTTP/1.1\r\nhost: web\r\n{headers}\r\n");
    let many: String = (0..10_000).map(|i| format!("x-{i}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "y".repeat(10 << 20));
    let long_path = format!("GET /{} HTTP/1.1\r\nhost: web\r\n\r\n", "p".repeat(1 << 20));
    let cases: &[(&str, String, &[u16])] = &[
        ("10,000 headers", with_headers(&many), &[431]),
        ("an endless header", with_headers(&long), &[431]),
        ("a long path", long_path, &[414, 431]),
        ("no host", "GET /count HTTP/1.1\r\n\r\n".to_owned(), &[400]),
        ("no HTTP", "hello\r\n\r\n".to_owned(), &[400]),
        ("bytes", "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(), &[400]),
        ("a space in a name", with_headers("x y: 1\r\n"), &[400]),
        (
            "two lengths",
            with_headers("content-length: 1\r\ncontent-length: 2\r\n"),
            &[400],
        ),
        (
            "a length that is none",
            with_headers("content-length: -1\r\n"),
            &[400],
        ),
        (
            "another version",
            "GET /count HTTP/9.9\r\nhost: web\r\n\r\n".to_owned(),
            &[400, 505],
        ),
        (
            "a chunk without size",
            with_headers("transfer-encoding: chunked\r\n") + "zz\r\n",
            &[200, 400],
        ),
    ];
    for (what, bytes, expected) in cases {
        let status = status_of(&weft, bytes.as_bytes());
        // What is sent on after the answer makes the system discard the answer.
        assert!(
            status.is_none_or(|status| expected.contains(&status)),
            "{what}: {status:?}"
        );
        weft.fetch("/count").expect(200, &["1"]);
    }
    assert_eq!(
        status_of(&weft, with_headers(&many[..4000]).as_bytes()),
        Some(431),
        "300 headers"
    );
    assert_eq!(status_of(&weft, b""), None);
}

#[test]
fn clients_that_say_nothing_keep_nobody_out() {
    let files = Files::new();
    let weft = serving(&files);
    let silent: Vec<_> = (0..200)
        .map(|number| {
            let head = [
                "",
                "G",
                "GET / HTTP/1.1\n",
                "GET /count HTTP/1.1\nhost: web\nx-",
            ];
            Connection::with(weft.http(), head[number % head.len()])
        })
        .collect();
    for _ in 0..5 {
        weft.fetch("/count").expect(200, &["1"]);
    }
    drop(silent);
    assert_eq!(weft.get("components")[0]["in_flight"], 0);
}

#[test]
fn two_requests_are_never_one() {
    let files = Files::new();
    let weft = serving(&files);
    // Both lengths at once: what a proxy in front and the host read differently.
    let text = "POST /headers HTTP/1.1\nhost: web\ncontent-length: 4\ntransfer-encoding: chunked\n\n0\n\nGET /trap HTTP/1.1\nhost: web\n\n";
    let mut connection = Connection::with(weft.http(), text);
    let first = connection.response().unwrap();
    if first.status == 200 {
        assert!(
            !first.text().contains("content-length"),
            "the guest sees one length: {}",
            first.text()
        );
    } else {
        first.expect(400, &[]);
    }
}

#[test]
fn a_request_for_two_hosts_or_for_none_is_refused() {
    let files = Files::new();
    let weft = serving(&files);
    for hosts in ["host: a\nhost: b\n", "host: a b\n", "host: a/b@c\n"] {
        let text = format!("GET /headers HTTP/1.1\n{hosts}connection: close\n\n");
        let mut connection = Connection::with(weft.http(), &text);
        connection.response().unwrap().expect(400, &["host"]);
    }
}

#[test]
fn a_head_that_never_ends_is_not_waited_for() {
    let files = Files::new();
    let weft = serving(&files);
    let head = "GET /count HTTP/1.1\nhost: web\nx-slow: ";
    let mut slow = Connection::with(weft.http(), head);
    let mut said = Vec::new();
    // The host gives it some seconds; the client's own patience is longer, and would be an error.
    match slow.rest() {
        Ok(rest) => said = rest,
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 408"),
        "{said}"
    );
    weft.fetch("/count").expect(200, &["1"]);
}

#[test]
fn an_endless_header_over_http2_harms_nobody_else() {
    let files = Files::new();
    let weft = serving(&files);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(async {
        for (headers, bytes) in [(1, 100_000), (10_000, 1)] {
            let mut hostile = Client::connect(weft.http()).await;
            let status = hostile.with_headers("/count", headers, bytes).await;
            assert!(status.is_none_or(|status| status == 431), "{status:?}");
            let mut friend = Client::connect(weft.http()).await;
            assert_eq!(friend.get("/count").await, (200, "1\n".to_owned()));
        }
    });
    assert_eq!(weft.get("components")[0]["requests"], 2);
}
