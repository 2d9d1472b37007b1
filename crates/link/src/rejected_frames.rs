//! Counts of rejected frames by reason, logged at a bounded rate, so that a client of the bus
//! cannot fill the disk with log lines.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use weft_wire::FrameError;

/// The shortest time between two log lines.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The most characters of a detail in the log; those of a frame are bounded, but still many.
const DETAIL_CHARS_MAX: usize = 200;

/// Reason for a rejected frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectReason {
    /// The frame is truncated or too long, or has an invalid field.
    Malformed,
    /// The frame has another version.
    Version,
    /// The frame has an unknown kind.
    Kind,
    /// The frame is valid, but its kind is not sent to this receiver.
    Unexpected,
    /// The frame has been received before.
    Replayed,
    /// The frame requires a reply, but its message has no reply subject.
    Unanswerable,
}

/// Counts of rejected frames.
#[derive(Debug, Default)]
pub struct RejectedFrames {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: [u64; RejectReason::ALL.len()],
    last_detail: String,
    has_unlogged: bool,
    logged_at: Option<Instant>,
}

impl RejectReason {
    const ALL: [Self; 6] = [
        Self::Malformed,
        Self::Version,
        Self::Kind,
        Self::Unexpected,
        Self::Replayed,
        Self::Unanswerable,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Kind => "kind",
            Self::Unexpected => "unexpected",
            Self::Replayed => "replayed",
            Self::Unanswerable => "unanswerable",
        }
    }
}

impl RejectedFrames {
    /// Counts a rejected frame.
    pub fn count(&self, reason: RejectReason, detail: impl Display) {
        let mut state = self.state();
        state.counts[reason as usize] += 1;
        state.last_detail = detail.to_string().chars().take(DETAIL_CHARS_MAX).collect();
        state.has_unlogged = true;
        state.log(Instant::now());
    }

    /// Counts bytes that are not a valid frame.
    pub fn count_frame(&self, error: &FrameError) {
        let reason = match error {
            FrameError::Version { .. } => RejectReason::Version,
            FrameError::Kind { .. } => RejectReason::Kind,
            FrameError::Unexpected { .. } => RejectReason::Unexpected,
            _ => RejectReason::Malformed,
        };
        let source = std::error::Error::source(error);
        match source {
            Some(source) => self.count(reason, format_args!("{error}: {source}")),
            None => self.count(reason, error),
        }
    }

    /// Logs the counts, if they have changed and the interval has passed. Called periodically.
    pub fn log(&self) {
        self.state().log(Instant::now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No holder of the lock panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn log(&mut self, now: Instant) {
        let is_due = self.logged_at.is_none_or(|at| now - at >= LOG_INTERVAL);
        if !self.has_unlogged || !is_due {
            return;
        }
        self.logged_at = Some(now);
        self.has_unlogged = false;
        let counts = self.text();
        let last = self.last_detail.escape_debug();
        tracing::warn!(%counts, %last, "frames rejected since the start");
    }

    /// The counts above zero, as `malformed: 2, kind: 1`.
    fn text(&self) -> String {
        let counts = RejectReason::ALL.iter().zip(self.counts);
        let counts = counts.filter(|(_, count)| *count > 0);
        let texts: Vec<_> = counts
            .map(|(reason, count)| format!("{}: {count}", reason.name()))
            .collect();
        texts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_counts_are_logged_at_a_bounded_rate() {
        let rejected = RejectedFrames::default();
        rejected.count(RejectReason::Kind, "a first one");
        assert!(!rejected.state().has_unlogged, "logged at once");
        for _ in 0..1_000 {
            rejected.count(RejectReason::Malformed, "many more");
        }
        assert!(rejected.state().has_unlogged, "not logged yet");
        tokio::time::advance(LOG_INTERVAL).await;
        rejected.log();
        assert!(!rejected.state().has_unlogged);
        assert_eq!(rejected.state().text(), "malformed: 1000, kind: 1");
    }

    #[test]
    fn invalid_frames_are_counted_by_reason() {
        let rejected = RejectedFrames::default();
        let cases: [&[u8]; 5] = [&[], &[1], &[2, 1], &[1, 200], &[1, 1, 0]];
        for bytes in cases {
            let error = weft_wire::Frame::decode(bytes).unwrap_err();
            rejected.count_frame(&error);
        }
        let text = rejected.state().text();
        assert_eq!(text, "malformed: 3, version: 1, kind: 1");
    }

    #[test]
    fn a_long_detail_is_cut() {
        let rejected = RejectedFrames::default();
        rejected.count(RejectReason::Malformed, "x".repeat(100_000));
        assert_eq!(rejected.state().last_detail.len(), DETAIL_CHARS_MAX);
    }
}
