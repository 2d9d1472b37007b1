//! Requests at a steady rate, to each host in turn. One is sent when its time has come, whether those before it
//! were answered or not: that is what users do.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::requests::Requests;

/// The most requests at once; one more counts as lost, for nobody could have answered it.
const IN_FLIGHT_MAX: usize = 4_000;

/// When each request was sent, and what came of it; nothing, if it was lost.
type Sent<T> = Vec<(Instant, Option<T>)>;

/// Requests that go on until they are ended.
pub(super) struct Steady<T> {
    stop: oneshot::Sender<()>,
    sender: JoinSet<Sent<T>>,
}

impl<T: Send + 'static> Steady<T> {
    /// Starts to send one by `send`, which is told its time, each time that `every` has passed.
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

    /// Sends no more, waits for what was sent, and answers what came of it, in the order of sending.
    pub(super) async fn end(mut self) -> Sent<T> {
        // It has ended only if it panicked, and then there is nothing to tell.
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
