//! Telemetry of a host: log lines of guests, events of the host and its lattice, error chains.
//!
//! - [`logs`]: log lines of guests, stored for `weft logs`.
//! - [`events`]: events of the host and its lattice, stored for `weft events`.
//! - [`event_log`]: the bounded log behind both.

pub mod event_log;
pub mod events;
pub mod logs;

/// Formats an error and its causes as one line, for a log.
///
/// ```
/// let error = std::io::Error::other("disk full");
/// assert_eq!(weft_telemetry::chain(&error), "disk full");
/// ```
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
