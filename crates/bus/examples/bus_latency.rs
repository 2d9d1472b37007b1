//! Cost of the bus over the client it is built on: requests by `async_nats::Client` and by `Bus`,
//! in turns, against the same server and equivalent responders.
//!
//! `cargo run --release -p weft-bus --example bus_latency -- nats://127.0.0.1:4222`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "prints measurements, and panics on failure"
)]

use std::time::{Duration, Instant};

use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use weft_bus::nats::{NatsOptions, connect};
use weft_bus::{Bus, Delivery, Lane, Pattern, Scope, Status, Subject};

const ROUNDS: usize = 5;
const SIZES: [usize; 3] = [16, 64 << 10, 900 << 10];
const IN_FLIGHT: usize = 64;

#[tokio::main]
async fn main() {
    let url = std::env::args()
        .nth(1)
        .expect("the address of a NATS server");
    let raw = Raw::start(&url).await;
    let bus = OnBus::start(&url).await;
    println!("one at a time, p50 in µs (and p99)");
    for size in SIZES {
        let count = if size > 1000 { 300 } else { 3000 };
        let payload = Bytes::from(vec![7; size]);
        let (mut of_raw, mut of_bus) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            for _ in 0..count {
                of_raw.push(timed(raw.request(payload.clone())).await);
            }
            for _ in 0..count {
                of_bus.push(timed(bus.request(payload.clone())).await);
            }
        }
        let (raw_50, raw_99) = percentiles(&mut of_raw);
        let (bus_50, bus_99) = percentiles(&mut of_bus);
        println!(
            "{size:>8} B: raw {raw_50:.0} ({raw_99:.0}), bus {bus_50:.0} ({bus_99:.0}), {:.2}×",
            bus_50 / raw_50
        );
    }
    println!("{IN_FLIGHT} in flight, 16 B, requests a second");
    let payload = Bytes::from(vec![7; 16]);
    for _ in 0..ROUNDS {
        let of_raw = rate(|| raw.request(payload.clone())).await;
        let of_bus = rate(|| bus.request(payload.clone())).await;
        println!("raw {of_raw:.0}, bus {of_bus:.0}, {:.2}×", of_bus / of_raw);
    }
}

struct Raw {
    client: Client,
}

impl Raw {
    async fn start(url: &str) -> Self {
        let responder = async_nats::connect(url).await.unwrap();
        let mut requests = responder.subscribe("latency.raw").await.unwrap();
        responder.flush().await.unwrap();
        std::mem::drop(tokio::task::spawn(async move {
            while let Some(request) = requests.next().await {
                let reply = request.reply.unwrap();
                responder.publish(reply, request.payload).await.unwrap();
            }
        }));
        let client = async_nats::connect(url).await.unwrap();
        Self { client }
    }

    async fn request(&self, payload: Bytes) {
        self.client.request("latency.raw", payload).await.unwrap();
    }
}

struct OnBus {
    bus: Bus,
    subject: Subject,
}

impl OnBus {
    async fn start(url: &str) -> Self {
        let responder = joined(url, "responder").await;
        let subject = responder.scope().subject(&["latency"]).unwrap();
        let mut requests = responder.subscribe(&Pattern::from(&subject)).await;
        std::mem::drop(tokio::task::spawn(async move {
            while let Some(Delivery::Message(request)) = requests.next().await {
                let reply = request.reply.unwrap();
                responder
                    .publish(&reply, None, request.payload)
                    .await
                    .unwrap();
            }
        }));
        let bus = joined(url, "requester").await;
        Self { bus, subject }
    }

    async fn request(&self, payload: Bytes) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        self.bus
            .request(&self.subject, payload, deadline)
            .await
            .unwrap();
    }
}

async fn joined(url: &str, name: &str) -> Bus {
    let options = NatsOptions {
        servers: vec![url.to_owned()],
        name: name.to_owned(),
        ..NatsOptions::default()
    };
    let bus = connect(Scope::new("latency").unwrap(), &options)
        .await
        .unwrap();
    let bus = bus.lane(Lane::Calls);
    bus.status().wait_for(Status::is_connected).await.unwrap();
    bus
}

async fn timed(request: impl Future<Output = ()>) -> f64 {
    let start = Instant::now();
    request.await;
    start.elapsed().as_secs_f64() * 1e6
}

fn percentiles(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

async fn rate<F: Future<Output = ()>>(request: impl Fn() -> F) -> f64 {
    const EACH: usize = 1000;
    let start = Instant::now();
    let workers = (0..IN_FLIGHT).map(|_| async {
        for _ in 0..EACH {
            request().await;
        }
    });
    join_all(workers).await;
    (IN_FLIGHT * EACH) as f64 / start.elapsed().as_secs_f64()
}
