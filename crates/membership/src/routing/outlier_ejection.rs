//! Outlier ejection: no calls to a host after failures, until it answers probes.

use std::time::Duration;

use crate::{Moment, Random};

/// Number of consecutive calls without an answer after which a host is ejected. One may be due to
/// the call itself, and two may coincide.
pub const FAILURES_TO_EJECT: u32 = 3;

/// First ejection time: about the duration of a restart.
pub const EJECTED_FIRST: Duration = Duration::from_secs(1);

/// Longest ejection time: a returning host is found within half a minute, and until then probes
/// cost at most one call in half a minute.
pub const EJECTED_MAX: Duration = Duration::from_secs(30);

/// Number of consecutive answered probes before a host gets all calls again: one answer may be
/// luck.
pub const PROBES_TO_RETURN: u32 = 3;

/// Time without failures after which earlier ejections are forgotten; before that, the next one is
/// twice as long.
pub const EJECTION_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// Divisor of the random part of an ejection time, a quarter, so that callers do not return all at
/// once.
const JITTER_DIVISOR: u32 = 4;

/// The kind of a failed call, which determines the certainty that the host is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallFailure {
    /// No answer in time.
    TimedOut,
    /// The bus reported no responders at the host.
    NoResponders,
}

/// Health of a host.
#[derive(Debug)]
pub(super) struct Health {
    state: State,
    /// Number of consecutive ejections.
    ejections: u32,
    /// End of the last ejection.
    returned_at: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Takes all calls. Next: `Ejected`, after consecutive failures.
    Healthy { failures: u32 },
    /// Takes no calls while other hosts are available. Next: `Probing`, when a probe begins after
    /// `until`.
    Ejected { until: Moment },
    /// Takes one call at a time. Next: `Healthy`, after consecutive answers, or `Ejected`, after a
    /// failure.
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

    /// True if a probe may be sent now.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        match self.state {
            State::Healthy { .. } => false,
            State::Ejected { until } => until <= now,
            State::Probing { in_flight, .. } => !in_flight,
        }
    }

    /// Reserves the single probe slot; false if it is taken.
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

    /// Releases the probe slot: its call has ended or was abandoned.
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
            // A call from before the ejection, or one without an alternative.
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

/// Summary of the health for the path of a call, readable without the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum HealthClass {
    /// No recent failures.
    Healthy = 0,
    /// Takes calls, but has recent failures, which an answer resets.
    Failing = 1,
    /// Takes only probes.
    Ejected = 2,
}

/// Ejection time after this number of consecutive ejections.
fn backoff(ejections: u32) -> Duration {
    // 2⁵ times the first is already above the maximum.
    let factor = 1_u32 << ejections.min(5);
    EJECTED_FIRST.saturating_mul(factor).min(EJECTED_MAX)
}

fn jittered(time: Duration, random: &mut Random) -> Duration {
    let part = time / JITTER_DIVISOR;
    // Below two parts, of which one is subtracted: a quarter to either side.
    let spread_us = u32::try_from(2 * part.as_micros()).unwrap_or(u32::MAX);
    time - part + Duration::from_micros(random.below(spread_us).into())
}
