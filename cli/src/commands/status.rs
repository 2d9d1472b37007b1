//! `weft status`: shows whether an app is ready, and waits until it is.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use weft_control::operating::ComponentStatus;
use weft_control::{Client, StatusReport};
use weft_lattice_config::AppName;

use crate::completion;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Report};
use crate::progress::Progress;
use crate::styled::{Style, Styled};
use crate::table::{Cell, Cut, Table};
use crate::target::AppTarget;
use crate::wait::{self, WaitTimeout};

const AFTER_HELP: &str = "\
Examples:
  weft status shop                        exit with 0 if all desired replicas are ready, else 1
  weft status shop --wait --timeout 2m    wait until all are ready, two minutes at most";

/// Show whether an app is ready: all replicas of its desired revision
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Status {
    /// App to check
    #[arg(value_name = "APP", add = completion::app())]
    app: AppName,
    /// Wait until the app is ready
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    timeout: WaitTimeout,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The status of an app.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(StatusReport);

impl Status {
    /// Runs the command.
    ///
    /// # Errors
    /// The app is missing or not ready.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.host).await?;
        let timeout = if self.wait {
            self.timeout.get()
        } else {
            Duration::ZERO
        };
        let poll = async || self.fetch(&client).await;
        let line = Progress::start(&format!("{}: waiting until it is ready", self.app));
        let report = wait::until(timeout, poll, |report| report.ready).await?;
        drop(line);
        let is_ready = report.ready;
        output::report(&Shown(report), self.output)?;
        if is_ready {
            return Ok(());
        }
        Err(not_ready(&self.app, self.wait.then_some(timeout)))
    }

    async fn fetch(&self, client: &Client) -> Result<StatusReport, Failure> {
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

/// The failure of an app that is not ready, after a wait if `waited` is `Some`.
pub(crate) fn not_ready(app: &AppName, waited: Option<Duration>) -> Failure {
    let message = match waited {
        Some(waited) => format!("app `{app}` is not ready after {waited:?}"),
        None => format!("app `{app}` is not ready"),
    };
    Failure::new(Kind::Failed, message).or_help(format!(
        "`weft get placements {app} --why` shows what each host lacks, `weft get inventory HOST` \
             why a component failed there"
    ))
}

impl Report for Shown {
    fn text(&self) -> String {
        self.styled(None).to_string()
    }

    fn styled(&self, columns: Option<usize>) -> Styled {
        status_text(&self.0, columns)
    }
}

/// The readiness of an app, and its components.
fn status_text(report: &StatusReport, columns: Option<usize>) -> Styled {
    let StatusReport {
        app,
        revision,
        ready,
        reason,
        held,
        components,
        notes,
    } = report;
    let mut text = Styled::default();
    text.push(Style::Heading, app);
    text.push(Style::Plain, format!(": revision {revision}, "));
    match ready {
        true => text.push(Style::Good, "ready"),
        false => text.push(Style::Waiting, "not ready"),
    }
    text.push(Style::Plain, "\n");
    if let Some(reason) = reason {
        text.push(Style::Bad, format!("{reason}\n"));
    }
    if let Some(held) = held {
        text.push(Style::Waiting, format!("placement is paused: {held}\n"));
    }
    for note in notes {
        text.push(Style::Bad, format!("{note}\n"));
    }
    text.append(components_text(components, columns));
    text
}

/// A table of components, and the whole reasons of missing replicas.
pub(crate) fn components_text(components: &[ComponentStatus], columns: Option<usize>) -> Styled {
    let headings = ["COMPONENT", "READY", "HOSTS", "REVISIONS"];
    let mut table = Table::new(headings.map(|heading| (heading, Cut::End)));
    for component in components {
        table.row(cells(component));
    }
    let mut text = table.styled(columns);
    for ComponentStatus { placement, .. } in components {
        for why in &placement.why {
            text.push(Style::Name, &placement.component);
            text.push(Style::Plain, format!(": {why}\n"));
        }
    }
    text
}

fn cells(status: &ComponentStatus) -> [Cell; 4] {
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
    [
        Cell::from(&placement.component),
        Cell::readiness(placement.ready, placement.wanted),
        placement.hosts.join(",").into(),
        revisions.collect::<Vec<_>>().join("; ").into(),
    ]
}

#[cfg(test)]
mod tests {
    use weft_control::operating::RevisionStatus;
    use weft_control::rows::PlacementRow;

    use super::*;

    #[test]
    fn the_text_lists_readiness_hosts_and_revisions_of_each_component() {
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
            serving: vec!["north".to_owned()],
            digest: None,
            fits: None,
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
            reason: Some("route `*/` belongs to app `blog`".to_owned()),
            held: None,
            components: vec![ComponentStatus {
                placement,
                revisions: vec![revision(1, 1, 0, 0), revision(2, 1, 1, 0)],
            }],
            notes: vec!["the data of provider `db` was lost".to_owned()],
        };
        let expected = "\
shop: revision 2, not ready
route `*/` belongs to app `blog`
the data of provider `db` was lost
COMPONENT  READY  HOSTS        REVISIONS
cart       1/3    north,south  1: 1 ready; 2: 1 ready, 1 failed
cart: 2 hosts: one runs there already
";
        assert_eq!(Shown(report.clone()).text(), expected);
        let json = serde_json::to_value(Shown(report)).unwrap();
        assert_eq!(json["components"][0]["wanted"], 3);
        assert_eq!(json["components"][0]["revisions"][1]["failed"], 1);
    }
}
