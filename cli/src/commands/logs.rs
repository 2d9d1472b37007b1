//! `weft logs`: what components print and log.

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
  weft logs shop -f                       the newest lines of an app, and new ones as they come
  weft logs shop/pricing --tail 10        the newest ten lines of one component
  weft logs shop -o json | jq .message    one JSON object for each line";

/// Show what components print and log
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Logs {
    /// An app, or a component of it; without it, everything
    #[arg(value_name = "APP[/COMPONENT]")]
    what: Option<AppTarget>,
    /// Wait for new lines until interrupted
    #[arg(short, long)]
    follow: bool,
    /// How many of the newest lines to begin with
    #[arg(long, value_name = "N", default_value_t = LOG_TAIL_DEFAULT)]
    tail: usize,
    /// The form of what is printed: JSON is one object for each line
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
    /// The app is not there, or the host goes away.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.host).await?;
        let mut lines = match (client.logs(&self.query()).await, &self.what) {
            (Ok(lines), _) => lines,
            (Err(error), Some(target)) => {
                return Err(connection::explain(&client, target, error).await);
            }
            (Err(error), None) => return Err(error.into()),
        };
        let mut is_empty = true;
        while let Some(line) = lines.next().await? {
            is_empty = false;
            if output::line(&Line(line), self.output)? == Reader::Gone {
                return Ok(());
            }
        }
        if is_empty && self.tail > 0 {
            output::note(&nothing(&client, self.what.as_ref()).await);
        }
        Ok(())
    }

    /// Names are DNS labels, so nothing in the query needs escaping.
    fn query(&self) -> String {
        let mut query = format!("tail={}&follow={}", self.tail, self.follow);
        if let Some(AppTarget { app, component }) = &self.what {
            query += &format!("&app={app}");
            if let Some(component) = component {
                query += &format!("&component={component}");
            }
        }
        query
    }
}

/// Why there are no lines.
async fn nothing(client: &Client, what: Option<&AppTarget>) -> String {
    let Some(target) = what else {
        return "no component has logged anything since the host started".to_owned();
    };
    match connection::what_is_there(client, target).await {
        Some(instead) => format!("`{target}` is not deployed; {instead}"),
        None => format!("`{target}` has logged nothing since the host started"),
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
    fn a_line_says_when_how_bad_who_and_what() {
        let expected = "2026-01-01T00:00:00.000Z INFO  shop/pricing stdout: ready";
        assert_eq!(line("shop").text(), expected);
        assert!(line("").text().contains(" host stdout: "));
    }

    #[test]
    fn programs_get_the_line_as_it_is() {
        let json = serde_json::to_string(&line("shop")).unwrap();
        assert!(
            json.starts_with(r#"{"sequence":1,"time_ms":1767225600000,"level":"info""#),
            "{json}"
        );
    }
}
