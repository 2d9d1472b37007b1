//! Things that are made while a lattice is broken, and whether they are there afterwards: what was acknowledged
//! may not be lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::requests::Requests;

/// How often something is made: often enough to see for how long none can be, and no load.
const MAKE_EVERY: Duration = Duration::from_millis(250);

/// One thing that was to be made.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) at: Instant,
    /// Where it is; none if it was not made, or nobody said so.
    location: Option<String>,
}

/// What became of all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    /// When each was to be made that was not acknowledged.
    pub(super) refused: Vec<Instant>,
    pub(super) made: usize,
    /// Made, and not to be read at every host that was never lost.
    pub(super) missing: usize,
}

/// Things that are made until this is ended.
pub(super) struct Writes {
    hosts: Vec<Arc<Requests>>,
    stop: oneshot::Sender<()>,
    sender: JoinSet<Vec<Write>>,
}

impl Writes {
    /// Starts to post `body` to each host in turn.
    pub(super) fn start(addresses: &[SocketAddr], path: &str, body: &str) -> Self {
        let (stop, stopped) = oneshot::channel();
        let hosts: Vec<_> = addresses
            .iter()
            .map(|address| Arc::new(Requests::to(*address)))
            .collect();
        let (path, body) = (Arc::from(path), Bytes::copy_from_slice(body.as_bytes()));
        let mut sender = JoinSet::new();
        sender.spawn(make_all(hosts.clone(), path, body, stopped));
        Self {
            hosts,
            stop,
            sender,
        }
    }

    /// Makes no more, and reads what was made.
    pub(super) async fn end(mut self) -> Written {
        // It has ended only if it panicked, and then there is nothing to tell.
        let _ = self.stop.send(());
        let writes = self.sender.join_next().await;
        let mut written = Written::default();
        for write in writes.and_then(Result::ok).unwrap_or_default() {
            let Some(location) = write.location else {
                written.refused.push(write.at);
                continue;
            };
            written.made += 1;
            for host in &self.hosts {
                if !host.is_there(&location).await {
                    written.missing += 1;
                    break;
                }
            }
        }
        written
    }
}

async fn make_all(
    hosts: Vec<Arc<Requests>>,
    path: Arc<str>,
    body: Bytes,
    mut stopped: oneshot::Receiver<()>,
) -> Vec<Write> {
    let mut ticks = interval(MAKE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut running = JoinSet::new();
    let mut writes = Vec::new();
    let mut turns = hosts.iter().cycle();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            at = ticks.tick() => {
                let Some(host) = turns.next() else { break };
                let (host, path, body) = (host.clone(), path.clone(), body.clone());
                running.spawn(async move {
                    Write { at, location: host.make(&path, body).await }
                });
            }
            Some(Ok(write)) = running.join_next() => writes.push(write),
        }
    }
    while let Some(Ok(write)) = running.join_next().await {
        writes.push(write);
    }
    writes.sort_by_key(|write| write.at);
    writes
}
