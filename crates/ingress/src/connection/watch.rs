//! Serves a connection, and closes it when its client sends no request, does not read a response,
//! or has left; one timer for each connection.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Admission, Connection};

/// The longest time from the start of a connection to the end of its first request head, and from
/// the first byte of each further head of HTTP/1.1 to its last.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The default time for which a connection without requests stays open: longer than load balancers
/// keep theirs (60 s), so that they close first, and no request meets a connection that closes.
pub const KEEP_ALIVE_DEFAULT: Duration = Duration::from_secs(75);

/// The longest time for which a client may read nothing of a response.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The same while the server stops.
pub(crate) const READ_TIMEOUT_STOPPING: Duration = Duration::from_secs(5);

/// The fewest bytes within [`READ_TIMEOUT`] that count as reading on an HTTP/2 connection: pings
/// and settings are answered without it.
const READ_BYTES_MIN: u64 = 16 << 10;

/// The longest time for which a component works on for a client of HTTP/1.1 that has closed its
/// sending half and gets no bytes: it may still read, or it may have left.
pub(crate) const CLIENT_END_WAIT: Duration = Duration::from_secs(5);

/// The time for a client to close an idle connection that this host closes.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// The time between two looks at a connection without requests.
const TICK_IDLE: Duration = Duration::from_secs(5);

/// The time between two looks at a connection with requests, or that closes.
const TICK_BUSY: Duration = Duration::from_secs(1);

/// Serves `connection` until it ends. It takes no new request after the token of its admission is
/// cancelled, which `stop` causes too. Errors of a connection are its client's concern, so they are
/// only logged.
///
/// `shut_down` has the connection take no new request. An upgraded connection has ended, too.
pub(crate) async fn serve<C, E>(
    (connection, shut_down): (C, impl Fn(Pin<&mut C>)),
    admission: &Admission,
    keep_alive: Duration,
    stop: &CancellationToken,
) where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut connection = std::pin::pin!(connection);
    let mut watch = Watch::new(&admission.connection, keep_alive, Instant::now());
    let mut tick = std::pin::pin!(sleep(TICK_BUSY));
    loop {
        tokio::select! {
            // The connection comes first: a request that is in the socket at the stop is served.
            biased;
            outcome = connection.as_mut() => {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "connection failed");
                }
                return;
            }
            () = admission.connection.close.cancelled(), if watch.closing_since.is_none() => {
                shut_down(connection.as_mut());
                let now = Instant::now();
                watch.close(now);
                tick.as_mut().reset(now + watch.until_next_look());
            }
            () = tick.as_mut() => {
                let now = Instant::now();
                let verdict = watch.look(now, stop.is_cancelled());
                admission.mark(watch.connection.is_idle());
                match verdict {
                    Verdict::Open => {}
                    Verdict::Close => {
                        shut_down(connection.as_mut());
                        watch.close(now);
                    }
                    Verdict::Drop(reason) => {
                        tracing::debug!(reason, "closed a connection");
                        return;
                    }
                }
                tick.as_mut().reset(now + watch.until_next_look());
            }
        }
    }
}

/// The decision about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Open,
    /// Close it once its requests are complete.
    Close,
    /// Close it at once.
    Drop(&'static str),
}

/// The progress of a connection at the last look, and the time of the last change.
struct Watch<'a> {
    connection: &'a Connection,
    keep_alive: Duration,
    closing_since: Option<Instant>,
    requests: u32,
    idle_since: Instant,
    head_since: Option<Instant>,
    /// Since when the client reads nothing, with the progress then.
    unread_since: Option<(Instant, ReadProgress)>,
    /// Since when the client has closed its sending half and gets no bytes, with their number.
    client_end: Option<(Instant, u64)>,
}

/// How much a client has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ReadProgress {
    written_bytes: u64,
    body_polls: u32,
}

impl<'a> Watch<'a> {
    fn new(connection: &'a Connection, keep_alive: Duration, now: Instant) -> Self {
        Self {
            connection,
            keep_alive,
            closing_since: None,
            requests: 0,
            idle_since: now,
            head_since: None,
            unread_since: None,
            client_end: None,
        }
    }

    /// Notes that the connection takes no new request.
    fn close(&mut self, now: Instant) {
        self.closing_since.get_or_insert(now);
    }

    fn until_next_look(&self) -> Duration {
        match self.connection.is_idle() && self.closing_since.is_none() {
            true => TICK_IDLE,
            false => TICK_BUSY,
        }
    }

    fn look(&mut self, now: Instant, is_stopping: bool) -> Verdict {
        if self.connection.is_idle() {
            self.unread_since = None;
            self.client_end = None;
            return self.look_at_idle(now);
        }
        self.idle_since = now;
        self.head_since = None;
        self.look_at_busy(now, is_stopping)
    }

    fn look_at_idle(&mut self, now: Instant) -> Verdict {
        let connection = self.connection;
        let requests = connection.requests.load(Ordering::Relaxed);
        if requests != self.requests {
            self.requests = requests;
            self.idle_since = now;
            self.head_since = None;
        }
        if let Some(since) = self.closing_since {
            return drop_after(now, since, CLOSE_WAIT, "its client did not close it");
        }
        if requests == 0 {
            return drop_after(now, self.idle_since, HEAD_TIMEOUT, "no request in time");
        }
        let is_http2 = connection.is_http2.load(Ordering::Relaxed);
        if !is_http2 && connection.has_begun_head.load(Ordering::Relaxed) {
            let since = *self.head_since.get_or_insert(now);
            return drop_after(now, since, HEAD_TIMEOUT, "a head was not sent in time");
        }
        match now.duration_since(self.idle_since) >= self.keep_alive {
            true => Verdict::Close,
            false => Verdict::Open,
        }
    }

    fn look_at_busy(&mut self, now: Instant, is_stopping: bool) -> Verdict {
        let connection = self.connection;
        let is_http2 = connection.is_http2.load(Ordering::Relaxed);
        let progress = ReadProgress {
            written_bytes: connection.written_bytes.load(Ordering::Relaxed),
            body_polls: connection.body_polls.load(Ordering::Relaxed),
        };
        if let Some(verdict) = self.look_at_reading(now, is_stopping, is_http2, progress) {
            return verdict;
        }
        // HTTP/2 connections end with their client.
        if is_http2 {
            return Verdict::Open;
        }
        connection.checks_client.store(true, Ordering::Relaxed);
        if !connection.has_client_ended.load(Ordering::Relaxed) {
            return Verdict::Open;
        }
        let written = progress.written_bytes;
        let since = match self.client_end {
            Some((since, before)) if before == written => since,
            _ => now,
        };
        self.client_end = Some((since, written));
        drop_after(now, since, CLIENT_END_WAIT, "its client left")
    }

    /// The verdict about a client that does not read; `None` if the client reads, or there is
    /// nothing to read.
    fn look_at_reading(
        &mut self,
        now: Instant,
        is_stopping: bool,
        is_http2: bool,
        progress: ReadProgress,
    ) -> Option<Verdict> {
        let connection = self.connection;
        let is_blocked = connection.is_write_blocked.load(Ordering::Relaxed);
        let is_unread = is_http2 && connection.unread_bodies.load(Ordering::Relaxed) > 0;
        if !is_blocked && !is_unread {
            self.unread_since = None;
            return None;
        }
        let since = match self.unread_since {
            Some((since, before)) if !before.has_advanced(progress, is_http2) => since,
            _ => {
                self.unread_since = Some((now, progress));
                now
            }
        };
        let timeout = match is_stopping {
            true => READ_TIMEOUT_STOPPING,
            false => READ_TIMEOUT,
        };
        match drop_after(now, since, timeout, "its client does not read") {
            Verdict::Open => None,
            verdict => Some(verdict),
        }
    }
}

impl ReadProgress {
    fn has_advanced(self, now: Self, is_http2: bool) -> bool {
        let written = now.written_bytes - self.written_bytes;
        match is_http2 {
            true => now.body_polls != self.body_polls || written >= READ_BYTES_MIN,
            false => written > 0,
        }
    }
}

fn drop_after(now: Instant, since: Instant, timeout: Duration, reason: &'static str) -> Verdict {
    match now.duration_since(since) >= timeout {
        true => Verdict::Drop(reason),
        false => Verdict::Open,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::task::TaskTracker;

    use super::*;

    const KEEP_ALIVE: Duration = Duration::from_secs(75);

    fn connection() -> Arc<Connection> {
        Arc::new(Connection::new(
            CancellationToken::new(),
            TaskTracker::new(),
        ))
    }

    /// The time until a verdict other than `Open`, and the verdict.
    fn verdict(watch: &mut Watch<'_>, mut at_each_look: impl FnMut()) -> (Duration, Verdict) {
        let start = Instant::now();
        let mut now = start;
        while now.duration_since(start) < 2 * KEEP_ALIVE {
            now += watch.until_next_look();
            at_each_look();
            let verdict = watch.look(now, false);
            if verdict != Verdict::Open {
                return (now.duration_since(start), verdict);
            }
        }
        (now.duration_since(start), Verdict::Open)
    }

    #[track_caller]
    fn is_dropped_after(timeout: Duration, (after, verdict): (Duration, Verdict)) {
        assert!(matches!(verdict, Verdict::Drop(_)), "{verdict:?}");
        assert!(
            after >= timeout && after <= timeout + 2 * TICK_IDLE,
            "{after:?}"
        );
    }

    #[test]
    fn a_silent_connection_is_dropped_after_the_head_timeout() {
        let connection = connection();
        let mut watch = Watch::new(&connection, KEEP_ALIVE, Instant::now());
        // Neither half a head nor a preface without a stream counts as a request.
        is_dropped_after(HEAD_TIMEOUT, verdict(&mut watch, || connection.received()));
    }

    #[test]
    fn an_idle_connection_closes_after_the_keep_alive() {
        for is_http2 in [false, true] {
            let connection = connection();
            drop(connection.begin_request(is_http2));
            let mut watch = Watch::new(&connection, KEEP_ALIVE, Instant::now());
            let (after, verdict) = verdict(&mut watch, || {});
            assert_eq!(verdict, Verdict::Close, "{is_http2}");
            assert!(after >= KEEP_ALIVE && after <= KEEP_ALIVE + 2 * TICK_IDLE);
        }
    }

    #[test]
    fn a_second_head_that_is_not_sent_in_time_ends_its_connection() {
        let connection = connection();
        drop(connection.begin_request(false));
        connection.received();
        let mut watch = Watch::new(&connection, KEEP_ALIVE, Instant::now());
        is_dropped_after(HEAD_TIMEOUT, verdict(&mut watch, || {}));
    }

    #[test]
    fn pings_do_not_end_an_idle_http2_connection_early() {
        let connection = connection();
        drop(connection.begin_request(true));
        let mut watch = Watch::new(&connection, KEEP_ALIVE, Instant::now());
        let (after, verdict) = verdict(&mut watch, || connection.received());
        assert_eq!(verdict, Verdict::Close);
        assert!(after >= KEEP_ALIVE);
    }

    #[test]
    fn a_connection_whose_component_works_stays_open() {
        for is_http2 in [false, true] {
            let connection = connection();
            let request = connection.begin_request(is_http2);
            let mut watch = Watch::new(&connection, KEEP_ALIVE, Instant::now());
            let (_, verdict) = verdict(&mut watch, || {});
            assert_eq!(verdict, Verdict::Open);
            drop(request);
        }
    }

    #[test]
    fn a_client_that_does_not_read_loses_its_connection() {
        for is_http2 in [false, true] {
            let connection = connection();
            let request = connection.begin_request(is_http2);
            match is_http2 {
                true => connection.unread_bodies.store(1, Ordering::Relaxed),
                false => connection.wrote(None),
            }
            let mut watch = Watch::new(&connection, KEEP_ALIVE, Instant::now());
            // The pings of an HTTP/2 client are answered.
            let pong = || connection.wrote(Some(17));
            let found = match is_http2 {
                true => verdict(&mut watch, pong),
                false => verdict(&mut watch, || {}),
            };
            is_dropped_after(READ_TIMEOUT, found);
            drop(request);
        }
    }

    #[test]
    fn a_client_that_reads_slowly_keeps_its_connection() {
        for is_http2 in [false, true] {
            let connection = connection();
            let request = connection.begin_request(is_http2);
            let read = || {
                connection.unread_bodies.store(1, Ordering::Relaxed);
                connection.body_polls.fetch_add(1, Ordering::Relaxed);
                connection.wrote(Some(100));
                connection.wrote(None);
            };
            let mut watch = Watch::new(&connection, KEEP_ALIVE, Instant::now());
            assert_eq!(verdict(&mut watch, read).1, Verdict::Open);
            drop(request);
        }
    }

    #[test]
    fn a_stop_waits_less_for_a_client_that_does_not_read() {
        let connection = connection();
        let request = connection.begin_request(false);
        connection.wrote(None);
        let start = Instant::now();
        let mut watch = Watch::new(&connection, KEEP_ALIVE, start);
        assert_eq!(watch.look(start, true), Verdict::Open);
        let verdict = watch.look(start + READ_TIMEOUT_STOPPING, true);
        assert!(matches!(verdict, Verdict::Drop(_)), "{verdict:?}");
        drop(request);
    }

    #[test]
    fn a_client_that_has_left_ends_its_request() {
        let connection = connection();
        let request = connection.begin_request(false);
        connection.has_client_ended.store(true, Ordering::Relaxed);
        let mut watch = Watch::new(&connection, KEEP_ALIVE, Instant::now());
        is_dropped_after(CLIENT_END_WAIT, verdict(&mut watch, || {}));
        // A client that has closed its sending half reads on.
        let mut watch = Watch::new(&connection, KEEP_ALIVE, Instant::now());
        let read = || connection.wrote(Some(100));
        assert_eq!(verdict(&mut watch, read).1, Verdict::Open);
        drop(request);
    }
}
