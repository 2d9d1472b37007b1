//! Requests at a steady rate through several hosts, and what became of each. A request is sent when its time has
//! come, whether those before it were answered or not: that is what users do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::requests::Requests;

/// The most requests at once; one more counts as lost, for nobody could have answered it.
const IN_FLIGHT_MAX: usize = 4_000;

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
pub(super) struct Probes {
    stop: oneshot::Sender<()>,
    sender: JoinSet<Vec<Sent>>,
}

impl Probes {
    /// Starts to send `rate` requests a second, to each address in turn.
    pub(super) fn start(addresses: Vec<SocketAddr>, path: &str, rate: u32) -> Self {
        let (stop, stopped) = oneshot::channel();
        let path: Arc<str> = path.into();
        let hosts = addresses
            .into_iter()
            .map(|address| Arc::new(Requests::to(address)));
        let mut sender = JoinSet::new();
        sender.spawn(send_all(hosts.collect(), path, rate, stopped));
        Self { stop, sender }
    }

    /// Ends them, and answers what became of each.
    pub(super) async fn end(mut self) -> Vec<Sent> {
        // It has ended only if it panicked, and then there is nothing to tell.
        let _ = self.stop.send(());
        let sent = self.sender.join_next().await;
        sent.and_then(Result::ok).unwrap_or_default()
    }
}

/// Waits until every host answers, some times in a row.
pub(super) async fn until_answered(addresses: &[SocketAddr], path: &str) {
    for address in addresses {
        let requests = Requests::to(*address);
        let mut in_a_row = 0;
        while in_a_row < ANSWERS_IN_A_ROW {
            match requests.is_answered(path).await {
                true => in_a_row += 1,
                false => {
                    in_a_row = 0;
                    sleep(ASK_EVERY).await;
                }
            }
        }
    }
}

async fn send_all(
    hosts: Vec<Arc<Requests>>,
    path: Arc<str>,
    rate: u32,
    mut stopped: oneshot::Receiver<()>,
) -> Vec<Sent> {
    let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut running = JoinSet::new();
    let mut sent = Vec::new();
    let mut turns = hosts.iter().cycle();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            at = ticks.tick() => {
                let Some(host) = turns.next() else { break };
                if running.len() >= IN_FLIGHT_MAX {
                    sent.push(Sent { at, took: None });
                    continue;
                }
                let (host, path) = (host.clone(), path.clone());
                running.spawn(async move {
                    let is_answered = host.is_answered(&path).await;
                    Sent { at, took: is_answered.then(|| at.elapsed()) }
                });
            }
            Some(Ok(ended)) = running.join_next() => sent.push(ended),
        }
    }
    while let Some(ended) = running.join_next().await {
        sent.extend(ended);
    }
    sent.sort_by_key(|sent| sent.at);
    sent
}
