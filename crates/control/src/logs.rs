//! The query of `GET /v1/logs`.

use std::fmt;
use std::str::FromStr;

use weft_lattice_config::{AppName, ComponentName, NameError};

/// The number of hexadecimal digits of an error id.
const ERROR_ID_DIGITS: usize = 16;

/// The log lines to return.
///
/// Written as a query: `app=shop&component=cart&tail=10`. Only the given fields are written, so
/// that a host of an older release understands all that it can do. No value needs escapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Only lines of this app.
    pub app: Option<AppName>,
    /// Only lines of this component.
    pub component: Option<ComponentName>,
    /// The most lines: the newest ones; with [`after`](Self::after), the oldest ones.
    pub tail: Option<usize>,
    /// New lines follow until the client disconnects. Not over the bus.
    pub follow: bool,
    /// Only lines of this last period, in milliseconds by the host's own clock.
    pub since_ms: Option<u64>,
    /// Only the lines about this error.
    pub error: Option<ErrorId>,
    /// Only lines after this one.
    pub after: Option<LogCursor>,
}

/// A place in the log of a host, written `STARTED_MS.SEQUENCE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogCursor {
    /// The start of the host, as in [`LogLine`](crate::LogLine). All lines of another start follow.
    pub started_ms: u64,
    /// The number of the line.
    pub sequence: u64,
}

/// The id of an error that a client received in the header `weft-error-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorId(String);

/// The reasons why a query is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogQueryError {
    /// The key is unknown.
    #[error(
        "unknown query key: expected `app`, `component`, `tail`, `follow`, `since_ms`, `error` or \
         `after`, found `{0}`"
    )]
    UnknownKey(String),
    /// A value is not a number.
    #[error("expected a number for `{key}`, found `{found}`")]
    Number {
        /// The key.
        key: &'static str,
        /// The value.
        found: String,
    },
    /// A value is not a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A value is not the id of an error.
    #[error(transparent)]
    ErrorId(#[from] ErrorIdError),
    /// A value is not a cursor.
    #[error("expected `STARTED_MS.SEQUENCE` for `after`, found `{0}`")]
    Cursor(String),
}

/// The text is not the id of an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the id of an error: expected the {ERROR_ID_DIGITS} hexadecimal digits of the \
     header `weft-error-id`"
)]
pub struct ErrorIdError(String);

impl LogCursor {
    /// The cursor before all lines of a host.
    pub const START: Self = Self {
        started_ms: 0,
        sequence: 0,
    };

    /// True if a line of the log that began at `started_ms` comes after the cursor.
    #[must_use]
    pub fn is_before(&self, started_ms: u64, sequence: u64) -> bool {
        self.started_ms != started_ms || self.sequence < sequence
    }
}

impl ErrorId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === text ===

impl FromStr for LogQuery {
    type Err = LogQueryError;

    fn from_str(query: &str) -> Result<Self, LogQueryError> {
        let mut parsed = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "app" => parsed.app = Some(value.parse()?),
                "component" => parsed.component = Some(value.parse()?),
                "follow" => parsed.follow = value == "true",
                "tail" => parsed.tail = Some(number("tail", value)?),
                "since_ms" => parsed.since_ms = Some(number("since_ms", value)?),
                "error" => parsed.error = Some(value.parse()?),
                "after" => parsed.after = Some(value.parse()?),
                _ => return Err(LogQueryError::UnknownKey(key.to_owned())),
            }
        }
        Ok(parsed)
    }
}

fn number<T: FromStr>(key: &'static str, value: &str) -> Result<T, LogQueryError> {
    value.parse().map_err(|_| LogQueryError::Number {
        key,
        found: value.to_owned(),
    })
}

impl fmt::Display for LogQuery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            app,
            component,
            tail,
            follow,
            since_ms,
            error,
            after,
        } = self;
        let pair = |key: &str, value: Option<String>| value.map(|value| format!("{key}={value}"));
        let pairs = [
            pair("app", app.as_ref().map(ToString::to_string)),
            pair("component", component.as_ref().map(ToString::to_string)),
            pair("tail", tail.map(|tail| tail.to_string())),
            pair("follow", follow.then(|| "true".to_owned())),
            pair("since_ms", since_ms.map(|since| since.to_string())),
            pair("error", error.as_ref().map(ToString::to_string)),
            pair("after", after.map(|after| after.to_string())),
        ];
        let pairs: Vec<_> = pairs.into_iter().flatten().collect();
        formatter.write_str(&pairs.join("&"))
    }
}

impl FromStr for LogCursor {
    type Err = LogQueryError;

    fn from_str(text: &str) -> Result<Self, LogQueryError> {
        let parsed = text.split_once('.').and_then(|(started, sequence)| {
            Some(Self {
                started_ms: started.parse().ok()?,
                sequence: sequence.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| LogQueryError::Cursor(text.to_owned()))
    }
}

impl fmt::Display for LogCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.started_ms, self.sequence)
    }
}

impl FromStr for ErrorId {
    type Err = ErrorIdError;

    fn from_str(text: &str) -> Result<Self, ErrorIdError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == ERROR_ID_DIGITS && text.bytes().all(is_digit) {
            return Ok(Self(text.to_owned()));
        }
        let shown = text.chars().take(4 * ERROR_ID_DIGITS).collect::<String>();
        Err(ErrorIdError(shown.escape_debug().to_string()))
    }
}

impl fmt::Display for ErrorId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_comes_back_from_its_text() {
        for text in [
            "",
            "app=shop",
            "app=shop&component=cart&tail=10&follow=true",
            "since_ms=600000&error=0123456789abcdef",
            "tail=500&after=1767225600000.42",
        ] {
            let query: LogQuery = text.parse().unwrap();
            assert_eq!(query.to_string(), text);
            // The text needs no escapes as the query of a URI.
            let uri: http::Uri = format!("/v1/logs?{text}").parse().unwrap();
            assert_eq!(uri.query(), Some(text));
        }
    }

    #[test]
    fn an_invalid_query_reports_the_expected_form() {
        for (text, expected) in [
            ("to=x", "found `to`"),
            ("tail=ten", "a number for `tail`, found `ten`"),
            ("since_ms=-1", "a number for `since_ms`"),
            ("app=Shop", "`Shop` is not an app name"),
            ("error=nope", "`nope` is not the id of an error"),
            ("error=0123456789ABCDEF", "16 hexadecimal digits"),
            ("after=7", "`STARTED_MS.SEQUENCE`"),
            ("after=7.x", "found `7.x`"),
        ] {
            let error = text.parse::<LogQuery>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_lines_of_another_start_come_after_any_cursor() {
        let cursor: LogCursor = "1000.5".parse().unwrap();
        let cases = [(1000, 5, false), (1000, 6, true), (2000, 0, true)];
        for (started_ms, sequence, expected) in cases {
            assert_eq!(cursor.is_before(started_ms, sequence), expected);
        }
        assert!(LogCursor::START.is_before(1000, 0));
    }
}
