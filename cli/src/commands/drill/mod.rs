//! `weft drill`: injects a fault into a lattice and measures its effect on requests.
//!
//! | module | owns |
//! | --- | --- |
//! | [`scenario`] | the steps of a drill, and the trait of its targets |
//! | [`local_target`] | a drill on a lattice that the command starts on loopback |
//! | [`local_lattice`], [`topology`] | the servers and hosts of that lattice |
//! | [`live_target`], [`confirm`] | a drill on a lattice in use, after confirmation |
//! | [`probes`], [`writes`] | requests through the surviving hosts during the drill |
//! | [`load`], [`requests`], [`address`], [`open_files`] | sending them at a steady rate |
//! | [`observer`] | when the lattice detects the loss and recovers |
//! | [`report`] | the result |

mod address;
mod confirm;
mod live_target;
mod load;
mod local_lattice;
mod local_target;
mod observer;
mod open_files;
mod probes;
mod report;
mod requests;
mod scenario;
mod topology;
mod writes;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use weft_control::HostRef;
use weft_control::fault::HANG_MAX;
use weft_lattice_config::DurationText;

use self::address::Address;
use self::live_target::{LiveOptions, LiveTarget};
use self::local_lattice::LocalLattice;
use self::local_target::LocalTarget;
use self::report::DrillReport;
use self::scenario::Scenario;
use self::topology::{CLOUDS, Topology};
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format};
use crate::signals::Signals;

/// The maximum number of requests per second: more would measure the sender.
const RATE_MAX: u32 = 2_000;

/// Requests per second on a local lattice, which has no other load.
const RATE_LOCAL: u32 = 500;

/// Requests per second on a live lattice: enough to measure the effect, without much load.
const RATE_LIVE: u32 = 50;

/// The cloud that a local lattice loses: not the one that stores the desired state.
const CLOUD_LOCAL: &str = CLOUDS[2];

const AFTER_HELP: &str = "\
Local lattice (on loopback, needs `nats-server`, ends with the command):
  weft drill kill-host -f shop.yaml                        kill one of three hosts
  weft drill stop-host -f shop.yaml --rate 200             suspend one host
  weft drill kill-nats -f shop.yaml                        kill and restart the NATS server
  weft drill lose-cloud -f shop.yaml --topology stretched  kill and restart one of three clouds
  weft drill kill-host -f shop.yaml --write /orders \\
    --body '{\"lines\":[{\"sku\":\"sencha\",\"quantity\":1}]}'     place orders, and read them at the end
  weft drill kill-host -f shop.yaml --path /catalog/products --write /api/orders --body …
                                                           the same by the shop's HTTP API

Live lattice (after confirmation by name):
  weft drill kill-host --path /products                    kill the busiest host
  weft drill stop-host --host north --for 20s              suspend one host for 20 s
  weft drill lose-cloud --cloud b --nats nats://10.0.0.7   kill all hosts labelled `cloud=b`

Requests are GETs of `--path`, sent through every surviving host. A request is lost if no response
with a status below 500 arrives within ten seconds. A write is acknowledged by `201` and a
`Location`, and missing if that location cannot be read at the end. One that may have run when its
host was lost is not sent twice, and fails.";

/// Inject a fault into a lattice and measure its effect on requests
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Drill {
    /// Fault to inject
    #[arg(value_enum)]
    fault: Fault,
    /// Start a local lattice on this machine and deploy this manifest to it; repeatable. Without
    /// `--file`, the drill is on a live lattice
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Request this path
    #[arg(long, default_value = "/", value_parser = path)]
    path: String,
    /// Send this many requests per second [default: 500 with `--file`, else 50]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_MAX)))]
    rate: Option<u32>,
    /// Also POST `--body` to this path, four times per second
    #[arg(long, value_name = "PATH", value_parser = path)]
    write: Option<String>,
    /// Send this JSON as the body of writes
    #[arg(long, value_name = "JSON", default_value = "{}", requires = "write")]
    body: String,
    /// Send requests for this long after the fault, or after the restart of a NATS server
    #[arg(long = "for", value_name = "DURATION", default_value = "15s")]
    duration: DurationText,
    /// Start the local lattice with these NATS servers and hosts
    #[arg(long, value_enum, default_value_t, requires = "files")]
    topology: Topology,
    /// Kill this cloud with `lose-cloud`: with `--file`, `a`, `b` or `c` [default: c], where `a`
    /// stores the desired state if clouds are joined by gateways; else a value of the label `cloud`
    #[arg(long, value_name = "CLOUD")]
    cloud: Option<String>,
    /// Kill or suspend this host [default: the busiest one but the first]
    #[arg(long, value_name = "HOST", conflicts_with = "files")]
    host: Option<HostRef>,
    /// Send requests to this address, as in http://10.0.0.7:8080, instead of the addresses that
    /// hosts report; repeatable
    #[arg(long = "probe", value_name = "URL", conflicts_with = "files")]
    probes: Vec<Address>,
    /// Confirm the drill with the name of the lattice, instead of typing it
    #[arg(long, value_name = "NAME", conflicts_with = "files")]
    confirm: Option<String>,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    access: HostOptions,
}

/// The faults to inject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Kill a host, as `kill -9` does
    KillHost,
    /// Suspend a host (SIGSTOP): connected, but not responding
    StopHost,
    /// Kill a NATS server, and restart it after three seconds; only with `--file`
    KillNats,
    /// Kill all hosts of one cloud; with `--file` also its NATS server, and restart all of them
    LoseCloud,
}

impl Fault {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

fn path(text: &str) -> Result<String, String> {
    match text.parse::<http::uri::PathAndQuery>() {
        Ok(path) if text.starts_with('/') => Ok(path.to_string()),
        Ok(_) | Err(_) => Err("expected a path, as in `/products?page=1`".to_owned()),
    }
}

impl Drill {
    /// Runs the command.
    ///
    /// # Errors
    /// The arguments contradict each other, the lattice cannot be started or found, or the user
    /// does not confirm the drill.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        self.check()?;
        open_files::raise_limit();
        let report = match self.files.as_slice() {
            [] => self.run_live().await?,
            files => self.run_local(files).await?,
        };
        output::report(&report, self.output)?;
        Ok(())
    }

    async fn run_local(&self, files: &[PathBuf]) -> Result<DrillReport, Failure> {
        let mut signals = Signals::listen()?;
        let mut lattice = LocalLattice::start(self.topology).await?;
        let ended = tokio::select! {
            outcome = self.run_on(&mut lattice, files) => Ok(outcome),
            name = signals.next() => Err(name),
        };
        let outcome = match ended {
            // Before the end of the lattice, which removes its logs.
            Ok(outcome) => outcome.map_err(|failure| lattice.explain(failure)),
            Err(name) => {
                let message = format!("drill given up: {name} received");
                Err(Failure::new(Kind::Failed, message))
            }
        };
        lattice.end().await;
        outcome
    }

    async fn run_on(
        &self,
        lattice: &mut LocalLattice,
        files: &[PathBuf],
    ) -> Result<DrillReport, Failure> {
        let cloud = self.cloud.as_deref().unwrap_or(CLOUD_LOCAL);
        let mut target = LocalTarget::prepare(lattice, files, self.fault, cloud).await?;
        self.scenario(RATE_LOCAL).run(&mut target).await
    }

    async fn run_live(&self) -> Result<DrillReport, Failure> {
        let options = LiveOptions {
            fault: self.fault,
            host: self.host.clone(),
            cloud: self.cloud.clone(),
            probes: self.probes.clone(),
            confirmed: self.confirm.clone(),
            duration: self.duration.get(),
        };
        let mut target = LiveTarget::find(&self.access, options).await?;
        self.scenario(RATE_LIVE).run(&mut target).await
    }

    fn scenario(&self, rate_default: u32) -> Scenario {
        let write = self.write.clone();
        Scenario {
            fault: self.fault,
            path: self.path.clone(),
            rate: self.rate.unwrap_or(rate_default),
            write: write.map(|path| (path, self.body.clone())),
            duration: self.duration.get(),
        }
    }

    /// Checks combinations of arguments, without a request to a host.
    fn check(&self) -> Result<(), Failure> {
        let fault = self.fault.name();
        if self.cloud.is_some() && self.fault != Fault::LoseCloud {
            let message = format!("`--cloud` is for `lose-cloud`, found `{fault}`");
            return invalid(message, "omit `--cloud`, or drill `lose-cloud`");
        }
        let loses_one = matches!(self.fault, Fault::KillHost | Fault::StopHost);
        if self.host.is_some() && !loses_one {
            let message = format!("`--host` is for `kill-host` and `stop-host`, found `{fault}`");
            return invalid(message, "omit `--host`; `lose-cloud` has `--cloud`");
        }
        match self.files.as_slice() {
            [] => self.check_live(),
            _ => self.check_local(),
        }
    }

    fn check_local(&self) -> Result<(), Failure> {
        if let Some(option) = self.access.named_by() {
            let message =
                format!("`{option}` is for a live lattice, but `--file` starts a local lattice");
            return invalid(message, "omit one of the two options");
        }
        if let Some(cloud) = self
            .cloud
            .as_ref()
            .filter(|it| !CLOUDS.contains(&it.as_str()))
        {
            let message = format!("expected cloud `a`, `b` or `c`, found `{cloud}`");
            return invalid(message, "a local lattice (`--file`) has these three clouds");
        }
        if self.fault == Fault::LoseCloud && self.topology == Topology::One {
            let message = "`lose-cloud` needs a NATS server in each cloud, found `--topology one`";
            return invalid(
                message,
                "give `--topology stretched` or `--topology gateways`",
            );
        }
        Ok(())
    }

    fn check_live(&self) -> Result<(), Failure> {
        match self.fault {
            Fault::KillNats => invalid(
                "`kill-nats` needs a local lattice: the NATS servers of a live lattice are not \
                 managed by weft",
                "start a local lattice for the drill with `-f FILE`",
            ),
            Fault::LoseCloud if self.cloud.is_none() => invalid(
                "`lose-cloud` on a live lattice needs `--cloud`",
                "give a value of the label `cloud` with `--cloud`; `weft get hosts` lists labels",
            ),
            Fault::StopHost if self.duration.get() > HANG_MAX || self.duration.get().is_zero() => {
                let (max, found) = (HANG_MAX, self.duration.get());
                invalid(
                    format!(
                        "`--for` of `stop-host` must be above zero and {max:?} at most, found {found:?}"
                    ),
                    "a host counts as dead after three seconds: `--for 15s` shows the whole effect",
                )
            }
            Fault::KillHost | Fault::StopHost | Fault::LoseCloud => Ok(()),
        }
    }
}

fn invalid(message: impl Into<String>, help: &str) -> Result<(), Failure> {
    Err(Failure::new(Kind::Input, message).or_help(help))
}

#[cfg(test)]
mod tests;
