//! The latest events and log lines about a subject.

use serde::Serialize;
use weft_control::rows::HostRow;
use weft_control::{Client, ClientError, EventRow, LogLine, LogQuery};

use super::page::Page;
use crate::all_hosts;
use crate::commands::events::event_text;
use crate::commands::logs::{log_text, merged};
use crate::failure::chain;
use crate::output;
use crate::styled::{Style, Styled};

/// The most events of a page, and the most log lines: a page stays readable.
const SHOWN_MAX: usize = 10;

/// The period of events: a page is about the present, and the answer fits a message of the bus.
const EVENTS_SINCE_MS: u64 = 60 * 60 * 1000;

/// The log lines of each host that are searched for warnings.
const LINES_SEARCHED: usize = 200;

/// The latest events and log lines.
#[derive(Debug, Default, Serialize)]
pub(super) struct Recent {
    pub(super) events: Vec<EventRow>,
    /// Warnings and errors.
    pub(super) log: Vec<LogLine>,
}

impl Recent {
    /// Fetches the events that `is_about` selects, and the log lines of a query from these hosts.
    /// Missing answers are noted: a page without them is still a page.
    pub(super) async fn fetch(
        client: &Client,
        hosts: Vec<HostRow>,
        query: LogQuery,
        is_about: impl Fn(&EventRow) -> bool,
    ) -> Recent {
        let events = match events(client).await {
            Ok(mut events) => {
                events.retain(is_about);
                events
            }
            Err(error) => {
                let reason = chain(&error).join(": ");
                output::note(&format!("warning: the events are missing: {reason}"));
                Vec::new()
            }
        };
        let query = LogQuery {
            tail: Some(LINES_SEARCHED),
            ..query
        };
        let request = |_: &HostRow, host: Client| {
            let query = query.clone();
            async move { host.logs(&query).await }
        };
        let mut log = merged(all_hosts::gather_details(client, hosts, request).await);
        log.retain(|line| matches!(line.level.as_str(), "warn" | "error"));
        Recent {
            events: newest(events),
            log: newest(log),
        }
    }

    /// Adds both sections to a page.
    pub(super) fn add_to(&self, page: &mut Page) {
        page.section("events", lines(self.events.iter().map(event_text)));
        let title = "warnings and errors in the log";
        page.section(title, lines(self.log.iter().map(log_text)));
    }
}

async fn events(client: &Client) -> Result<Vec<EventRow>, ClientError> {
    let query = format!("follow=false&since_ms={EVENTS_SINCE_MS}");
    let mut stream = client.events(&query).await?;
    let mut events = Vec::new();
    while let Some(event) = stream.next().await? {
        events.push(event);
    }
    Ok(events)
}

fn newest<T>(mut items: Vec<T>) -> Vec<T> {
    items.drain(..items.len().saturating_sub(SHOWN_MAX));
    items
}

fn lines(texts: impl Iterator<Item = Styled>) -> Styled {
    let mut all = Styled::default();
    for text in texts {
        all.append(text);
        all.push(Style::Plain, "\n");
    }
    all
}

#[cfg(test)]
impl Recent {
    /// An event and a line about `cart` of an app.
    pub(super) fn example(app: &str) -> Recent {
        let time_ms = 1_767_225_600_000;
        let event = EventRow {
            sequence: 1,
            time_ms,
            kind: "app-failed".to_owned(),
            host: None,
            app: Some(app.to_owned()),
            component: None,
            message: format!("{app} does not start"),
        };
        let line = LogLine {
            host: "north".to_owned(),
            sequence: 1,
            started_ms: 0,
            time_ms,
            level: "warn".to_owned(),
            app: app.to_owned(),
            component: "cart".to_owned(),
            stream: "stderr".to_owned(),
            message: "low on stock".to_owned(),
        };
        Recent {
            events: vec![event],
            log: vec![line],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_only_the_newest_items() {
        assert_eq!(newest((0..25).collect()), (15..25).collect::<Vec<_>>());
        assert_eq!(newest(vec![1, 2]), [1, 2]);
    }
}
