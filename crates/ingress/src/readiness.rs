//! Readiness of the host for requests of clients, as load balancers poll it: `200` if the host may
//! get requests, `503` with the reason before its start is complete and while it drains.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

/// The path of the readiness of a host, on every host name. It goes before the routes of apps.
pub const READY_PATH: &str = "/.well-known/weft/ready";

/// The time after a request to [`READY_PATH`] for which the host counts as followed by a load
/// balancer: several of the longest usual intervals between two polls.
const FOLLOWED_FOR: Duration = Duration::from_secs(60);

/// Readiness of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// The host may get requests.
    Ready,
    /// The start is not complete.
    Starting,
    /// The host drains: requests should go to other hosts. Those that still arrive are answered.
    Draining,
}

/// The readiness of the host now, and a record of the requests for it. Shared by all servers of the
/// host.
pub struct ReadinessSource {
    readiness: Box<dyn Fn() -> Readiness + Send + Sync>,
    polls: Mutex<Polls>,
}

/// The polls of load balancers.
#[derive(Debug, Default, Clone, Copy)]
struct Polls {
    last: Option<Instant>,
    /// The first poll that was answered with [`Readiness::Draining`], and not with
    /// [`Readiness::Ready`] since.
    refused_since: Option<Instant>,
}

impl Readiness {
    /// The status of a response.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Ready => StatusCode::OK,
            Self::Starting | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The body of a response, for people.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Ready => "ready\n",
            Self::Starting => "not ready: the host starts its components\n",
            Self::Draining => "not ready: the host drains\n",
        }
    }
}

impl ReadinessSource {
    /// The readiness is what `readiness` returns at each poll.
    #[must_use]
    pub fn new(readiness: impl Fn() -> Readiness + Send + Sync + 'static) -> Self {
        Self {
            readiness: Box::new(readiness),
            polls: Mutex::default(),
        }
    }

    /// Answers a poll.
    pub fn poll(&self) -> Readiness {
        let (readiness, now) = ((self.readiness)(), Instant::now());
        let mut polls = self.polls();
        polls.last = Some(now);
        polls.refused_since = match readiness {
            Readiness::Draining => polls.refused_since.or(Some(now)),
            Readiness::Ready | Readiness::Starting => None,
        };
        readiness
    }

    /// True if a load balancer follows the readiness: it polled within the last minute.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        let last = self.polls().last;
        last.is_some_and(|last| last.elapsed() < FOLLOWED_FOR)
    }

    /// The rest of a drain's `notice`: load balancers that know of the drain for longer have
    /// reacted.
    #[must_use]
    pub fn notice_left(&self, notice: Duration) -> Duration {
        let refused_since = self.polls().refused_since;
        let noticed = refused_since.map_or(Duration::ZERO, |since| since.elapsed());
        notice.saturating_sub(noticed)
    }

    fn polls(&self) -> MutexGuard<'_, Polls> {
        // The code under the lock does not panic.
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A readiness that the test changes.
    fn source() -> (Arc<Mutex<Readiness>>, ReadinessSource) {
        let state = Arc::new(Mutex::new(Readiness::Ready));
        let readiness = state.clone();
        (
            state,
            ReadinessSource::new(move || *readiness.lock().unwrap()),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_counts_as_followed_for_a_minute_after_a_poll() {
        let (_, source) = source();
        assert!(!source.is_followed());
        assert_eq!(source.poll(), Readiness::Ready);
        tokio::time::advance(FOLLOWED_FOR / 2).await;
        assert!(source.is_followed());
        tokio::time::advance(FOLLOWED_FOR / 2).await;
        assert!(!source.is_followed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_notice_of_a_drain_begins_with_the_first_poll_that_reports_it() {
        const NOTICE: Duration = Duration::from_secs(5);
        let (state, source) = source();
        source.poll();
        *state.lock().unwrap() = Readiness::Draining;
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(source.notice_left(NOTICE), NOTICE);
        for left in [5, 3, 1, 0] {
            source.poll();
            assert_eq!(source.notice_left(NOTICE), Duration::from_secs(left));
            tokio::time::advance(Duration::from_secs(2)).await;
        }
        *state.lock().unwrap() = Readiness::Ready;
        source.poll();
        assert_eq!(source.notice_left(NOTICE), NOTICE);
    }
}
