//! `weft keyvalue`: decisions about the data of providers.

use clap::{Args, Subcommand};
use serde::Serialize;
use weft_control::{AcceptReport, AcceptRequest};
use weft_lattice_config::{AppName, ProviderName};

use crate::completion;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::Failure;
use crate::output::{self, Format, Report};

const ACCEPT_AFTER_HELP: &str = "\
Examples:
  weft status shop                        show which data was lost
  weft keyvalue accept shop orders-db     begin without the lost data

Operations fail while the data of a provider is missing, or is other data than before: it may come
back, or a backup may be restored. With this command the lattice takes what it finds next in their
place, and makes an empty bucket or file if there is nothing.";

/// Decide about the data of providers
#[derive(Debug, Args)]
pub(crate) struct KeyValueCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Accept(Accept),
}

/// Begin without the data that a provider has lost
#[derive(Debug, Args)]
#[command(after_help = ACCEPT_AFTER_HELP)]
struct Accept {
    /// The app of the provider
    #[arg(value_name = "APP", add = completion::app())]
    app: AppName,
    /// The provider, as the manifest names it
    #[arg(value_name = "PROVIDER")]
    provider: ProviderName,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Accepted(AcceptReport);

impl KeyValueCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// No host answers, or the provider has no data that could be lost.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Action::Accept(accept) = self.action;
        let client = connection::client(&accept.host).await?;
        let request = AcceptRequest {
            app: accept.app.to_string(),
            provider: accept.provider.to_string(),
        };
        let report = client.accept_store(&request).await?;
        output::report(&Accepted(report), accept.output)?;
        Ok(())
    }
}

impl Report for Accepted {
    fn text(&self) -> String {
        let AcceptReport {
            app,
            provider,
            places,
        } = &self.0;
        let places = places.join(", ");
        format!(
            "{app}/{provider}: the next data at {places} is in use, or an empty store is made there"
        )
    }
}
