//! `weft status`: whether an app is as wanted, now or in a while.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use weft_control::operating::ComponentStatus;
use weft_control::{Client, StatusReport};
use weft_lattice_config::AppName;

use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Report};
use crate::polling::{self, AtMost};
use crate::table::Table;
use crate::target::AppTarget;

const AFTER_HELP: &str = "\
Examples:
  weft status shop                        exit code 0 if all that is wanted is ready, else 1
  weft status shop --wait --timeout 2m    wait until it is, for so long at most";

/// Show whether an app is as wanted
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Status {
    /// The app
    #[arg(value_name = "APP")]
    app: AppName,
    /// Wait until the app is as wanted
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    at_most: AtMost,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// Whether an app is as wanted.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(StatusReport);

impl Status {
    /// Runs the command.
    ///
    /// # Errors
    /// The app is not there, or not as wanted.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.host).await?;
        let wait = if self.wait {
            self.at_most.get()
        } else {
            Duration::ZERO
        };
        let look = async || self.ask(&client).await;
        let report = polling::until(wait, look, |report| report.ready).await?;
        let is_ready = report.ready;
        output::report(&Shown(report), self.output)?;
        if is_ready {
            return Ok(());
        }
        let message = match self.wait {
            true => format!("app `{}` is not as wanted after {wait:?}", self.app),
            false => format!("app `{}` is not as wanted", self.app),
        };
        Err(Failure::new(Kind::Failed, message).or_help(
            "`weft get placements` says what is in the way, `weft get inventory HOST` why something failed",
        ))
    }

    async fn ask(&self, client: &Client) -> Result<StatusReport, Failure> {
        match client.status(&self.app).await {
            Ok(report) => Ok(report),
            Err(error) => {
                let (app, component) = (self.app.clone(), None);
                let target = AppTarget { app, component };
                Err(connection::explain(client, &target, error).await)
            }
        }
    }
}

impl Report for Shown {
    fn text(&self) -> String {
        let StatusReport {
            app,
            revision,
            ready,
            held,
            components,
        } = &self.0;
        let is = if *ready { "ready" } else { "not ready" };
        let mut text = format!("{app}: revision {revision}, {is}\n");
        if let Some(held) = held {
            text += &format!("nothing moves now: {held}\n");
        }
        let mut table = Table::new(&["COMPONENT", "READY", "HOSTS", "REVISIONS", "WHY"]);
        for component in components {
            table.row(cells(component));
        }
        text += &table.to_string();
        text
    }
}

fn cells(status: &ComponentStatus) -> Vec<String> {
    let ComponentStatus {
        placement,
        revisions,
    } = status;
    let revisions = revisions.iter().map(|it| {
        let counts = [
            (it.ready, "ready"),
            (it.failed, "failed"),
            (it.other, "other"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts = counts.map(|(count, what)| format!("{count} {what}"));
        format!("{}: {}", it.revision, counts.collect::<Vec<_>>().join(", "))
    });
    vec![
        placement.component.clone(),
        format!("{}/{}", placement.ready, placement.wanted),
        placement.hosts.join(","),
        revisions.collect::<Vec<_>>().join("; "),
        placement.why.join("; "),
    ]
}

#[cfg(test)]
mod tests {
    use weft_control::operating::RevisionStatus;
    use weft_control::rows::PlacementRow;

    use super::*;

    #[test]
    fn people_see_what_is_ready_where_and_at_which_revision() {
        let placement = PlacementRow {
            app: "shop".to_owned(),
            component: "cart".to_owned(),
            revision: 2,
            wanted: 3,
            placed: 2,
            ready: 1,
            hosts: vec!["north".to_owned(), "south".to_owned()],
            why: vec!["2 hosts: one runs there already".to_owned()],
            pins: Vec::new(),
        };
        let revision = |revision, ready, failed, other| RevisionStatus {
            revision,
            ready,
            failed,
            other,
        };
        let report = StatusReport {
            app: "shop".to_owned(),
            revision: 2,
            ready: false,
            held: None,
            components: vec![ComponentStatus {
                placement,
                revisions: vec![revision(1, 1, 0, 0), revision(2, 1, 1, 0)],
            }],
        };
        let expected = "\
shop: revision 2, not ready
COMPONENT  READY  HOSTS        REVISIONS                      WHY
cart       1/3    north,south  1: 1 ready; 2: 1 ready, 1 failed  2 hosts: one runs there already
";
        let text = Shown(report.clone()).text();
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&text), squeezed(expected));
        let json = serde_json::to_value(Shown(report)).unwrap();
        assert_eq!(json["components"][0]["wanted"], 3);
        assert_eq!(json["components"][0]["revisions"][1]["failed"], 1);
    }
}
