//! The trace of a world: always a digest, and lines for people on request.

use std::fmt;
use std::time::Duration;

/// FNV-1a, by its published constants: the input is not hostile, and the digest has to be the same
/// in every build.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A digest of all events in order: two runs with equal digests were the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceDigest(u64);

/// Records the events of a world.
#[derive(Debug)]
pub(crate) struct Trace {
    digest: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(keeps_lines: bool) -> Self {
        Self {
            digest: OFFSET,
            lines: keeps_lines.then(Vec::new),
        }
    }

    /// Adds a line for people.
    pub(crate) fn line(&mut self, now: Duration, line: &str) {
        self.mix_time(now);
        self.mix(line.as_bytes());
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>9.3} {line}", now.as_secs_f64()));
        }
    }

    /// Adds an event that is too frequent for a line.
    pub(crate) fn numbers(&mut self, now: Duration, numbers: &[u64]) {
        self.mix_time(now);
        for number in numbers {
            self.mix(&number.to_le_bytes());
        }
    }

    pub(crate) fn digest(&self) -> TraceDigest {
        TraceDigest(self.digest)
    }

    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }

    fn mix_time(&mut self, now: Duration) {
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.mix(&now.to_le_bytes());
    }

    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }
}

impl fmt::Display for TraceDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}
