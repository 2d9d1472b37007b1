//! One table of HTTP requests, sent in every way: to the host that runs the component and through
//! another host, by HTTP/1.1 and HTTP/2, to guests over WASI 0.2 and 0.3, in fresh and in reused
//! instances. The client and the guest see the same, whichever way it is.

mod case;
mod cases;
mod client;
mod raw;

use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

use weft_tests::http::Connection;
use weft_tests::{Files, NatsServer, PATIENCE, Weft, eventually, start_nats};

use self::case::{Case, Seen};
use crate::lattice::host;

/// The guests, by the first part of their host names: the fixture, and the rest of its entry in the
/// manifest.
const GUESTS: [(&str, &str, &str); 4] = [
    ("p2-fresh", "conformance-http", ""),
    ("p2-reused", "conformance-http", "instances: {reuse: {}}"),
    ("p3-fresh", "conformance-http-p3", ""),
    ("p3-reused", "conformance-http-p3", "instances: {reuse: {}}"),
];

/// Number of times that each request is sent in each way: the second may meet a used instance.
const ROUNDS: usize = 2;

/// A front that runs no component, and a host that runs all.
struct Lattice {
    front: Weft,
    back: Weft,
    _nats: NatsServer,
    _files: Files,
}

/// A way for a request to reach a guest.
#[derive(Clone, Copy)]
struct Way {
    guest: &'static str,
    place: &'static str,
    address: SocketAddr,
    protocol: &'static str,
}

impl Lattice {
    fn start() -> Self {
        let nats = start_nats();
        let (front, back) = (host(&nats, "place=front"), host(&nats, "place=back"));
        let mut spec = "components:\n".to_owned();
        for (name, guest, settings) in GUESTS {
            spec += &format!(
                "- name: {name}\n\
                 \x20 source: {{file: guest:{guest}}}\n\
                 \x20 placement: {{require: {{place: back}}}}\n\
                 \x20 limits: {{deadline: 10m}}\n\
                 \x20 {settings}\n"
            );
        }
        spec += "routes:\n";
        for (name, ..) in GUESTS {
            spec += &format!("- {{host: {name}.test, path: /, to: {name}}}\n");
        }
        let files = Files::new();
        let manifest = files.app("conformance", &spec);
        front.wait_for_ready(2);
        front.deploy(&manifest).expect_code(0);
        let lattice = Self {
            front,
            back,
            _nats: nats,
            _files: files,
        };
        for way in lattice.ways("HTTP/1.1") {
            eventually("a guest answers", PATIENCE, || {
                let head = format!("GET /report HTTP/1.1\nhost: {}\n\n", way.host());
                let answer = Connection::with(way.address, &head).head();
                match answer {
                    Ok(answer) if answer.status == 200 => Ok(()),
                    other => Err(format!("{way}: {other:?}")),
                }
            });
        }
        lattice
    }

    fn ways(&self, protocol: &'static str) -> Vec<Way> {
        let places = [("here", self.back.http()), ("elsewhere", self.front.http())];
        let ways = GUESTS.iter().flat_map(|(guest, ..)| {
            places.map(|(place, address)| Way {
                guest,
                place,
                address,
                protocol,
            })
        });
        ways.collect()
    }

    fn nothing_in_flight(&self) {
        eventually("nothing is in flight", PATIENCE, || {
            let rows = self.back.own("components");
            let is_free = rows.iter().all(|row| row["in_flight"] == 0);
            is_free.then_some(()).ok_or(format!("{rows:?}"))
        });
    }
}

impl Way {
    /// The host name of the guest.
    fn host(&self) -> String {
        format!("{}.test", self.guest)
    }

    fn check(&self, case: &Case, seen: &Seen, differences: &mut Vec<String>) {
        if let Err(difference) = case.expected.check(seen, &self.host()) {
            differences.push(format!("{self}, {}: {difference}", case.name));
        }
    }
}

impl Display for Way {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            guest,
            place,
            protocol,
            ..
        } = self;
        write!(formatter, "{guest} {place} by {protocol}")
    }
}

#[test]
fn the_table_of_http_holds_in_every_way() {
    let lattice = Lattice::start();
    let mut differences = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for protocol in ["HTTP/1.1", "HTTP/2"] {
        for way in lattice.ways(protocol) {
            for case in (0..ROUNDS).flat_map(|_| cases::CASES) {
                let seen = runtime.block_on(client::send(&way, case));
                way.check(case, &seen, &mut differences);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    lattice.nothing_in_flight();
}

#[test]
fn the_table_of_raw_requests_holds_in_every_way() {
    let lattice = Lattice::start();
    let mut differences = Vec::new();
    for way in lattice.ways("HTTP/1.1") {
        for _ in 0..ROUNDS {
            for (case, text) in raw::CASES {
                let seen = raw::send(&way, text);
                way.check(case, &seen, &mut differences);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    lattice.nothing_in_flight();
}

#[test]
fn an_upload_that_its_client_leaves_ends_in_every_way() {
    /// One that the guest reads, and one that it does not.
    const UPLOADS: [&str; 2] = ["/report", "/wait?ms=300000"];
    let lattice = Lattice::start();
    let mut connections = Vec::new();
    let clients = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    for path in UPLOADS {
        for way in lattice.ways("HTTP/1.1") {
            let host = way.host();
            let head = format!("POST {path} HTTP/1.1\nhost: {host}\ncontent-length: 99999\n\nsome");
            connections.push(Connection::with(way.address, &head));
        }
        for way in lattice.ways("HTTP/2") {
            drop(clients.spawn(client::begin_upload(way, path)));
        }
    }
    eventually("all uploads have begun", PATIENCE, || {
        let rows = lattice.back.own("components");
        // Here and elsewhere, by both protocols.
        let has_begun = rows.iter().all(|row| row["in_flight"] == 4 * UPLOADS.len());
        has_begun.then_some(()).ok_or(format!("{rows:?}"))
    });
    drop(connections);
    clients.shutdown_background();
    lattice.nothing_in_flight();
}
