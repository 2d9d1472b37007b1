//! Baseline of `cargo xtask bench` for remote calls: requests by `async_nats::Client` alone.
//!
//! `raw_requests URL serve` echoes each request until it is killed.
//!
//! `raw_requests URL measure BYTES COUNT IN_FLIGHT` makes COUNT requests of BYTES each, with
//! IN_FLIGHT at a time, and prints the nanoseconds per request: total time divided by COUNT.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "prints a measurement, and panics on failure"
)]

use std::time::Instant;

use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;

const SUBJECT: &str = "bench.raw";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [url, "serve"] => serve(url).await,
        [url, "measure", bytes, count, in_flight] => {
            let [bytes, count, in_flight] =
                [bytes, count, in_flight].map(|text| text.parse().unwrap());
            let nanoseconds = measure(url, bytes, count, in_flight).await;
            println!("{nanoseconds}");
        }
        _ => panic!("expected `URL serve` or `URL measure BYTES COUNT IN_FLIGHT`"),
    }
}

async fn serve(url: &str) {
    let client = async_nats::connect(url).await.unwrap();
    let mut requests = client.subscribe(SUBJECT).await.unwrap();
    client.flush().await.unwrap();
    println!("serving");
    while let Some(request) = requests.next().await {
        let reply = request.reply.unwrap();
        client.publish(reply, request.payload).await.unwrap();
    }
}

async fn measure(url: &str, bytes: usize, count: usize, in_flight: usize) -> f64 {
    let client = async_nats::connect(url).await.unwrap();
    let payload = Bytes::from(vec![b'a'; bytes]);
    // A first request, which sets up the route in both directions.
    request(&client, &payload).await;
    let each = count / in_flight;
    let started = Instant::now();
    let workers = (0..in_flight).map(|_| async {
        for _ in 0..each {
            request(&client, &payload).await;
        }
    });
    join_all(workers).await;
    started.elapsed().as_nanos() as f64 / (each * in_flight) as f64
}

async fn request(client: &Client, payload: &Bytes) {
    let answer = client.request(SUBJECT, payload.clone()).await.unwrap();
    assert_eq!(answer.payload.len(), payload.len());
}
