//! Log records of guests, the backend of `wasi:logging/logging`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The WIT package of this capability.
pub const PACKAGE: &str = "wasi:logging";

/// The longest message, in bytes: long enough for a stack trace, short enough that a guest cannot
/// fill the log of the host with one call.
pub const MESSAGE_LEN_MAX: usize = 16 << 10;

/// The longest context, in bytes. A context is a name, such as a module or a request id.
pub const CONTEXT_LEN_MAX: usize = 256;

/// The log of one component. The implementation has the app and the component from the link.
pub trait Logging: Send + Sync + 'static {
    /// Writes one record without waiting: a backend that sends records elsewhere queues them, with
    /// a limit, and drops the excess.
    fn log(&self, record: &LogRecord<'_>);
}

/// The severity of a record; the cases and their order are those of `wasi:logging/logging.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Details of each step.
    Trace,
    /// Details that help to find a fault.
    Debug,
    /// Information for an operator.
    Info,
    /// A possible fault.
    Warn,
    /// A fault.
    Error,
    /// A fault after which the component cannot continue.
    Critical,
}

/// A log record of limited size.
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
    /// Creates a record; a context or message that is too long is cut and ends with a note about
    /// that.
    #[must_use]
    pub fn new(level: Level, context: &'a str, message: &'a str) -> Self {
        Self {
            level,
            context: cut(context, CONTEXT_LEN_MAX),
            message: cut(message, MESSAGE_LEN_MAX),
        }
    }

    /// The severity.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// The subject of the record, as set by the guest; may be empty.
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

/// Cuts `text` to `len_max` bytes, at a character boundary, and notes the number of missing bytes.
fn cut(text: &str, len_max: usize) -> Cow<'_, str> {
    if text.len() <= len_max {
        return Cow::Borrowed(text);
    }
    let prefix = &text[..text.floor_char_boundary(len_max)];
    let missing = text.len() - prefix.len();
    Cow::Owned(format!("{prefix}… [{missing} of {} bytes cut]", text.len()))
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
