//! `weft up`: runs a host in this process, from start to drain.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use weft_control::rows::{AppRow, RouteRow};
use weft_control::{ADMIN_ADDRESS_DEFAULT, Client, ClientError, HostNameError, check_host_name};
use weft_host::logs::Logs;
use weft_host::{DrainLimits, DrainOutcome, Host, HostConfig, MeshError, StartError};
use weft_lattice_config::{DurationText, QuantityError};
use weft_provider::Registry;

use crate::commands::deploy::Consent;
use crate::commands::{deploy, host_runtime};
use crate::environment::precedence::without_servers;
use crate::environment::{self, DataDirectory, LatticeOptions, machine_name};
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

The host runs until SIGINT (Ctrl-C) or SIGTERM, then reports that it is not ready, stops accepting
requests after the drain notice, finishes requests in flight and exits, with code 1 if the drain
deadline cut requests off. A second signal ends the host at once. WEFT_LOG filters the log on
standard error, as in `warn,weft=debug`.";

/// The address for HTTP requests of a host without `--http`.
pub(crate) const HTTP_ADDRESS_DEFAULT: &str = "127.0.0.1:8080";

/// Start a host on this machine
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Up {
    /// Deploy this manifest once the host is up; repeatable
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Listen for HTTP requests on this address
    #[arg(long, value_name = "IP:PORT", default_value = HTTP_ADDRESS_DEFAULT, value_parser = address)]
    http: SocketAddr,
    /// Close HTTP connections that have had no request for this long; more than the load balancer
    /// in front keeps them
    #[arg(long, value_name = "DURATION", default_value = "75s")]
    keep_alive: DurationText,
    /// Listen for `weft` commands (the admin API) on this address
    #[arg(long, value_name = "IP:PORT", default_value = ADMIN_ADDRESS_DEFAULT, value_parser = address)]
    admin: SocketAddr,
    #[command(flatten)]
    data_directory: DataDirectory,
    /// Name the host [default: the name of this machine]
    #[arg(long, value_parser = host_name)]
    name: Option<String>,
    /// Label the host, as in cloud=a; repeatable
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Take components of at most this total weight; 0 for a host that only forwards requests
    /// [default: by the memory and cores of this machine]
    #[arg(long, value_name = "WEIGHT")]
    capacity: Option<u64>,
    /// Log to standard error in this format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    log_format: LogFormat,
    /// Wait at most this long for requests in flight when the host ends
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    drain_deadline: DurationText,
    /// Keep listening for this long when the host ends, while it reports that it is not ready
    /// [default: 5s if a load balancer polls /.well-known/weft/ready, else 0s]
    #[arg(long, value_name = "DURATION", value_parser = notice)]
    drain_notice: Option<Duration>,
    /// Encode local calls between stores in the wire format, as between hosts: slower, for tests of
    /// the wire format
    #[arg(long)]
    links_over_wire: bool,
    /// Take over from another process with the identity of this host, which ends itself, instead of
    /// refusing to start
    #[arg(long)]
    takeover: bool,
    /// Reject `weft drill`, which kills or suspends hosts to test failover
    #[arg(long)]
    no_drills: bool,
    /// Let manifests name the NATS servers that this JSON file defines, as in `server: NAME` of a
    /// `keyvalue-nats` provider
    #[arg(long, value_name = "FILE")]
    nats_servers: Option<PathBuf>,
    #[command(flatten)]
    lattice: LatticeOptions,
}

impl Up {
    /// Runs the command.
    ///
    /// # Errors
    /// A manifest is invalid, the host cannot start or rejects a manifest, or requests were cut off
    /// at shutdown.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let manifests = manifest::read_all(&self.files)?;
        // All files of the host are for its own user, those of its databases too.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let logs = Logs::new();
        let _log = logging::start(self.log_format, &logs)?;
        let servers = providers::read_servers(self.nats_servers.as_deref())?;
        let limits = DrainLimits {
            notice: self.drain_notice,
            deadline: self.drain_deadline.get(),
        };
        warn_of_visible_logins();
        let config = self.config(logs)?;
        let runtime = host_runtime()?;
        let registry = providers::registry(config.mesh.as_ref(), servers);
        let outcome = runtime.block_on(serve(config, registry, manifests, limits));
        // Compilations that still run when the host ends are abandoned.
        runtime.shutdown_background();
        outcome
    }

    fn config(self, logs: Logs) -> Result<HostConfig, Failure> {
        let mut config = HostConfig::new(self.data_directory.path()?);
        config.name = self.name.unwrap_or_else(machine_name);
        config.labels = distinct(self.labels)?;
        config.capacity = self.capacity;
        config.http = Some(self.http);
        config.http_settings.keep_alive = self.keep_alive.get();
        config.admin = self.admin;
        config.links_over_wire = self.links_over_wire;
        config.takeover = self.takeover;
        config.mesh = self.lattice.mesh(&config.name)?;
        match &config.mesh {
            None if self.takeover => return Err(without_servers("--takeover")),
            None => log_unused_variables(),
            Some(_) => {}
        }
        config.logs = logs;
        if !self.no_drills {
            config.faults = Some(Arc::new(ThisProcess));
        }
        Ok(config)
    }
}

/// Logs a warning if a login is visible in the list of processes, as long as the host runs.
fn warn_of_visible_logins() {
    let arguments = environment::arguments();
    let names = environment::visible_logins(&arguments).join(", ");
    if !names.is_empty() {
        tracing::warn!(
            "other users of this machine can see the login to NATS in the list of processes \
             ({names}); give it by a variable (`WEFT_NATS`, `WEFT_NATS_PASSWORD`, \
             `WEFT_NATS_TOKEN`) or a file (`--nats-creds`, `--nats-nkey`)"
        );
    }
}

/// Logs the variables that only a host of a lattice uses: one of them may have been meant to join
/// it.
fn log_unused_variables() {
    let settings = environment::of_environment().settings;
    if let Some(lattice) = &settings.lattice {
        tracing::info!(
            "this host is alone: the lattice name `{lattice}` (`WEFT_LATTICE`) is unused without \
             NATS servers (`--nats` or `WEFT_NATS`)"
        );
    }
    let names = settings.lattice_names().map(|name| name.variable);
    let names: Vec<_> = names.filter(|&name| name != "WEFT_LATTICE").collect();
    if !names.is_empty() {
        let names = names.join(", ");
        tracing::info!("this host is alone: {names} are unused without NATS servers");
    }
}

fn host_name(text: &str) -> Result<String, HostNameError> {
    check_host_name(text).map(|()| text.to_owned())
}

/// An address to listen on. `localhost` is the loopback address of IPv4.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let parts = text.rsplit_once(':');
    match parts.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))) {
        Some(("localhost", port)) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        Some(("" | "*", port)) => Err(format!(
            "expected an IP address before the port: `127.0.0.1:{port}` for this machine alone, or \
             `0.0.0.0:{port}` for all networks"
        )),
        _ => Err("expected `IP:PORT`, as in `127.0.0.1:8080`, or `localhost:PORT`".to_owned()),
    }
}

/// A duration, which may be zero.
fn notice(text: &str) -> Result<Duration, QuantityError> {
    match text {
        "0s" => Ok(Duration::ZERO),
        text => Ok(text.parse::<DurationText>()?.get()),
    }
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

// === lifecycle of the host ===

/// Starts the host, deploys, prints the summary, waits for a signal, drains. A signal interrupts
/// every step but the drain.
async fn serve(
    config: HostConfig,
    registry: Registry,
    manifests: Vec<Manifest>,
    limits: DrainLimits,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let host = tokio::select! {
        started = Host::start(config, registry) => {
            started.map_err(|error| start_failure(&error))?
        }
        name = signals.next() => {
            tracing::info!("{name} received during startup: nothing to drain");
            return Ok(());
        }
    };
    let served = tokio::select! {
        failed = run(&host, manifests) => failed.map(|never| match never {}),
        incarnation = host.superseded() => {
            return end_superseded(host, incarnation, limits.deadline, &mut signals).await;
        }
        name = signals.next() => {
            let deadline = limits.deadline;
            tracing::info!("{name} received: draining requests in flight for at most {deadline:?}");
            Ok(())
        }
    };
    let drained = drain(host, limits, &mut signals).await;
    served.and(drained)
}

/// The failure of a host that does not start.
fn start_failure(error: &StartError) -> Failure {
    let is_in_use = |source: &MeshError| matches!(source, MeshError::IdentityInUse { .. });
    let kind = match error {
        StartError::Mesh { source, .. } if is_in_use(source) => Kind::Identity,
        _ => Kind::Failed,
    };
    Failure::from_error(kind, error)
}

/// Ends a host whose identity another process has taken over: always a failure.
async fn end_superseded(
    host: Host,
    incarnation: u64,
    deadline: Duration,
    signals: &mut Signals,
) -> Result<(), Failure> {
    tracing::error!(
        incarnation,
        "another process has taken over the identity of this host: finishing requests in flight \
         for at most {deadline:?}, and rejecting new ones"
    );
    tokio::select! {
        _ = host.end_superseded(deadline) => {}
        name = signals.next() => tracing::warn!("{name}: requests in flight were cut off"),
    }
    let message = "another process has taken over the identity of this host";
    Err(Failure::new(Kind::Identity, message)
        .or_help("a data directory is of one host: start one of both with an empty `--data-dir`"))
}

/// A result that never occurs: a host serves until a signal.
enum Never {}

/// Deploys the manifests, prints the summary, and serves until the future is dropped.
async fn run(host: &Host, manifests: Vec<Manifest>) -> Result<Never, Failure> {
    let client = Client::new(reachable(host.admin_address()).to_string(), host.token());
    let choices = deploy::Choices {
        force: false,
        breaking: true,
        consent: Consent::Given,
    };
    deploy::deploy(&client, manifests, Format::Text, choices).await?;
    output::report(&Summary::fetch(host, &client).await?, Format::Text)?;
    std::future::pending().await
}

async fn drain(host: Host, limits: DrainLimits, signals: &mut Signals) -> Result<(), Failure> {
    let deadline = limits.deadline;
    let drained = tokio::select! {
        drained = host.shutdown(limits) => drained,
        name = signals.next() => {
            let message = format!("{name} while draining: requests in flight were cut off");
            return Err(Failure::new(Kind::Failed, message));
        }
    };
    match drained {
        DrainOutcome::Complete => {
            tracing::info!("drained: every request finished");
            Ok(())
        }
        DrainOutcome::DeadlineReached { in_flight } => {
            let message =
                format!("the drain deadline of {deadline:?} cut off {in_flight} requests");
            Err(Failure::new(Kind::Failed, message)
                .or_help("raise `--drain-deadline`, or lower `limits.deadline` of the component"))
        }
    }
}

// === summary at startup ===

/// The addresses, apps and routes of a host once it is up, including apps from earlier runs.
#[derive(Debug, Serialize)]
struct Summary {
    version: &'static str,
    http: Option<SocketAddr>,
    admin: SocketAddr,
    apps: Vec<AppRow>,
    routes: Vec<ServedRoute>,
}

impl Summary {
    async fn fetch(host: &Host, client: &Client) -> Result<Summary, ClientError> {
        let http = host.http_address().map(|address| address.to_string());
        let routes: Vec<RouteRow> = client.rows("routes").await?;
        Ok(Summary {
            version: env!("CARGO_PKG_VERSION"),
            http: host.http_address(),
            admin: host.admin_address(),
            apps: client.rows("apps").await?,
            routes: ServedRoute::all(routes, http.as_deref()),
        })
    }
}

/// A line for an app that does not start. Apps whose replicas are on their way, on this host or on
/// others, are no news at a start.
fn app_line(app: &AppRow) -> Option<String> {
    let state = match app.status.as_str() {
        "failed" => "is not running",
        "behind" => "is behind its desired revision",
        _ => return None,
    };
    let reason = app.reason.as_deref().unwrap_or("no reason given");
    Some(format!("  app `{}` {state}: {reason}", app.app))
}

impl Report for Summary {
    fn text(&self) -> String {
        let mut lines = vec![format!("weft {} is up", self.version)];
        lines.extend(self.http.map(|http| format!("  HTTP   http://{http}")));
        lines.push(format!("  admin  {}", self.admin));
        lines.extend(self.apps.iter().filter_map(app_line));
        lines.extend(
            self.routes
                .iter()
                .map(|route| format!("  {}", route.full_line())),
        );
        if self.apps.is_empty() {
            lines.push("  no app is deployed; deploy one with `weft deploy FILE`".to_owned());
        }
        lines.push("press Ctrl-C to stop".to_owned());
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ip_or_localhost_with_a_port() {
        let accepted = [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:0", "[::1]:0"),
            ("localhost:8081", "127.0.0.1:8081"),
        ];
        for (text, expected) in accepted {
            assert_eq!(address(text), Ok(expected.parse().unwrap()), "{text}");
        }
        for (text, hint) in [
            (":8081", "`0.0.0.0:8081` for all networks"),
            ("*:8081", "`127.0.0.1:8081` for this machine alone"),
            ("8081", "expected `IP:PORT`"),
            ("localhost", "expected `IP:PORT`"),
            ("localhost:99999", "expected `IP:PORT`"),
            ("example.com:80", "expected `IP:PORT`"),
        ] {
            let reason = address(text).unwrap_err();
            assert!(reason.contains(hint), "{text}: {reason}");
        }
    }
}
