//! Log lines of guests: `tracing` events of one target; the newest are stored for `weft logs`.

use std::borrow::Cow;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use weft_control::LogLine;

use crate::event_log::{BoundedLog, Capacity, Numbered};

/// The `tracing` target of all log lines of guests.
pub const GUEST_TARGET: &str = "weft::guest";

/// The stream of messages of the host about a guest.
pub const GUEST_STREAM_HOST: &str = "host";

/// The most stored lines.
const LINES_MAX: Capacity = Capacity {
    entries: 10_000,
    bytes: 8 << 20,
};

/// The longest message of a line, in bytes: longer than any line of a guest's output, and enough
/// for the causes of a trap. What a guest or another host contributes to a message has no other
/// bound.
pub const MESSAGE_BYTES_MAX: usize = 24 << 10;

/// In front of each further line of a message. Lines of the log do not begin with it.
const INDENT: &str = "    ";

/// The newest log lines of the guests of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Logs {
    lines: BoundedLog<LogLine>,
    /// The start of the log, in milliseconds since the Unix epoch.
    started_ms: u64,
}

/// Source of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestStream {
    /// Standard output of the guest.
    Stdout,
    /// Standard error of the guest.
    Stderr,
    /// The host, about the guest, for example about a trap.
    Host,
}

/// Logs a line of a guest's output, or a message about a guest.
pub fn guest_line(app: &str, component: &str, stream: GuestStream, message: &str) {
    let message = one_record(message);
    match stream {
        GuestStream::Stdout => {
            tracing::info!(target: GUEST_TARGET, app, component, stream = "stdout", "{message}");
        }
        GuestStream::Stderr => {
            tracing::warn!(target: GUEST_TARGET, app, component, stream = "stderr", "{message}");
        }
        GuestStream::Host => {
            tracing::error!(target: GUEST_TARGET, app, component, stream = GUEST_STREAM_HOST, "{message}");
        }
    }
}

/// The text of a guest as one record of the log: a guest cannot forge another, by a line end or by
/// a control character that moves the cursor. Cut at [`MESSAGE_BYTES_MAX`].
#[must_use]
pub fn one_record(text: &str) -> Cow<'_, str> {
    let cut = &text[..text.floor_char_boundary(MESSAGE_BYTES_MAX)];
    let is_plain = |character: char| !character.is_control() || character == '\t';
    if cut.len() == text.len() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut record = String::with_capacity(cut.len() + INDENT.len());
    for character in cut.chars() {
        match character {
            '\n' => record.extend(["\n", INDENT]),
            plain if is_plain(plain) => record.push(plain),
            control => record.extend(control.escape_default()),
        }
    }
    if cut.len() < text.len() {
        let missing = text.len() - cut.len();
        record += &format!("… [{missing} of {} bytes cut]", text.len());
    }
    Cow::Owned(record)
}

impl Default for Logs {
    fn default() -> Self {
        Self::new()
    }
}

impl Logs {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lines: BoundedLog::new(LINES_MAX),
            started_ms: now_ms(),
        }
    }

    /// A `tracing` layer that stores the lines of guests. It prints nothing.
    #[must_use]
    pub fn layer<S: Subscriber>(&self) -> impl Layer<S> + use<S> {
        GuestLineLayer(self.clone())
    }

    /// The newest `count` lines that match `filter`, oldest first.
    pub fn tail(&self, count: usize, filter: impl Fn(&LogLine) -> bool) -> Vec<LogLine> {
        self.lines.tail(count, filter)
    }

    /// The oldest `count` lines that match `filter`, oldest first.
    pub fn head(&self, count: usize, filter: impl Fn(&LogLine) -> bool) -> Vec<LogLine> {
        self.lines.head(count, filter)
    }

    /// A receiver of the lines from now on.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<LogLine> {
        self.lines.follow()
    }

    fn push(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.lines.push(|sequence| LogLine {
            host: String::new(),
            sequence,
            started_ms: self.started_ms,
            time_ms: now_ms(),
            level: event.metadata().level().as_str().to_ascii_lowercase(),
            app: fields.app,
            component: fields.component,
            stream: if fields.stream.is_empty() {
                "log".to_owned()
            } else {
                fields.stream
            },
            message: fields.message,
        });
    }
}

impl Numbered for LogLine {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.message.len()
    }
}

/// Milliseconds since the Unix epoch; 0 if the clock of the machine is set before it.
#[must_use]
pub fn now_ms() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

struct GuestLineLayer(Logs);

impl<S: Subscriber> Layer<S> for GuestLineLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() == GUEST_TARGET {
            self.0.push(event);
        }
    }
}

#[derive(Default)]
struct Fields {
    app: String,
    component: String,
    stream: String,
    message: String,
}

impl Fields {
    fn slot(&mut self, field: &Field) -> Option<&mut String> {
        match field.name() {
            "app" => Some(&mut self.app),
            "component" => Some(&mut self.component),
            "stream" => Some(&mut self.stream),
            "message" => Some(&mut self.message),
            _ => None,
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(slot) = self.slot(field) {
            value.clone_into(slot);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if let Some(slot) = self.slot(field) {
            *slot = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::prelude::*;

    #[test]
    fn lines_of_guests_are_stored_and_others_are_not() {
        let logs = Logs::new();
        let subscriber = tracing_subscriber::registry().with(logs.layer());
        tracing::subscriber::with_default(subscriber, || {
            guest_line("shop", "orders", GuestStream::Stdout, "hello");
            tracing::info!("from the host itself");
        });
        let lines = logs.tail(10, |_| true);
        assert_eq!(lines.len(), 1);
        assert_eq!(
            (lines[0].app.as_str(), lines[0].message.as_str()),
            ("shop", "hello")
        );
        assert_eq!(lines[0].stream, "stdout");
    }

    #[test]
    fn a_message_is_one_record_of_bounded_length() {
        assert_eq!(one_record("a\tb"), "a\tb");
        assert_eq!(
            one_record("a\r2026 ERROR forged\nb\u{1b}[2J"),
            "a\\r2026 ERROR forged\n    b\\u{1b}[2J"
        );
        let long = "é".repeat(MESSAGE_BYTES_MAX);
        let record = one_record(&long);
        assert!(record.len() < MESSAGE_BYTES_MAX + 100);
        assert!(record.ends_with("… [24576 of 49152 bytes cut]"), "{record}");
    }

    #[test]
    fn the_tail_is_the_newest_lines_oldest_first() {
        let logs = Logs::new();
        let subscriber = tracing_subscriber::registry().with(logs.layer());
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..5 {
                guest_line("shop", "orders", GuestStream::Stdout, &number.to_string());
            }
        });
        let tail: Vec<_> = logs
            .tail(2, |_| true)
            .into_iter()
            .map(|line| line.message)
            .collect();
        assert_eq!(tail, ["3", "4"]);
    }
}
