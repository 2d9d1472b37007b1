//! `weft logs`: prints the output and logs of components.

use clap::Args;
use serde::Serialize;
use weft_control::{Client, LOG_TAIL_DEFAULT, LogLine};

use crate::connection;
use crate::environment::HostOptions;
use crate::failure::Failure;
use crate::output::{self, Format, Reader, Report};
use crate::target::AppTarget;
use crate::time::utc;

const AFTER_HELP: &str = "\
Examples:
  weft logs                               the newest lines of every app
  weft logs shop -f                       the newest lines of an app, then new ones
  weft logs shop/pricing --tail 10        the newest ten lines of one component
  weft logs shop -o json | jq .message    one JSON object for each line";

/// Print the output and logs of components
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Logs {
    /// App or component; all apps if omitted
    #[arg(value_name = "APP[/COMPONENT]")]
    target: Option<AppTarget>,
    /// Follow new lines until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Start with this many of the newest lines
    #[arg(long, value_name = "N", default_value_t = LOG_TAIL_DEFAULT)]
    tail: usize,
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
    /// The app is missing, or the connection to the host is lost.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.host).await?;
        let mut lines = match (client.logs(&self.query()).await, &self.target) {
            (Ok(lines), _) => lines,
            (Err(error), Some(target)) => {
                return Err(connection::explain(&client, target, error).await);
            }
            (Err(error), None) => return Err(error.into()),
        };
        let mut is_empty = true;
        while let Some(line) = lines.next().await? {
            is_empty = false;
            if output::line(&Line(line), self.output)? == Reader::Closed {
                return Ok(());
            }
        }
        if is_empty && self.tail > 0 {
            output::note(&empty_note(&client, self.target.as_ref()).await);
        }
        Ok(())
    }

    /// The query string. Names are DNS labels, which need no escaping.
    fn query(&self) -> String {
        let mut query = format!("tail={}&follow={}", self.tail, self.follow);
        if let Some(AppTarget { app, component }) = &self.target {
            query += &format!("&app={app}");
            if let Some(component) = component {
                query += &format!("&component={component}");
            }
        }
        query
    }
}

/// The reason for an empty result.
async fn empty_note(client: &Client, target: Option<&AppTarget>) -> String {
    let Some(target) = target else {
        return "no component has logged a line since the host started".to_owned();
    };
    match connection::missing_target_help(client, target).await {
        Some(help) => format!("`{target}` is not deployed; {help}"),
        None => format!("`{target}` has not logged a line since the host started"),
    }
}

impl Report for Line {
    fn text(&self) -> String {
        let LogLine {
            time_ms,
            level,
            app,
            component,
            stream,
            message,
            ..
        } = &self.0;
        let source = if app.is_empty() {
            "host".to_owned()
        } else {
            format!("{app}/{component}")
        };
        format!(
            "{} {:5} {source} {stream}: {message}",
            utc(*time_ms),
            level.to_uppercase()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(app: &str) -> Line {
        Line(LogLine {
            sequence: 1,
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
        let expected = "2026-01-01T00:00:00.000Z INFO  shop/pricing stdout: ready";
        assert_eq!(line("shop").text(), expected);
        assert!(line("").text().contains(" host stdout: "));
    }

    #[test]
    fn the_json_of_a_line_is_that_of_the_host() {
        let json = serde_json::to_string(&line("shop")).unwrap();
        assert!(
            json.starts_with(r#"{"sequence":1,"time_ms":1767225600000,"level":"info""#),
            "{json}"
        );
    }
}
