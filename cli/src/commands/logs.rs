//! `weft logs`: prints the output and logs of components.

use clap::Args;
use serde::Serialize;
use weft_control::rows::HostRow;
use weft_control::{Client, ClientError, ErrorId, LOG_TAIL_DEFAULT, LogCursor, LogLine, LogQuery};
use weft_lattice_config::DurationText;

use crate::all_hosts::{self, OneHost};
use crate::commands::log_follower::LogFollower;
use crate::completion;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Reader, Report};
use crate::styled::{Style, Styled};
use crate::target::AppTarget;
use crate::time::utc;

/// The most lines of one answer while all lines of a period are fetched.
pub(super) const PAGE_LINES: usize = 500;

/// The most answers of one host for a period: more than a host stores, and a bound for a host that
/// logs faster than it answers.
const PAGES_MAX: usize = 64;

const AFTER_HELP: &str = "\
Examples:
  weft logs                               the newest lines of every app, on all hosts
  weft logs shop -f                       the newest lines of an app, then new ones
  weft logs shop/pricing --tail 10        the newest ten lines of one component
  weft logs shop --since 10m              all lines of the last ten minutes
  weft logs --host north                  lines of one host
  weft logs --error 6f1d2c3b4a596877      the reason for a response with this `weft-error-id`
  weft logs shop -o json | jq .message    one JSON object for each line";

/// Print the output and logs of components
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Logs {
    /// App or component; all apps if omitted
    #[arg(value_name = "APP[/COMPONENT]", add = completion::component())]
    target: Option<AppTarget>,
    /// Follow new lines until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Start with this many of the newest lines [default: 100; all with `--since`]
    #[arg(long, value_name = "N")]
    tail: Option<usize>,
    /// Print only lines of this last period, as in 10m
    #[arg(long, value_name = "DURATION")]
    since: Option<DurationText>,
    /// Print only the lines about the error with this id, as in the header `weft-error-id`
    #[arg(long, value_name = "ID", conflicts_with = "follow")]
    error: Option<ErrorId>,
    #[command(flatten)]
    one_host: OneHost,
    /// Print in this format; JSON is one object per line
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// A line of a log.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Line(LogLine);

impl Logs {
    /// Runs the command.
    ///
    /// # Errors
    /// The app is missing and has logged nothing, no host has the error, or no host answers.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.host).await?;
        let hosts = self.one_host.rows(&client).await?;
        let mut follower = LogFollower::new(client.clone(), self.query());
        let request = |_: &HostRow, host: Client| self.fetch(host);
        let answers = all_hosts::gather(&client, hosts.clone(), request).await?;
        follower.begin(&hosts, &answers);
        let mut lines = merged(answers);
        if let Some(count) = self.count() {
            lines.drain(..lines.len().saturating_sub(count));
        }
        let is_empty = lines.is_empty();
        if self.print(lines)? == Reader::Closed {
            return Ok(());
        }
        if is_empty {
            self.explain_empty(&client, &hosts).await?;
        } else if self.follow
            && let Some(target) = &self.target
            && let Ok(Some(_)) = connection::missing(&client, target).await
        {
            output::note(&format!(
                "`{target}` is not deployed: lines follow once it is"
            ));
        }
        if self.follow {
            self.follow(follower).await?;
        }
        Ok(())
    }

    async fn follow(&self, mut follower: LogFollower) -> Result<(), Failure> {
        loop {
            let hosts = match follower.hosts().await {
                Ok(hosts) => hosts,
                Err(error) => return ended(error),
            };
            let hosts = match self.one_host.is_one() {
                true => follower.known(hosts),
                false => hosts,
            };
            let lines = follower.next(hosts).await;
            if self.print(lines)? == Reader::Closed {
                return Ok(());
            }
            follower.pause().await;
        }
    }

    /// Fetches the lines of one host.
    async fn fetch(&self, host: Client) -> Result<Vec<LogLine>, ClientError> {
        let query = self.query();
        let Some(count) = self.count() else {
            return all_pages(&host, query).await;
        };
        // At least one line: it has the place from which a follower goes on.
        let tail = Some(count.max(1));
        host.logs(&LogQuery { tail, ..query }).await
    }

    /// The number of lines to begin with; `None` for all of the period.
    fn count(&self) -> Option<usize> {
        let default = self.since.is_none().then_some(LOG_TAIL_DEFAULT);
        self.tail.or(default)
    }

    fn query(&self) -> LogQuery {
        let target = self.target.as_ref();
        let since = self.since.as_ref().map(|since| since.get().as_millis());
        LogQuery {
            app: target.map(|target| target.app.clone()),
            component: target.and_then(|target| target.component.clone()),
            since_ms: since.map(|since| u64::try_from(since).unwrap_or(u64::MAX)),
            error: self.error.clone(),
            ..LogQuery::default()
        }
    }

    fn print(&self, lines: Vec<LogLine>) -> Result<Reader, Failure> {
        for line in lines {
            if output::line(&Line(line), self.output)? == Reader::Closed {
                return Ok(Reader::Closed);
            }
        }
        Ok(Reader::Open)
    }

    /// Reports why there is no line.
    ///
    /// # Errors
    /// The target is not deployed, or no host has the error.
    async fn explain_empty(&self, client: &Client, hosts: &[HostRow]) -> Result<(), Failure> {
        if let Some(target) = &self.target {
            connection::check_target(client, target).await?;
        }
        if let Some(id) = &self.error {
            return Err(unknown_error(client, hosts, id).await);
        }
        if self.tail == Some(0) {
            return Ok(());
        }
        let source = match &self.target {
            Some(target) => format!("`{target}` has"),
            None => "no component has".to_owned(),
        };
        let (not, period) = match (&self.target, &self.since) {
            (Some(_), Some(_)) => ("not ", "in that time"),
            (Some(_), None) => ("not ", "since its hosts started"),
            (None, Some(_)) => ("", "in that time"),
            (None, None) => ("", "since the hosts started"),
        };
        output::note(&format!("{source} {not}logged a line {period}"));
        Ok(())
    }
}

/// Fetches all lines of a host page by page, because a message of the bus has a limit.
async fn all_pages(host: &Client, query: LogQuery) -> Result<Vec<LogLine>, ClientError> {
    let mut lines: Vec<LogLine> = Vec::new();
    let mut after = LogCursor::START;
    for _ in 0..PAGES_MAX {
        let page = LogQuery {
            tail: Some(PAGE_LINES),
            after: Some(after),
            ..query.clone()
        };
        let page = host.logs(&page).await?;
        let Some(last) = page.last() else { break };
        after = LogCursor {
            started_ms: last.started_ms,
            sequence: last.sequence,
        };
        lines.extend(page);
    }
    Ok(lines)
}

/// The lines of several hosts by their time; those of one host stay in their order.
pub(super) fn merged(answers: Vec<(HostRow, Vec<LogLine>)>) -> Vec<LogLine> {
    let mut merged = Vec::new();
    for (host, lines) in answers {
        // A clock that was set back must not change the order of a host's lines.
        let mut time_ms = 0;
        merged.extend(lines.into_iter().map(|line| {
            time_ms = line.time_ms.max(time_ms);
            let host = host.host.clone();
            (time_ms, LogLine { host, ..line })
        }));
    }
    // Stable, so that lines of one moment stay in the order of their host.
    merged.sort_by_key(|(time_ms, _)| *time_ms);
    merged.into_iter().map(|(_, line)| line).collect()
}

async fn unknown_error(client: &Client, asked: &[HostRow], id: &ErrorId) -> Failure {
    let names = |hosts: &[HostRow]| {
        let names: Vec<_> = hosts
            .iter()
            .map(|host| format!("`{}`", host.host))
            .collect();
        names.join(", ")
    };
    let message = format!("no line about error `{id}` on {}", names(asked));
    let mut help = "each host stores its newest lines since its start".to_owned();
    let hosts: Vec<HostRow> = client.rows("hosts").await.unwrap_or_default();
    let dead: Vec<_> = hosts.into_iter().filter(HostRow::is_gone).collect();
    if !dead.is_empty() {
        help += &format!("; the lines of {} are not available", names(&dead));
    }
    Failure::new(Kind::Failed, message).or_help(help)
}

/// The end of a follower whose host does not answer any more.
fn ended(error: ClientError) -> Result<(), Failure> {
    match error {
        ClientError::Unreachable { .. }
        | ClientError::Protocol { .. }
        | ClientError::Timeout { .. }
        | ClientError::Bus { .. } => {
            output::note("the host of the command has stopped, and no line follows");
            Ok(())
        }
        ClientError::Refused { .. }
        | ClientError::Unexpected { .. }
        | ClientError::Objects { .. }
        | ClientError::Follow => Err(error.into()),
    }
}

impl Report for Line {
    fn text(&self) -> String {
        self.styled(None).to_string()
    }

    fn styled(&self, _: Option<usize>) -> Styled {
        log_text(&self.0)
    }
}

/// The time, level, host, source and message of a line.
pub(crate) fn log_text(line: &LogLine) -> Styled {
    let LogLine {
        host,
        time_ms,
        level,
        app,
        component,
        stream,
        message,
        ..
    } = line;
    let source = if app.is_empty() {
        "host".to_owned()
    } else {
        format!("{app}/{component}")
    };
    let mut text = Styled::default();
    text.push(Style::Faint, utc(*time_ms));
    text.push(Style::Plain, " ");
    text.push(
        Style::of_level(level),
        format!("{:5}", level.to_uppercase()),
    );
    text.push(Style::Plain, format!(" {host} "));
    text.push(Style::Name, source);
    text.push(Style::Plain, format!(" {stream}: {message}"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(app: &str) -> Line {
        Line(LogLine {
            host: "north".to_owned(),
            sequence: 1,
            started_ms: 1_767_225_000_000,
            time_ms: 1_767_225_600_000,
            level: "info".to_owned(),
            app: app.to_owned(),
            component: "pricing".to_owned(),
            stream: "stdout".to_owned(),
            message: "ready".to_owned(),
        })
    }

    #[test]
    fn the_text_of_a_line_is_its_time_level_source_and_message() {
        let expected = "2026-01-01T00:00:00.000Z INFO  north shop/pricing stdout: ready";
        assert_eq!(line("shop").text(), expected);
        assert!(line("").text().contains(" host stdout: "));
    }

    #[test]
    fn the_json_of_a_line_is_that_of_the_host_with_its_name() {
        let json = serde_json::to_value(line("shop")).unwrap();
        assert_eq!(
            (&json["host"], &json["sequence"]),
            (&"north".into(), &1.into())
        );
        assert_eq!(json["time_ms"], 1_767_225_600_000_u64);
    }

    #[test]
    fn lines_of_hosts_are_in_the_order_of_time_and_those_of_one_host_in_its_own() {
        let host = |name: &str| -> HostRow {
            let row = serde_json::json!({
                "host": name, "lattice": null, "id": null, "status": "ready", "version": "",
                "labels": {}, "http": null, "admin": null, "uptime_s": null, "apps": 0,
                "components": 0, "pool_instances_max": null,
            });
            serde_json::from_value(row).unwrap()
        };
        let at = |sequence, time_ms| LogLine {
            sequence,
            time_ms,
            ..line("shop").0
        };
        let answers = vec![
            (
                host("north"),
                vec![at(1, 10), at(2, 30), at(3, 20), at(4, 40)],
            ),
            (host("south"), vec![at(1, 5), at(2, 25), at(3, 30)]),
        ];
        let merged = merged(answers);
        let merged: Vec<_> = merged
            .iter()
            .map(|line| (line.host.as_str(), line.sequence))
            .collect();
        let expected = [
            ("south", 1),
            ("north", 1),
            ("south", 2),
            ("north", 2),
            ("north", 3),
            ("south", 3),
            ("north", 4),
        ];
        assert_eq!(merged, expected);
    }
}
