//! A rolling restart under load: a client that follows the readiness of hosts, as a load balancer
//! does, loses no request, of a component that handles HTTP or of one that is called.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use weft_tests::http::Connection;
use weft_tests::{
    Files, NatsServer, Options, PATIENCE, Weft, eventually, free_address, pause, start_nats,
};

use crate::readiness::{READY, status};

/// The interval of the polls of readiness.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// The threads that send requests, and the interval of each: 100 requests a second.
const SENDERS: usize = 10;
const SEND_EVERY: Duration = Duration::from_millis(100);

/// Requests in turn: to a component that handles HTTP, and to one that is called, of functions that
/// are repeated if their host is lost and of one that never is.
const REQUESTS: [(&str, &str); 3] = [
    (
        "raw POST",
        "POST /echo HTTP/1.1\nhost: test\nconnection: close\ncontent-length: 5\n\nhello",
    ),
    (
        "typed GET",
        "GET /catalog/products HTTP/1.1\nhost: test\nconnection: close\n\n",
    ),
    (
        "typed POST",
        "POST /catalog/price-of HTTP/1.1\nhost: test\nconnection: close\n\
         content-type: application/json\ncontent-length: 35\n\n\
         {\"line\":{\"sku\":\"cup\",\"quantity\":4}}",
    ),
];

/// The time between two restarts.
const CALM: Duration = Duration::from_secs(2);

/// A client that sends requests to the hosts that were ready at the last poll, in turn.
struct Balancer {
    hosts: Vec<SocketAddr>,
    ready: Mutex<Vec<SocketAddr>>,
    has_stopped: AtomicBool,
    sent: AtomicU64,
    lost: Mutex<Vec<String>>,
}

impl Balancer {
    fn new(hosts: &[SocketAddr]) -> Self {
        Self {
            hosts: hosts.to_vec(),
            ready: Mutex::new(hosts.to_vec()),
            has_stopped: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            lost: Mutex::new(Vec::new()),
        }
    }

    /// Follows the readiness of one host.
    fn poll(&self, host: SocketAddr) {
        while !self.has_stopped.load(Ordering::Relaxed) {
            let is_ready = status(host, READY) == Some(200);
            let mut ready = self.ready.lock().unwrap();
            ready.retain(|it| *it != host);
            if is_ready {
                ready.push(host);
            }
            drop(ready);
            pause(POLL_EVERY);
        }
    }

    /// Sends requests at a fixed rate.
    fn send(&self, started: Instant) {
        let mut due = started;
        while !self.has_stopped.load(Ordering::Relaxed) {
            pause(due.saturating_duration_since(Instant::now()));
            due += SEND_EVERY;
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            let host = {
                let ready = self.ready.lock().unwrap();
                let turn = usize::try_from(number).unwrap() % ready.len().max(1);
                ready.get(turn).copied()
            };
            let Some(host) = host else {
                self.lose(format!("{number}: no host is ready"));
                continue;
            };
            let (name, request) = REQUESTS[usize::try_from(number).unwrap() / 3 % REQUESTS.len()];
            let sent = Connection::open(host).and_then(|mut connection| {
                connection.send(request.replace('\n', "\r\n").as_bytes())?;
                connection.response()
            });
            match sent {
                Ok(response) if response.status == 200 => {}
                Ok(response) => self.lose(format!(
                    "{number}: {name}: {host}: {} {} after {:?}",
                    response.status,
                    response.text(),
                    started.elapsed()
                )),
                Err(error) => {
                    let after = started.elapsed();
                    self.lose(format!("{number}: {name}: {host}: {error} after {after:?}"));
                }
            }
        }
    }

    fn stop(&self) {
        self.has_stopped.store(true, Ordering::Relaxed);
    }

    fn lose(&self, reason: String) {
        self.lost.lock().unwrap().push(reason);
    }
}

/// Ends the threads of a balancer, also if the test fails.
struct StopOnDrop<'a>(&'a Balancer);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn start(nats: &NatsServer, name: &str, http: SocketAddr, data: Option<Arc<TempDir>>) -> Weft {
    let url = nats.url();
    Weft::start(&Options {
        http: &http.to_string(),
        arguments: &[
            "--nats",
            &url,
            "--lattice",
            "test",
            "--name",
            name,
            "--drain-notice",
            "1s",
        ],
        data,
        ..Options::default()
    })
}

#[test]
fn a_rolling_restart_loses_no_request_of_a_client_that_follows_readiness() {
    let nats = start_nats();
    let names = ["north", "south", "west"];
    let addresses = names.map(|_| free_address().unwrap());
    let hosts = [0, 1, 2].map(|it| start(&nats, names[it], addresses[it], None));
    hosts[0].wait_for_ready(3);
    let files = Files::new();
    // Two of the three hosts run it, so that every restart moves a replica or forwards requests.
    let manifest = files.app(
        "probe",
        "components:\n\
         - name: web\n\
         \x20 source: {file: guest:probe-http-p3}\n\
         \x20 replicas: 2\n\
         \x20 placement: {one-per-host: true}\n\
         - name: pricing\n\
         \x20 source: {file: guest:pricing}\n\
         \x20 replicas: 2\n\
         \x20 placement: {one-per-host: true}\n\
         routes:\n\
         - {path: /, to: web}\n\
         - path: /catalog\n\
         \x20 to: pricing\n\
         \x20 interface: shop:catalog/pricing\n\
         \x20 operations:\n\
         \x20 - {func: products, as: GET /products}\n\
         \x20 - {func: price-of, as: POST /price-of}\n\
         \x20 errors: {price-error: {default: 404}}\n",
    );
    hosts[0].deploy(&manifest).expect_code(0);
    hosts[0].run(&["status", "probe", "--wait"]).expect_code(0);
    for address in addresses {
        for path in ["/echo", "/catalog/products"] {
            eventually("the host serves", PATIENCE, || {
                match status(address, path) {
                    Some(200) => Ok(()),
                    other => Err(format!("{path}: {other:?}")),
                }
            });
        }
    }
    let mut again = Vec::new();
    let (balancer, started) = (Balancer::new(&addresses), Instant::now());
    std::thread::scope(|scope| {
        for host in balancer.hosts.clone() {
            let balancer = &balancer;
            scope.spawn(move || balancer.poll(host));
        }
        for _ in 0..SENDERS {
            scope.spawn(|| balancer.send(started));
        }
        let stop = StopOnDrop(&balancer);
        for (number, host) in hosts.into_iter().enumerate() {
            pause(CALM);
            let data = host.data();
            host.process().terminate().unwrap();
            host.ended(PATIENCE).expect_code(0);
            again.push(start(&nats, names[number], addresses[number], Some(data)));
            eventually("the host is ready again", PATIENCE, || {
                match status(addresses[number], READY) {
                    Some(200) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            });
        }
        pause(CALM);
        drop(stop);
    });
    let sent = balancer.sent.load(Ordering::Relaxed);
    let lost = balancer.lost.into_inner().unwrap();
    assert!(sent > 500, "{sent}");
    assert!(lost.is_empty(), "{} of {sent}: {lost:#?}", lost.len());
}
