//! `GET /v1/logs`: the newest log lines of guests, and with `follow=true` the following ones.

use http::Response;
use weft_control::{LOG_TAIL_DEFAULT, LogLine};

use super::Api;
use super::errors::ApiError;
use super::json_lines;
use super::query::pairs;
use super::router::Body;

/// The query of the request.
#[derive(Debug, Default)]
struct Query {
    app: Option<String>,
    component: Option<String>,
    tail: Option<usize>,
    follow: bool,
}

/// Answers with one JSON object per line.
pub(super) fn answer(api: &Api, query: Option<&str>) -> Result<Response<Body>, ApiError> {
    let query = Query::parse(query)?;
    // Subscribed before the tail is read, so that no line falls between them.
    let follow = query.follow.then(|| api.sources.logs.follow());
    let tail = api
        .sources
        .logs
        .tail(query.tail.unwrap_or(LOG_TAIL_DEFAULT), |line| {
            query.matches(line)
        });
    Ok(json_lines::answer(api, tail, follow, move |line| {
        query.matches(line)
    }))
}

impl Query {
    fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let mut parsed = Self::default();
        for (key, value) in pairs(query) {
            match key {
                "app" => parsed.app = Some(value.to_owned()),
                "component" => parsed.component = Some(value.to_owned()),
                "follow" => parsed.follow = value == "true",
                "tail" => {
                    let tail = value.parse().map_err(|_| {
                        ApiError::bad_request(format!(
                            "expected a number for `tail`, found `{value}`"
                        ))
                    })?;
                    parsed.tail = Some(tail);
                }
                _ => {
                    return Err(ApiError::bad_request(format!(
                        "expected `app`, `component`, `tail` or `follow`, found `{key}`"
                    )));
                }
            }
        }
        Ok(parsed)
    }

    fn matches(&self, line: &LogLine) -> bool {
        self.app.as_ref().is_none_or(|app| *app == line.app)
            && self
                .component
                .as_ref()
                .is_none_or(|component| *component == line.component)
    }
}
