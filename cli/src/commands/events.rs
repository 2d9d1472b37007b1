//! `weft events`: lists events of a lattice, as observed by one host.

use clap::Args;
use serde::Serialize;
use weft_control::EventRow;
use weft_lattice_config::DurationText;

use crate::all_hosts::OneHost;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::Failure;
use crate::output::{self, Format, Reader, Report};
use crate::styled::{Style, Styled};
use crate::time::utc;

const AFTER_HELP: &str = "\
Examples:
  weft events                             the newest events since the host started
  weft events --since 10m -f              events of the last ten minutes, then new ones
  weft events --host north                events as that host observed them
  weft events -o json | jq 'select(.kind == \"host-died\")'

Each host keeps the newest events in memory, and reports only events that it observed itself.";

/// List events of hosts, apps and placements
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Events {
    /// Follow new events until interrupted
    #[arg(short, long)]
    follow: bool,
    /// List only events of this last period, as in 10m
    #[arg(long, value_name = "DURATION")]
    since: Option<DurationText>,
    #[command(flatten)]
    one_host: OneHost,
    /// Print in this format; JSON is one object per line
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
    /// The connection to the host is lost.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.host).await?;
        let client = self.one_host.client(&client).await?;
        let mut events = client.events(&self.query()).await?;
        let mut is_empty = true;
        while let Some(event) = events.next().await? {
            is_empty = false;
            if output::line(&Line(event), self.output)? == Reader::Closed {
                return Ok(());
            }
        }
        if is_empty {
            output::note("the host has no events of that time");
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
        self.styled(None).to_string()
    }

    fn styled(&self, _: Option<usize>) -> Styled {
        event_text(&self.0)
    }
}

/// The time, kind and message of an event.
pub(crate) fn event_text(event: &EventRow) -> Styled {
    let EventRow {
        time_ms,
        kind,
        message,
        ..
    } = event;
    let mut text = Styled::default();
    text.push(Style::Faint, utc(*time_ms));
    text.push(Style::Plain, " ");
    text.push(Style::of_event(kind), format!("{kind:15}"));
    text.push(Style::Plain, format!(" {message}"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_event_is_its_time_kind_and_message() {
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
