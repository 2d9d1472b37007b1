//! GET requests through several hosts, and their outcomes.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};

use super::address::Address;
use super::load::Load;
use super::requests::Requests;

/// The pause before the retry of a failed request.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The number of successes in a row that a host needs before the drill begins.
const SUCCESSES_IN_A_ROW: usize = 10;

/// A request that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) at: Instant,
    /// The latency; `None` if the request was lost.
    pub(super) latency: Option<Duration>,
}

/// Requests at a steady rate, until [`end`](Self::end).
pub(super) struct Probes(Load<Duration>);

impl Probes {
    /// Starts to send `rate` requests a second, to each address in turn.
    pub(super) fn start(addresses: &[Address], path: &str, rate: u32) -> Self {
        let path: Arc<str> = path.into();
        let every = Duration::from_secs(1) / rate.max(1);
        Self(Load::start(
            every,
            Requests::to_all(addresses),
            move |host, at| {
                let path = path.clone();
                async move { host.get(&path).await.map(|_| at.elapsed()) }
            },
        ))
    }

    /// Stops sending, and returns the outcome of each request.
    pub(super) async fn end(self) -> Vec<Sent> {
        let sent = self.0.end().await.into_iter();
        sent.map(|(at, latency)| Sent { at, latency }).collect()
    }
}

/// Waits until a host serves several requests in a row, and returns the status of the last.
pub(super) async fn wait_until_served(address: &Address, path: &str) -> StatusCode {
    let requests = Requests::to(address.clone());
    let mut in_a_row = 0;
    loop {
        let Some(status) = requests.get(path).await else {
            in_a_row = 0;
            sleep(RETRY_PAUSE).await;
            continue;
        };
        in_a_row += 1;
        if in_a_row == SUCCESSES_IN_A_ROW {
            return status;
        }
    }
}
