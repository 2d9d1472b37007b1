//! Questions to ejected hosts whether they answer again: without them, one that serves no calls that may be
//! made twice would never come back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weft_lattice::Random;
use weft_lattice::bus::{Bus, RequestError};
use weft_lattice::routing::{Outcome, Probe};
use weft_wire::{Frame, Renew, SessionId};

use super::clock::Clock;
use super::subjects::Subjects;
use crate::links::wire::encoded;

/// How many probes wait to be sent: more hosts than that are not ejected at once but by a fault of this
/// host's own. What finds no place is due again at the next tick.
pub(super) const PROBES_WAITING_MAX: usize = 64;

/// How many probes are on their way at once.
const PROBES_IN_FLIGHT_MAX: usize = 16;

/// How long a probe waits for its answer: a host that takes longer for a question without work is not one
/// to send calls to.
const PROBE_TIME_MAX: Duration = Duration::from_secs(1);

/// What sends probes.
pub(super) struct Probing {
    pub(super) bus: Bus,
    pub(super) subjects: Subjects,
    pub(super) clock: Clock,
    /// Owns the tasks that wait for answers.
    pub(super) tasks: TaskTracker,
}

impl Probing {
    /// Sends the probes that come, until `stop`.
    pub(super) async fn run(self, mut probes: mpsc::Receiver<Probe>, stop: CancellationToken) {
        let this = Arc::new(self);
        let places = Arc::new(Semaphore::new(PROBES_IN_FLIGHT_MAX));
        loop {
            let next = async {
                let place = places.clone().acquire_owned().await.ok()?;
                Some((probes.recv().await?, place))
            };
            let next = tokio::select! {
                next = next => next,
                () = stop.cancelled() => return,
            };
            let Some((probe, place)) = next else { return };
            let asking = this.clone();
            this.tasks.spawn(async move {
                asking.ask(probe).await;
                drop(place);
            });
        }
    }

    async fn ask(&self, probe: Probe) {
        let Some(subject) = self.subjects.calls_of(probe.host()) else {
            return;
        };
        // It goes the way of calls and does nothing: there is no such session.
        let question = encoded(&Frame::Renew(Renew {
            session: SessionId([0; 16]),
        }));
        let until = Instant::now() + PROBE_TIME_MAX;
        let answered = self.bus.request(&subject, Bytes::from(question), until);
        let outcome = match answered.await {
            Ok(_) => Outcome::Answered,
            Err(RequestError::NoResponders { .. }) => Outcome::NoResponders,
            Err(RequestError::Deadline { .. }) => Outcome::TimedOut,
            Err(RequestError::ConnectionLost { .. }) => Outcome::Lost,
            Err(
                RequestError::Disconnected
                | RequestError::TooMany
                | RequestError::TooLarge { .. },
            ) => Outcome::NotSent,
        };
        let mut random = Random::from_seed(super::random_seed());
        tracing::debug!(host = probe.host().short(), ?outcome, "an ejected host was probed");
        probe.outcome(outcome, self.clock.now(), &mut random);
    }
}
