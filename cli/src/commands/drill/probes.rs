//! Requests through several hosts, and what became of each.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};

use super::address::Address;
use super::requests::Requests;
use super::steady::Steady;

/// How often a host is asked that does not answer yet.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How often a host has to answer in a row before the drill begins.
const ANSWERS_IN_A_ROW: usize = 10;

/// One request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) at: Instant,
    /// How long the answer took; none if the request was lost.
    pub(super) took: Option<Duration>,
}

/// Requests that go on until they are ended.
pub(super) struct Probes(Steady<Duration>);

impl Probes {
    /// Starts to send `rate` requests a second, to each address in turn.
    pub(super) fn start(addresses: &[Address], path: &str, rate: u32) -> Self {
        let path: Arc<str> = path.into();
        let every = Duration::from_secs(1) / rate.max(1);
        Self(Steady::start(
            every,
            Requests::to_all(addresses),
            move |host, at| {
                let path = path.clone();
                async move { host.answered(&path).await.map(|_| at.elapsed()) }
            },
        ))
    }

    /// Ends them, and answers what became of each.
    pub(super) async fn end(self) -> Vec<Sent> {
        let sent = self.0.end().await.into_iter();
        sent.map(|(at, took)| Sent { at, took }).collect()
    }
}

/// Waits until a host answers, some times in a row. Says the status of the last answer.
pub(super) async fn until_answered(address: &Address, path: &str) -> StatusCode {
    let requests = Requests::to(address.clone());
    let mut in_a_row = 0;
    loop {
        let Some(status) = requests.answered(path).await else {
            in_a_row = 0;
            sleep(ASK_EVERY).await;
            continue;
        };
        in_a_row += 1;
        if in_a_row == ANSWERS_IN_A_ROW {
            return status;
        }
    }
}
