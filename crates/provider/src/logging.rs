//! Log records of guests: what `wasi:logging/logging` is served from.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The WIT package that this capability stands behind.
pub const PACKAGE: &str = "wasi:logging";

/// The longest message kept, in bytes: long enough for a stack trace, short enough that a guest
/// cannot fill the log of the host with one call.
pub const MESSAGE_LEN_MAX: usize = 16 << 10;

/// The longest context kept, in bytes. A context is a name, such as a module or a request id.
pub const CONTEXT_LEN_MAX: usize = 256;

/// Where one component's log records go. The binding knows the app and the component.
pub trait Logging: Send + Sync + 'static {
    /// Takes one record. Never waits: a backend that sends records elsewhere queues them, with a
    /// bound, and drops what does not fit.
    fn log(&self, record: &LogRecord<'_>);
}

/// How serious a record is; the cases and their order are those of `wasi:logging/logging.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What a reader follows step by step.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What an operator may want to know.
    Info,
    /// What may become a fault.
    Warn,
    /// A fault.
    Error,
    /// A fault after which the component cannot go on.
    Critical,
}

/// One log record, bounded.
///
/// # Examples
///
/// ```
/// use weft_provider::logging::{Level, LogRecord, MESSAGE_LEN_MAX};
///
/// let record = LogRecord::new(Level::Info, "checkout", "paid");
/// assert_eq!(record.message(), "paid");
///
/// let long = "x".repeat(MESSAGE_LEN_MAX + 10);
/// let record = LogRecord::new(Level::Info, "checkout", &long);
/// assert!(record.message().ends_with("… [10 of 16394 bytes cut]"));
/// ```
#[derive(Clone, Debug)]
pub struct LogRecord<'a> {
    level: Level,
    context: Cow<'a, str>,
    message: Cow<'a, str>,
}

/// The name of a level that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a log level; use `trace`, `debug`, `info`, `warn`, `error` or `critical`")]
pub struct UnknownLevel(String);

// === impl LogRecord ===

impl<'a> LogRecord<'a> {
    /// A record; a context or message that is too long is cut, and the end of it says so.
    #[must_use]
    pub fn new(level: Level, context: &'a str, message: &'a str) -> Self {
        Self {
            level,
            context: cut(context, CONTEXT_LEN_MAX),
            message: cut(message, MESSAGE_LEN_MAX),
        }
    }

    /// How serious the record is.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// What the guest says the record is about; may be empty.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The text of the record.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The first `len_max` bytes of `text`, back to a character boundary, with a note of what is missing.
fn cut(text: &str, len_max: usize) -> Cow<'_, str> {
    if text.len() <= len_max {
        return Cow::Borrowed(text);
    }
    let kept = &text[..text.floor_char_boundary(len_max)];
    let missing = text.len() - kept.len();
    Cow::Owned(format!("{kept}… [{missing} of {} bytes cut]", text.len()))
}

// === impl Level ===

impl Level {
    /// The name of the level in WIT and in configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        [
            Self::Trace,
            Self::Debug,
            Self::Info,
            Self::Warn,
            Self::Error,
            Self::Critical,
        ]
        .into_iter()
        .find(|level| level.name() == name)
        .ok_or_else(|| UnknownLevel(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let text = "é".repeat(MESSAGE_LEN_MAX);
        let record = LogRecord::new(Level::Warn, "", &text);
        assert!(record.message().starts_with("éé"));
        assert!(record.message().ends_with("… [16384 of 32768 bytes cut]"));
    }

    #[test]
    fn a_message_of_exactly_the_limit_is_kept() {
        let text = "x".repeat(MESSAGE_LEN_MAX);
        assert_eq!(LogRecord::new(Level::Warn, "", &text).message(), text);
    }

    #[test]
    fn levels_are_ordered_and_read_by_name() {
        assert!(Level::Trace < Level::Critical);
        assert_eq!("warn".parse(), Ok(Level::Warn));
        assert!("WARNING".parse::<Level>().is_err());
    }
}
