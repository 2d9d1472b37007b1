//! `weft events`: what happened to a lattice, as one host saw it.

use clap::Args;
use serde::Serialize;
use weft_control::EventRow;
use weft_lattice_config::DurationText;

use crate::connection;
use crate::environment::HostOptions;
use crate::failure::Failure;
use crate::output::{self, Format, Reader, Report};
use crate::time::utc;

const AFTER_HELP: &str = "\
Examples:
  weft events                             what the host remembers since it started
  weft events --since 10m -f              the last ten minutes, and what happens from now on
  weft events -o json | jq 'select(.kind == \"host-died\")'

Each host remembers the newest events, and tells what it saw itself.";

/// Show what happened to hosts, apps and placements
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Events {
    /// Wait for new events until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Only what happened within this time, as in 10m
    #[arg(long, value_name = "DURATION")]
    since: Option<DurationText>,
    /// The form of what is printed: JSON is one object for each line
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// An event.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Line(EventRow);

impl Events {
    /// Runs the command.
    ///
    /// # Errors
    /// The host goes away.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.host).await?;
        let mut events = client.events(&self.query()).await?;
        let mut is_empty = true;
        while let Some(event) = events.next().await? {
            is_empty = false;
            if output::line(&Line(event), self.output)? == Reader::Gone {
                return Ok(());
            }
        }
        if is_empty {
            output::note("the host remembers no event of that time");
        }
        Ok(())
    }

    fn query(&self) -> String {
        let mut query = format!("follow={}", self.follow);
        if let Some(since) = &self.since {
            query += &format!("&since_ms={}", since.get().as_millis());
        }
        query
    }
}

impl Report for Line {
    fn text(&self) -> String {
        let EventRow {
            time_ms,
            kind,
            message,
            ..
        } = &self.0;
        format!("{} {kind:15} {message}", utc(*time_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_when_what_kind_and_what() {
        let event = Line(EventRow {
            sequence: 1,
            time_ms: 1_767_225_600_000,
            kind: "host-died".to_owned(),
            host: Some("north".to_owned()),
            app: None,
            component: None,
            message: "north is silent for too long: dead".to_owned(),
        });
        let expected =
            "2026-01-01T00:00:00.000Z host-died       north is silent for too long: dead";
        assert_eq!(event.text(), expected);
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(
            (&json["kind"], &json["host"]),
            (&"host-died".into(), &"north".into())
        );
    }
}
