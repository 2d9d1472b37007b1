//! `weft undeploy`: removes apps.

use clap::Args;
use serde::Serialize;
use weft_control::UndeployReport;
use weft_lattice_config::AppName;

use crate::connection;
use crate::environment::HostOptions;
use crate::failure::Failure;
use crate::output::{self, Format, Report};
use crate::target::AppTarget;

const AFTER_HELP: &str = "\
Examples:
  weft undeploy shop
  weft undeploy shop billing

Data that providers of the app stored is kept for a later deploy.";

/// Remove apps
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Undeploy {
    /// Apps to remove
    #[arg(required = true, value_name = "APP")]
    apps: Vec<AppName>,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The removed apps, up to the first failure.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
struct Removed(Vec<UndeployReport>);

impl Undeploy {
    /// Runs the command.
    ///
    /// # Errors
    /// An app is missing.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.host).await?;
        let mut removed = Removed::default();
        for app in self.apps {
            match client.undeploy(&app).await {
                Ok(report) => removed.0.push(report),
                Err(error) => {
                    if !removed.0.is_empty() {
                        output::report(&removed, self.output)?;
                    }
                    let component = None;
                    let target = AppTarget { app, component };
                    return Err(connection::explain(&client, &target, error).await);
                }
            }
        }
        output::report(&removed, self.output)?;
        Ok(())
    }
}

impl Report for Removed {
    fn text(&self) -> String {
        let line = |report: &UndeployReport| {
            format!("{}: removed at revision {}", report.app, report.revision)
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
