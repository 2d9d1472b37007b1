//! Open-loop load: requests at a steady rate, to each host in turn. As with real users, a request
//! does not wait for the responses to earlier ones.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::requests::Requests;

/// The maximum number of requests in flight. Further requests count as lost without being sent.
const IN_FLIGHT_MAX: usize = 4_000;

/// The time and the result of each request; the result is `None` if the request was lost.
type Sent<T> = Vec<(Instant, Option<T>)>;

/// Requests at a steady rate, until [`end`](Self::end).
pub(super) struct Load<T> {
    stop: oneshot::Sender<()>,
    sender: JoinSet<Sent<T>>,
}

impl<T: Send + 'static> Load<T> {
    /// Starts to send a request each `every`; `send` receives the host and the time.
    pub(super) fn start<F>(
        every: Duration,
        hosts: Vec<Arc<Requests>>,
        send: impl Fn(Arc<Requests>, Instant) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Option<T>> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let mut sender = JoinSet::new();
        sender.spawn(send_all(every, hosts, send, stopped));
        Self { stop, sender }
    }

    /// Stops sending, waits for requests in flight, and returns all results in the order of
    /// sending.
    pub(super) async fn end(mut self) -> Sent<T> {
        // The receiver is closed only if the task panicked.
        let _ = self.stop.send(());
        let sent = self.sender.join_next().await;
        sent.and_then(Result::ok).unwrap_or_default()
    }
}

async fn send_all<T, F>(
    every: Duration,
    hosts: Vec<Arc<Requests>>,
    send: impl Fn(Arc<Requests>, Instant) -> F,
    mut stopped: oneshot::Receiver<()>,
) -> Sent<T>
where
    T: Send + 'static,
    F: Future<Output = Option<T>> + Send + 'static,
{
    let mut ticks = interval(every);
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
                    sent.push((at, None));
                    continue;
                }
                let sending = send(host.clone(), at);
                running.spawn(async move { (at, sending.await) });
            }
            Some(Ok(ended)) = running.join_next() => sent.push(ended),
        }
    }
    while let Some(ended) = running.join_next().await {
        sent.extend(ended);
    }
    sent.sort_by_key(|(at, _)| *at);
    sent
}
