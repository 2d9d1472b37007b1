//! Readiness: a host gets traffic when it can serve it, and is left alone before it ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use weft_tests::http::{Connection, Request};
use weft_tests::{
    Files, Options, PATIENCE, Probe, Weft, eventually, free_address, probes, start_nats,
};

use crate::lattice::host_with;

/// The path that load balancers poll.
pub(crate) const READY: &str = "/.well-known/weft/ready";

/// The status of a `GET`; `None` without a response.
pub(crate) fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let response = Request::get(path).try_send(address).ok()?;
    Some(response.status)
}

fn one_probe(files: &Files, settings: &str) -> std::path::PathBuf {
    let probe = Probe {
        name: "web",
        settings,
        path: "/",
    };
    files.app("probe", &probes(&[probe]))
}

#[test]
fn the_readiness_of_a_host_is_on_both_of_its_servers() {
    let files = Files::new();
    let weft = Weft::serving(&[one_probe(&files, "")]);
    weft.fetch(READY).expect(200, &["ready"]);
    let on_any_name = weft.send(Request::get(READY).host("shop.example.com"));
    on_any_name.expect(200, &["ready"]);
    let admin = weft.get("hosts")[0]["admin"].as_str().unwrap().to_owned();
    // Without a token.
    Request::get(READY)
        .send(admin.parse().unwrap())
        .expect(200, &["ready"]);
    let other = Request::get("/v1/hosts").send(admin.parse().unwrap());
    assert_eq!(other.status, 401);
}

#[test]
fn a_host_that_ends_is_not_ready_and_listens_for_its_notice() {
    let files = Files::new();
    let weft = Weft::start(&Options {
        files: &[one_probe(&files, "")],
        arguments: &["--drain-notice", "2s"],
        ..Options::default()
    });
    let address = weft.http();
    weft.process().terminate().unwrap();
    let told = Instant::now();
    eventually("the host is not ready", PATIENCE, || {
        let response = Request::get(READY).send(address);
        match response.status {
            503 => {
                response.expect(503, &["drains"]);
                Ok(())
            }
            _ => Err(response.text()),
        }
    });
    // It still answers, and ends each connection.
    let mut connection = Connection::with(address, "GET /count HTTP/1.1\nhost: web\n\n");
    let response = connection.response().unwrap();
    response.expect(200, &["1"]);
    assert_eq!(response.header("connection"), Some("close"));
    weft.ended(PATIENCE).expect_code(0);
    let listened = told.elapsed();
    assert!(listened >= Duration::from_secs(2), "{listened:?}");
}

#[test]
fn a_host_waits_for_a_balancer_that_polls_and_for_nothing_else() {
    let files = Files::new();
    let weft = Weft::serving(&[one_probe(&files, "")]);
    weft.fetch("/count").expect(200, &["1"]);
    weft.process().terminate().unwrap();
    let told = Instant::now();
    weft.ended(PATIENCE).expect_code(0);
    // The notice is five seconds.
    let ended = told.elapsed();
    assert!(ended < Duration::from_secs(4), "{ended:?}");

    let weft = Weft::serving(&[one_probe(&files, "")]);
    weft.fetch(READY).expect(200, &["ready"]);
    weft.process().terminate().unwrap();
    eventually("the host is not ready", PATIENCE, || {
        match status(weft.http(), READY) {
            Some(503) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    // A second signal ends the notice too.
    weft.process().terminate().unwrap();
    weft.ended(PATIENCE)
        .expect_code(1)
        .expect_stderr(&["SIGTERM while draining"]);
}

#[test]
fn a_host_that_starts_never_answers_404_for_what_another_host_serves() {
    let nats = start_nats();
    let address = free_address().unwrap();
    let http = address.to_string();
    let start = |data| {
        let options = Options {
            http: &http,
            data,
            ..Options::default()
        };
        host_with(&nats, "place=front", options)
    };
    let mut front = start(None);
    let back = host_with(&nats, "place=back", Options::default());
    front.wait_for_ready(2);
    let files = Files::new();
    let settings = "placement: {require: {place: back}}";
    back.deploy(&one_probe(&files, settings)).expect_code(0);
    eventually("the front has the route", PATIENCE, || {
        match status(address, "/count") {
            Some(200) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let data = front.data();
    front.kill();
    // Its own copy, and a host with an empty disk.
    for data in [Some(data), None] {
        std::thread::scope(|scope| {
            let polls = scope.spawn(|| {
                let (mut statuses, mut is_ready) = (Vec::new(), false);
                let began = Instant::now();
                while !is_ready && began.elapsed() < PATIENCE {
                    statuses.extend(status(address, "/count"));
                    is_ready = status(address, READY) == Some(200);
                }
                statuses.extend(status(address, "/count"));
                statuses
            });
            let has_copy = data.is_some();
            let host = start(data);
            let statuses = polls.join().unwrap();
            assert!(!statuses.contains(&404), "{has_copy}: {statuses:?}");
            if has_copy {
                // The routes are those of its copy: each request waits for the other host.
                assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
            }
            assert_eq!(statuses.last(), Some(&200), "{has_copy}");
            host.fetch("/count").expect(200, &[]);
        });
    }
}
