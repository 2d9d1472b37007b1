//! Whether calls go to a host: ejection after failures, and the way back over probes.

use std::time::Duration;

use crate::{Moment, Random};

/// After how many calls in a row without an answer a host is ejected. One may be the call's own fault, and
/// two coincide.
pub const FAILURES_TO_EJECT: u32 = 3;

/// How long a host is ejected the first time: about as long as a restart takes.
pub const EJECTED_FIRST: Duration = Duration::from_secs(1);

/// How long it is ejected at most: what comes back is found within half a minute, and until then costs a
/// call in half a minute.
pub const EJECTED_MAX: Duration = Duration::from_secs(30);

/// How many probes in a row have to be answered before all calls go there again: one answer may be luck.
pub const PROBES_TO_RETURN: u32 = 3;

/// How long after its return an ejection is forgotten; before, the next one is twice as long.
pub const EJECTION_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// By which part a time is longer or shorter at random, so that callers do not come back all at once: a
/// quarter.
const JITTER_DIVISOR: u32 = 4;

/// How sure it is that a host, and not the call, is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallFailure {
    /// There was no answer in time.
    TimedOut,
    /// The bus says that the host does not listen.
    NoResponders,
}

/// Whether calls go to a host.
#[derive(Debug)]
pub(super) struct Health {
    state: State,
    /// How many times in a row it was ejected.
    ejections: u32,
    /// When it came back last.
    returned_at: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// All calls may go there. Leads to `Ejected` by failures in a row.
    Healthy { failures: u32 },
    /// No call goes there while there is another way. Leads to `Probed` by a probe when it is time.
    Ejected { until: Moment },
    /// One call at a time goes there. Leads to `Open` by answers in a row, and to `Ejected` by a failure.
    Probing { answers: u32, in_flight: bool },
}

impl Health {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Healthy { failures: 0 },
            ejections: 0,
            returned_at: Moment::START,
        }
    }

    pub(super) fn class(&self) -> HealthClass {
        match self.state {
            State::Healthy { failures: 0 } => HealthClass::Healthy,
            State::Healthy { .. } => HealthClass::Failing,
            State::Ejected { .. } | State::Probing { .. } => HealthClass::Ejected,
        }
    }

    /// Whether a probe may go there now.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        match self.state {
            State::Healthy { .. } => false,
            State::Ejected { until } => until <= now,
            State::Probing { in_flight, .. } => !in_flight,
        }
    }

    /// Takes the one place for a probe; says whether it was free.
    pub(super) fn begin_probe(&mut self, now: Moment) -> bool {
        let due = self.is_due(now);
        if due {
            let answers = match self.state {
                State::Probing { answers, .. } => answers,
                State::Healthy { .. } | State::Ejected { .. } => 0,
            };
            let in_flight = true;
            self.state = State::Probing { answers, in_flight };
        }
        due
    }

    /// Gives the place for a probe back: its call has ended, or nobody waits for it.
    pub(super) fn end_probe(&mut self) {
        if let State::Probing { in_flight, .. } = &mut self.state {
            *in_flight = false;
        }
    }

    pub(super) fn on_answer(&mut self, now: Moment) {
        match &mut self.state {
            State::Healthy { failures } => *failures = 0,
            // A call from before the ejection.
            State::Ejected { .. } => {}
            State::Probing { answers, .. } => {
                *answers += 1;
                if *answers >= PROBES_TO_RETURN {
                    self.state = State::Healthy { failures: 0 };
                    self.returned_at = now;
                }
            }
        }
    }

    pub(super) fn on_failure(&mut self, now: Moment, failure: CallFailure, random: &mut Random) {
        match &mut self.state {
            State::Healthy { failures } => {
                *failures += 1;
                if *failures >= FAILURES_TO_EJECT || failure == CallFailure::NoResponders {
                    self.eject(now, random);
                }
            }
            // A call from before the ejection, or one that had no other way.
            State::Ejected { .. } => {}
            State::Probing { .. } => self.eject(now, random),
        }
    }

    fn eject(&mut self, now: Moment, random: &mut Random) {
        let was_healthy = matches!(self.state, State::Healthy { .. });
        if was_healthy && now.since(self.returned_at) >= EJECTION_FORGOTTEN_AFTER {
            self.ejections = 0;
        }
        let time = backoff(self.ejections);
        self.ejections = self.ejections.saturating_add(1);
        self.state = State::Ejected {
            until: now + jittered(time, random),
        };
    }
}

/// What a call has to know of a host's health without asking for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum HealthClass {
    /// There is nothing to know.
    Healthy = 0,
    /// Calls go there, and an answer is news.
    Failing = 1,
    /// Calls do not go there, but for probes.
    Ejected = 2,
}

/// How long, after so many ejections in a row before.
fn backoff(ejections: u32) -> Duration {
    // 2⁵ times the first is beyond the maximum already.
    let factor = 1_u32 << ejections.min(5);
    EJECTED_FIRST.saturating_mul(factor).min(EJECTED_MAX)
}

fn jittered(time: Duration, random: &mut Random) -> Duration {
    let part = time / JITTER_DIVISOR;
    // Below two parts, of which one is taken away: a quarter to either side.
    let spread_us = u32::try_from(2 * part.as_micros()).unwrap_or(u32::MAX);
    time - part + Duration::from_micros(random.below(spread_us).into())
}
