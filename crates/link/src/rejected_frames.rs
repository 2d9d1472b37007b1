//! What came as a frame and was none for this host: counted by reason, and said in the log at a bounded rate,
//! so that whoever can reach the bus cannot fill the disk.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use weft_wire::FrameError;

/// How often the log says what was refused, at most.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The most of a reason that the log shows; what a frame holds is bounded, and still long.
const REASON_CHARS: usize = 200;

/// Why a frame was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is cut off, too long, or a field is not as it has to be.
    Malformed,
    /// It is of another version.
    Version,
    /// It is of a kind that links do not have.
    Kind,
    /// It is a frame, but none that is sent there.
    Unexpected,
    /// It was there before.
    Replayed,
    /// It asks for an answer, and does not say where.
    Unanswerable,
}

/// How many frames were refused.
#[derive(Debug, Default)]
pub struct Refusals {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: [u64; Refusal::ALL.len()],
    /// What the last one was refused for.
    last: String,
    /// Whether the log does not say so yet.
    is_news: bool,
    told: Option<Instant>,
}

impl Refusal {
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

impl Refusals {
    /// Takes note of a frame that was refused.
    pub fn count(&self, refusal: Refusal, reason: impl Display) {
        let mut state = self.state();
        state.counts[refusal as usize] += 1;
        state.last = reason.to_string().chars().take(REASON_CHARS).collect();
        state.is_news = true;
        state.tell(Instant::now());
    }

    /// Takes note of bytes that are no frame.
    pub fn count_frame(&self, error: &FrameError) {
        let refusal = match error {
            FrameError::Version { .. } => Refusal::Version,
            FrameError::Kind { .. } => Refusal::Kind,
            FrameError::Unexpected { .. } => Refusal::Unexpected,
            _ => Refusal::Malformed,
        };
        let source = std::error::Error::source(error);
        match source {
            Some(source) => self.count(refusal, format_args!("{error}: {source}")),
            None => self.count(refusal, error),
        }
    }

    /// Says what was not said yet, if it is time. Called now and then.
    pub fn tell(&self) {
        self.state().tell(Instant::now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&mut self, now: Instant) {
        let is_time = self.told.is_none_or(|told| now - told >= TOLD_EVERY);
        if !self.is_news || !is_time {
            return;
        }
        self.told = Some(now);
        self.is_news = false;
        let counts = self.text();
        let last = self.last.escape_debug();
        tracing::warn!(%counts, %last, "frames were refused, in all since the start");
    }

    /// The counts of what there was, as `malformed: 2, kind: 1`.
    fn text(&self) -> String {
        let counts = Refusal::ALL.iter().zip(self.counts);
        let counts = counts.filter(|(_, count)| *count > 0);
        let texts: Vec<_> = counts
            .map(|(refusal, count)| format!("{}: {count}", refusal.name()))
            .collect();
        texts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_log_is_told_at_a_bounded_rate_and_in_the_end_of_all() {
        let refusals = Refusals::default();
        refusals.count(Refusal::Kind, "a first one");
        assert!(!refusals.state().is_news, "it was told at once");
        for _ in 0..1_000 {
            refusals.count(Refusal::Malformed, "many more");
        }
        assert!(refusals.state().is_news, "they were not");
        tokio::time::advance(TOLD_EVERY).await;
        refusals.tell();
        assert!(!refusals.state().is_news);
        assert_eq!(refusals.state().text(), "malformed: 1000, kind: 1");
    }

    #[test]
    fn bytes_are_counted_by_what_is_wrong_with_them() {
        let refusals = Refusals::default();
        let cases: [&[u8]; 5] = [&[], &[1], &[2, 1], &[1, 200], &[1, 1, 0]];
        for bytes in cases {
            let error = weft_wire::Frame::decode(bytes).unwrap_err();
            refusals.count_frame(&error);
        }
        let text = refusals.state().text();
        assert_eq!(text, "malformed: 3, version: 1, kind: 1");
    }

    #[test]
    fn a_reason_is_not_shown_in_full_length() {
        let refusals = Refusals::default();
        refusals.count(Refusal::Malformed, "x".repeat(100_000));
        assert_eq!(refusals.state().last.len(), REASON_CHARS);
    }
}
