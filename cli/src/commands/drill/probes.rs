//! Requests at a steady rate through several hosts, and what became of each. A request is sent when its time has
//! come, whether those before it were answered or not: that is what users do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

/// How long an answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(10);

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

/// The connections to one host that no request uses.
struct Idle {
    address: SocketAddr,
    connections: Mutex<Vec<SendRequest<Empty<Bytes>>>>,
    /// What moves their bytes; each ends with its connection.
    tasks: Mutex<JoinSet<()>>,
}

impl Probes {
    /// Starts to send `rate` requests a second, to each address in turn.
    pub(super) fn start(addresses: Vec<SocketAddr>, path: &str, rate: u32) -> Self {
        let (stop, stopped) = oneshot::channel();
        let path: Arc<str> = path.into();
        let hosts = addresses
            .into_iter()
            .map(|address| Arc::new(Idle::new(address)));
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
        let idle = Idle::new(*address);
        let mut in_a_row = 0;
        while in_a_row < ANSWERS_IN_A_ROW {
            match idle.is_answered(path).await {
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
    hosts: Vec<Arc<Idle>>,
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

impl Idle {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            connections: Mutex::default(),
            tasks: Mutex::default(),
        }
    }

    /// Sends a request, and says whether it was answered as it should be.
    async fn is_answered(&self, path: &str) -> bool {
        let asked = timeout(ANSWER_MAX, self.ask(path)).await;
        matches!(asked, Ok(Some(status)) if status < 500)
    }

    async fn ask(&self, path: &str) -> Option<u16> {
        let kept = self.connections().pop().filter(|kept| !kept.is_closed());
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        connection.ready().await.ok()?;
        let request = http::Request::get(path)
            .header(http::header::HOST, self.address.to_string())
            .body(Empty::new());
        let answer = connection.send_request(request.ok()?).await.ok()?;
        let status = answer.status().as_u16();
        // The answer is there when all of it is.
        answer.into_body().collect().await.ok()?;
        self.connections().push(connection);
        Some(status)
    }

    async fn connect(&self) -> Option<SendRequest<Empty<Bytes>>> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            // A request that it breaks is lost, and that is counted.
            let _ = connection.await;
        });
        Some(sender)
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Empty<Bytes>>>> {
        // Nothing panics while it holds the lock.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
