//! `GET /v1/logs`: log lines of the guests of this host, and with `follow=true` the following ones.
//!
//! A client that follows a lattice requests the lines after the last one that it has, page by page,
//! because a message of the bus carries no stream.

use http::Response;
use weft_control::{LOG_TAIL_DEFAULT, LogLine, LogQuery};
use weft_telemetry::logs::{GUEST_STREAM_HOST, now_ms};

use super::Api;
use super::errors::ApiError;
use super::json_lines;
use super::router::Body;

/// The most bytes of a page after a cursor, beside its last line: half of a message of the bus with
/// the default limit.
const PAGE_BYTES_MAX: usize = 512 << 10;

/// Answers with one JSON object per line.
pub(super) fn answer(api: &Api, query: Option<&str>) -> Result<Response<Body>, ApiError> {
    let query: LogQuery = query
        .unwrap_or_default()
        .parse()
        .map_err(|error| ApiError::bad_request(format!("{error}")))?;
    let logs = &api.sources.logs;
    // Subscribed before the tail is read, so that no line falls between them.
    let follow = query.follow.then(|| logs.follow());
    let selection = Selection::new(query, now_ms());
    let count = selection.query.tail.unwrap_or(LOG_TAIL_DEFAULT);
    let lines = match selection.query.after {
        Some(_) => page(logs.head(count, |line| selection.matches(line))),
        None => logs.tail(count, |line| selection.matches(line)),
    };
    Ok(json_lines::answer(api, lines, follow, move |line| {
        selection.matches(line)
    }))
}

/// The lines that a query selects at a time.
struct Selection {
    query: LogQuery,
    /// The time of the oldest line.
    first_ms: u64,
    /// The beginning of the line about the error.
    error: Option<String>,
}

impl Selection {
    fn new(query: LogQuery, now_ms: u64) -> Self {
        let since = query.since_ms;
        let error = query.error.as_ref();
        Self {
            first_ms: since.map_or(0, |since| now_ms.saturating_sub(since)),
            error: error.map(|id| format!("error {id}: ")),
            query,
        }
    }

    fn matches(&self, line: &LogLine) -> bool {
        let LogQuery {
            app,
            component,
            after,
            ..
        } = &self.query;
        let is_of = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        // Only the host itself writes about errors: a guest may print any text.
        let is_about = |error: &String| {
            line.stream == GUEST_STREAM_HOST && line.message.starts_with(error.as_str())
        };
        is_of(app.as_ref().map(|app| app.as_str()), &line.app)
            && is_of(
                component.as_ref().map(|component| component.as_str()),
                &line.component,
            )
            && line.time_ms >= self.first_ms
            && self.error.as_ref().is_none_or(is_about)
            && after.is_none_or(|after| after.is_before(line.started_ms, line.sequence))
    }
}

/// The first lines that fit into a message of the bus together, one at least.
fn page(mut lines: Vec<LogLine>) -> Vec<LogLine> {
    let mut bytes = 0;
    let fits = lines.iter().take_while(|line| {
        let fits = bytes < PAGE_BYTES_MAX;
        bytes += json_lines::encode(line).len();
        fits
    });
    let count = fits.count();
    lines.truncate(count);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sequence: u64, stream: &str, message: &str) -> LogLine {
        LogLine {
            host: String::new(),
            sequence,
            started_ms: 1_000,
            time_ms: 5_000 + sequence,
            level: "info".to_owned(),
            app: "shop".to_owned(),
            component: "cart".to_owned(),
            stream: stream.to_owned(),
            message: message.to_owned(),
        }
    }

    #[track_caller]
    fn check(query: &str, line: &LogLine, expected: bool) {
        let selection = Selection::new(query.parse().unwrap(), 10_000);
        assert_eq!(selection.matches(line), expected, "{query}: {line:?}");
    }

    #[test]
    fn lines_are_selected_by_their_source_time_and_place() {
        let line = line(7, "stdout", "hello");
        for (query, expected) in [
            ("", true),
            ("app=shop", true),
            ("app=bank", false),
            ("component=cart", true),
            ("component=orders", false),
            ("since_ms=5000", true),
            ("since_ms=4000", false),
            ("after=1000.6", true),
            ("after=1000.7", false),
            ("after=900.100", true),
        ] {
            check(query, &line, expected);
        }
    }

    #[test]
    fn an_error_is_found_in_the_lines_of_the_host_only() {
        let id = "0123456789abcdef";
        let message = format!("error {id}: trapped");
        let query = format!("error={id}");
        check(&query, &line(1, "host", &message), true);
        check(&query, &line(1, "stdout", &message), false);
        check(&query, &line(1, "host", &format!("as {message}")), false);
        check("error=0000000000000000", &line(1, "host", &message), false);
    }

    #[test]
    fn a_page_has_one_line_at_least_and_fits_into_a_message() {
        let large = "x".repeat(PAGE_BYTES_MAX);
        let lines = vec![line(0, "stdout", &large), line(1, "stdout", "small")];
        assert_eq!(page(lines).len(), 1);
        let small = (0..10).map(|sequence| line(sequence, "stdout", "small"));
        assert_eq!(page(small.collect()).len(), 10);
        assert!(page(Vec::new()).is_empty());
    }
}
