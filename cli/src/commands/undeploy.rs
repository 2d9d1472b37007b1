//! `weft undeploy`: removes apps.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use weft_control::UndeployReport;
use weft_lattice_config::AppName;

use crate::completion;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::manifest;
use crate::output::{self, Format, Report};
use crate::target::AppTarget;

const AFTER_HELP: &str = "\
Examples:
  weft undeploy shop
  weft undeploy shop billing
  weft undeploy -f shop.yaml              remove the app of a manifest

Data that providers of the app stored is kept for a later deploy.";

/// Remove apps
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Undeploy {
    /// Apps to remove
    #[arg(value_name = "APP", required_unless_present = "files", add = completion::app())]
    apps: Vec<AppName>,
    /// Remove the app of this manifest; `-` reads standard input; repeatable
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
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
    /// A manifest is invalid, or an app is missing.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let apps = self.all_apps()?;
        let client = connection::client(&self.host).await?;
        let mut removed = Removed::default();
        for app in apps {
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

    /// The given apps and those of the manifests, each once.
    fn all_apps(&self) -> Result<Vec<AppName>, Failure> {
        let mut apps = self.apps.clone();
        let mut mistakes = Vec::new();
        for file in &self.files {
            match manifest::read_text(file) {
                Ok(text) => apps.push(text.app.metadata.name),
                Err(messages) => mistakes.extend(messages),
            }
        }
        if !mistakes.is_empty() {
            return Err(Failure::all(Kind::Input, mistakes));
        }
        let mut known = BTreeSet::new();
        apps.retain(|app| known.insert(app.clone()));
        Ok(apps)
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
