//! `GET /v1/events`: the recent events, and with `follow=true` the following ones.

use http::Response;
use weft_control::EventRow;
use weft_telemetry::logs::now_ms;

use super::Api;
use super::errors::ApiError;
use super::json_lines;
use super::query::pairs;
use super::router::Body;

/// The query of the request.
#[derive(Debug, Default)]
struct Query {
    /// The age of the oldest event, by the host's own clock.
    since_ms: Option<u64>,
    follow: bool,
}

/// Answers with one JSON object per line.
pub(super) fn answer(api: &Api, query: Option<&str>) -> Result<Response<Body>, ApiError> {
    let query = Query::parse(query)?;
    let events = &api.sources.events;
    // Subscribed before the tail is read, so that no event falls between them.
    let follow = query.follow.then(|| events.follow());
    let first_ms = query.since_ms.map(|since| now_ms().saturating_sub(since));
    let is_recent = |event: &EventRow| first_ms.is_none_or(|first| event.time_ms >= first);
    let tail = events.tail(usize::MAX, is_recent);
    Ok(json_lines::answer(api, tail, follow, |_| true))
}

impl Query {
    fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let mut parsed = Self::default();
        for (key, value) in pairs(query) {
            match key {
                "follow" => parsed.follow = value == "true",
                "since_ms" => {
                    let since = value.parse().map_err(|_| {
                        ApiError::bad_request(format!(
                            "expected a number of milliseconds for `since_ms`, found `{value}`"
                        ))
                    })?;
                    parsed.since_ms = Some(since);
                }
                _ => {
                    return Err(ApiError::bad_request(format!(
                        "expected `since_ms` or `follow`, found `{key}`"
                    )));
                }
            }
        }
        Ok(parsed)
    }
}
