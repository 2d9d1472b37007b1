//! Times of the attempts to connect, which all connections of a host share.
//!
//! A host is of use to others only when all its connections are back: one with its calls but
//! without its replies receives work and loses the results. So its connections wait for the same
//! moments, while those of different hosts differ by a random part.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::RECONNECT_PAUSE_MAX;

/// Pause after the first failed attempt; doubles up to [`RECONNECT_PAUSE_MAX`].
const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(20);

/// The times of attempts. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct ReconnectSchedule {
    /// The next attempt, or the last one if it has passed.
    next: Arc<Mutex<Option<Instant>>>,
}

impl ReconnectSchedule {
    /// The pause of a connection before its attempt number `attempt` (from 1): until the next
    /// attempt of the host's other connections, or a new random one.
    pub(super) fn pause(&self, attempt: usize) -> Duration {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        match *next {
            Some(next) if next > now => next - now,
            _ => {
                let pause = random_pause(attempt);
                *next = Some(now + pause);
                pause
            }
        }
    }
}

/// A random pause within the upper half of a doubling interval, so that hosts do not reconnect all
/// at once.
fn random_pause(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = RECONNECT_PAUSE_MIN.saturating_mul(1 << doublings.min(16));
    jittered(pause.min(RECONNECT_PAUSE_MAX))
}

fn jittered(pause: Duration) -> Duration {
    // Each `RandomState` has its own keys; the hashed value does not matter.
    let random = RandomState::new().hash_one(pause) % 1000;
    let share = 0.5 + random as f64 / 2000.0;
    pause.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_are_random() {
        for attempt in 0..200 {
            let pause = random_pause(attempt);
            assert!(pause >= RECONNECT_PAUSE_MIN / 2 && pause <= RECONNECT_PAUSE_MAX);
        }
        assert!(random_pause(100) >= RECONNECT_PAUSE_MAX / 2);
        let different: BTreeSet<Duration> = (0..20).map(|_| random_pause(100)).collect();
        assert!(different.len() > 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_connections_of_one_host_attempt_at_the_same_times() {
        let schedule = ReconnectSchedule::default();
        // They notice the loss one after the other, within the time of a few attempts.
        let lost_after = [0, 1, 25, 140];
        let attempts = lost_after.map(|milliseconds| {
            let schedule = schedule.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                let mut times = Vec::new();
                for attempt in 1..20 {
                    tokio::time::sleep(schedule.pause(attempt)).await;
                    times.push(Instant::now());
                }
                times
            }
        });
        let times = futures_util::future::join_all(attempts).await;
        let last = *times[0].last().expect("there are attempts");
        let settled = last - 5 * RECONNECT_PAUSE_MAX;
        let late = |times: &[Instant]| -> Vec<Instant> {
            let late = times.iter().filter(|time| (settled..=last).contains(time));
            late.copied().collect()
        };
        let first = late(&times[0]);
        assert!(first.len() >= 5);
        for other in &times[1..] {
            assert_eq!(late(other), first);
        }
    }
}
