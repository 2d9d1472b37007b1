//! How a host ends: it finishes what it has begun, for as long as it was told to.

use weft_tests::http::Connection;
use weft_tests::{Files, Options, PATIENCE, Probe, Weft, eventually, folder, probes};

fn serving(files: &Files, arguments: &[&str]) -> Weft {
    let probe = Probe {
        name: "web",
        settings: "",
        path: "/",
    };
    Weft::start(&Options {
        files: &[files.app("probe", &probes(&[probe]))],
        arguments,
        ..Options::default()
    })
}

/// A request whose answer goes on for as long as the test sends chunks.
fn echoing(weft: &Weft) -> Connection {
    let text = "POST /echo HTTP/1.1\nhost: web\ntransfer-encoding: chunked\n\n";
    let mut connection = Connection::with(weft.http(), text);
    connection.send_chunk(b"before").unwrap();
    assert_eq!(connection.head().unwrap().status, 200);
    assert_eq!(connection.chunk().unwrap(), b"before");
    connection
}

fn refuses_connections(weft: &Weft) {
    let address = weft.http();
    eventually(
        "new connections are refused",
        PATIENCE,
        || match Connection::open(address) {
            Err(_) => Ok(()),
            Ok(_) => Err("a connection".to_owned()),
        },
    );
}

#[test]
fn a_host_that_is_told_to_end_finishes_what_it_has_begun() {
    let files = Files::new();
    let weft = serving(&files, &[]);
    let mut answer = echoing(&weft);
    let mut idle = Connection::with(weft.http(), "GET /count HTTP/1.1\nhost: web\n\n");
    idle.response().unwrap().expect(200, &["1"]);
    weft.process().terminate().unwrap();
    refuses_connections(&weft);
    assert_eq!(idle.rest().unwrap(), b"", "an idle connection is closed");
    answer.send_chunk(b"after").unwrap();
    assert_eq!(answer.chunk().unwrap(), b"after");
    answer.send(b"0\r\n\r\n").unwrap();
    assert_eq!(answer.chunk().unwrap(), b"", "the body has its end");
    let data = weft.data();
    weft.ended(PATIENCE)
        .expect_code(0)
        .expect_stderr(&["SIGTERM", "drained"]);
    assert!(
        !folder(data.path()).join("admin.address").exists(),
        "nobody looks for a host that is gone"
    );
}

#[test]
fn an_answer_longer_than_the_drain_deadline_is_cut_and_said_so() {
    let files = Files::new();
    let weft = serving(&files, &["--drain-deadline", "300ms"]);
    let mut answer = echoing(&weft);
    weft.process().terminate().unwrap();
    weft.ended(PATIENCE).expect_code(1).expect_stderr(&[
        "300ms",
        "cut off 1 request",
        "--drain-deadline",
    ]);
    assert!(answer.chunk().is_err(), "the body must not look complete");
}

#[test]
fn a_second_signal_ends_a_drain_and_a_host_without_requests_ends_at_once() {
    let files = Files::new();
    let weft = serving(&files, &["--drain-deadline", "1h"]);
    let _answer = echoing(&weft);
    weft.process().terminate().unwrap();
    refuses_connections(&weft);
    weft.process().terminate().unwrap();
    weft.ended(PATIENCE)
        .expect_code(1)
        .expect_stderr(&["SIGTERM while draining"]);

    let weft = serving(&files, &["--drain-deadline", "1h"]);
    weft.process().terminate().unwrap();
    weft.ended(PATIENCE).expect_code(0);
}
