//! `weft up`: runs a host in this process, from its start to its drain.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use weft_control::rows::{AppRow, RouteRow};
use weft_control::{ADMIN_ADDRESS_DEFAULT, Client, ClientError, HostNameError, check_host_name};
use weft_host::logs::Logs;
use weft_host::{Drained, Host, HostConfig};
use weft_lattice_config::DurationText;

use crate::commands::{deploy, host_runtime};
use crate::environment::{DataDirectory, LatticeOptions, machine_name};
use crate::failure::{Failure, Kind};
use crate::faults::ThisProcess;
use crate::logging::{self, LogFormat};
use crate::manifest::{self, Manifest};
use crate::output::{self, Format, Report};
use crate::providers;
use crate::signals::Signals;
use crate::urls::{ServedRoute, reachable};

const AFTER_HELP: &str = "\
Examples:
  weft up                                 start a host that other terminals deploy to
  weft up -f shop.yaml                    start a host and deploy an app to it
  weft up --http 0.0.0.0:80 --label cloud=a --label zone=a1
  WEFT_LOG=debug weft up --log-format json

The host runs until SIGINT (Ctrl-C) or SIGTERM; then it takes no new requests, finishes those in
flight and ends, with exit code 1 if the drain deadline cut some off. A second signal ends it at
once. WEFT_LOG filters the log on standard error, as in `warn,weft=debug`.";

/// Start a host on this machine
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Up {
    /// Deploy this manifest when the host is up; may be given several times
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to take HTTP requests
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Where `weft deploy` and the other commands reach the host
    #[arg(long, value_name = "IP:PORT", default_value = ADMIN_ADDRESS_DEFAULT)]
    admin: SocketAddr,
    #[command(flatten)]
    data_directory: DataDirectory,
    /// What people call the host [default: the name of this machine]
    #[arg(long, value_parser = host_name)]
    name: Option<String>,
    /// What to know the host by, such as cloud=a; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// The form of the log on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    log_format: LogFormat,
    /// How long requests in flight may take to finish when the host is told to end
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    drain_deadline: DurationText,
    /// Carry calls between stores as frames of the wire, within this process: slower, and a proof
    /// that frames carry all that a link does
    #[arg(long)]
    links_over_wire: bool,
    /// Refuse `weft drill`, which kills or stops hosts to show what users notice
    #[arg(long)]
    no_drills: bool,
    #[command(flatten)]
    lattice: LatticeOptions,
}

impl Up {
    /// Runs the command.
    ///
    /// # Errors
    /// A manifest has mistakes, the host cannot start or refuses a manifest, or requests were cut
    /// off at the end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let manifests = manifest::read_all(&self.files)?;
        let logs = Logs::new();
        logging::start(self.log_format, &logs)?;
        let deadline = self.drain_deadline.get();
        let config = self.config(logs)?;
        let runtime = host_runtime()?;
        let outcome = runtime.block_on(serve(config, manifests, deadline));
        // What is still compiling when the host ends is of no use to anyone.
        runtime.shutdown_background();
        outcome
    }

    fn config(self, logs: Logs) -> Result<HostConfig, Failure> {
        let mut config = HostConfig::new(self.data_directory.path()?);
        config.name = self.name.unwrap_or_else(machine_name);
        config.labels = distinct(self.labels)?;
        config.http = Some(self.http);
        config.admin = self.admin;
        config.links_over_wire = self.links_over_wire;
        config.mesh = self.lattice.mesh(&config.name);
        config.logs = logs;
        if !self.no_drills {
            config.faults = Some(Arc::new(ThisProcess));
        }
        Ok(config)
    }
}

fn host_name(text: &str) -> Result<String, HostNameError> {
    check_host_name(text).map(|()| text.to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("expected `KEY=VALUE`, as in `cloud=a`".to_owned()),
    }
}

fn distinct(labels: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Failure> {
    let mut distinct = BTreeMap::new();
    for (key, value) in labels {
        if let Some(first) = distinct.insert(key.clone(), value.clone()) {
            let message = format!("label `{key}` is given twice, as `{first}` and as `{value}`");
            return Err(Failure::new(Kind::Input, message).or_help("give each label once"));
        }
    }
    Ok(distinct)
}

// === the life of the host ===

/// Start, deploy, announce, wait for a signal, drain. A signal ends each of these but the drain.
async fn serve(
    config: HostConfig,
    manifests: Vec<Manifest>,
    deadline: Duration,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let registry = providers::registry(config.mesh.as_ref());
    let host = tokio::select! {
        started = Host::start(config, registry) => {
            started.map_err(|error| Failure::from_error(Kind::Failed, &error))?
        }
        name = signals.next() => {
            tracing::info!("{name} while starting: nothing to drain");
            return Ok(());
        }
    };
    let served = tokio::select! {
        refused = run(&host, manifests) => refused.map(|never| match never {}),
        name = signals.next() => {
            tracing::info!("{name}: finishing the requests in flight, for {deadline:?} at most");
            Ok(())
        }
    };
    let drained = drain(host, deadline, &mut signals).await;
    served.and(drained)
}

/// Nothing: a host serves until it is told to end.
enum Never {}

/// Deploys, says what is served, and serves until the future is dropped.
async fn run(host: &Host, manifests: Vec<Manifest>) -> Result<Never, Failure> {
    let client = Client::new(reachable(host.admin_address()).to_string(), host.token());
    deploy::deploy(&client, manifests, Format::Text).await?;
    output::report(&Serving::ask(host, &client).await?, Format::Text)?;
    std::future::pending().await
}

async fn drain(host: Host, deadline: Duration, signals: &mut Signals) -> Result<(), Failure> {
    let drained = tokio::select! {
        drained = host.shutdown(deadline) => drained,
        name = signals.next() => {
            let message = format!("{name} while draining: requests in flight were cut off");
            return Err(Failure::new(Kind::Failed, message));
        }
    };
    match drained {
        Drained::Complete => {
            tracing::info!("drained: every request finished");
            Ok(())
        }
        Drained::DeadlineReached { in_flight } => {
            let message =
                format!("the drain deadline of {deadline:?} cut off {in_flight} requests");
            Err(Failure::new(Kind::Failed, message)
                .or_help("give them longer with `--drain-deadline`, or less with a component's `limits.deadline`"))
        }
    }
}

// === what is served ===

/// What a host serves once it is up, what it had before included.
#[derive(Debug, Serialize)]
struct Serving {
    version: &'static str,
    http: Option<SocketAddr>,
    admin: SocketAddr,
    apps: Vec<AppRow>,
    routes: Vec<ServedRoute>,
}

impl Serving {
    async fn ask(host: &Host, client: &Client) -> Result<Serving, ClientError> {
        let http = host.http_address().map(|address| address.to_string());
        let routes: Vec<RouteRow> = client.rows("routes").await?;
        Ok(Serving {
            version: env!("CARGO_PKG_VERSION"),
            http: host.http_address(),
            admin: host.admin_address(),
            apps: client.rows("apps").await?,
            routes: ServedRoute::all(routes, http.as_deref()),
        })
    }
}

impl Report for Serving {
    fn text(&self) -> String {
        let mut lines = vec![format!("weft {} is up", self.version)];
        lines.extend(self.http.map(|http| format!("  HTTP   http://{http}")));
        lines.push(format!("  admin  {}", self.admin));
        for AppRow { app, reason, .. } in self.apps.iter().filter(|app| app.status != "ready") {
            lines.push(format!(
                "  app `{app}` does not run: {}",
                reason.as_deref().unwrap_or("no reason given")
            ));
        }
        lines.extend(
            self.routes
                .iter()
                .map(|route| format!("  {}", route.full_line())),
        );
        if self.apps.is_empty() {
            lines.push("  nothing is deployed yet: `weft deploy FILE` deploys an app".to_owned());
        }
        lines.push("Ctrl-C ends it".to_owned());
        lines.join("\n")
    }
}
