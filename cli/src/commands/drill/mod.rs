//! `weft drill`: breaks a lattice on purpose, and tells what its users noticed.
//!
//! A drill takes its [`course`] on a lattice that the command starts itself, on loopback, with the apps of the user
//! ([`own`]: a [`lab`], as [`topology`] says, of [`processes`]), or on one that runs ([`running`]), after somebody
//! has agreed ([`confirming`]). [`probes`] send requests through the hosts that are to survive, at their
//! [`address`]es, and [`writes`] make things there, both at a [`steady`] rate by [`requests`] (as many at once as
//! [`open_files`] allows); [`watcher`] sees when
//! the lattice knows of the loss and when everything runs again, [`report`] is what is told.

mod address;
mod confirming;
mod course;
mod lab;
mod open_files;
mod own;
mod probes;
mod processes;
mod report;
mod requests;
mod running;
mod steady;
mod topology;
mod watcher;
mod writes;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use weft_control::HostRef;
use weft_control::fault::HANG_MAX;
use weft_lattice_config::DurationText;

use self::address::Address;
use self::course::Course;
use self::lab::Lab;
use self::own::OwnLattice;
use self::report::DrillReport;
use self::running::{Order, RunningLattice};
use self::topology::{CLOUDS, Topology};
use crate::environment::NamedHostOptions;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format};
use crate::signals::Signals;

/// The most requests a second: more would measure the prober.
const RATE_MAX: u32 = 2_000;

/// Requests a second on a lattice of its own, which has nothing else to do.
const RATE_OWN: u32 = 500;

/// Requests a second on a lattice that others use: enough to see what they notice, and no load.
const RATE_RUNNING: u32 = 50;

/// The cloud that is lost of a lattice of its own: not the one that keeps the desired state.
const CLOUD_OWN: &str = CLOUDS[2];

const AFTER_HELP: &str = "\
On a lattice of its own on loopback, which needs `nats-server` and ends with the command:
  weft drill kill-host -f shop.yaml                        three hosts, one is killed
  weft drill stop-host -f shop.yaml --rate 200             one hangs, still subscribed
  weft drill kill-nats -f shop.yaml                        the NATS server is killed and restarted
  weft drill lose-cloud -f shop.yaml --topology stretched  one of three clouds is gone, and returns
  weft drill kill-host -f shop.yaml --write /orders --body '{\"lines\":[{\"sku\":\"sencha\",\"quantity\":1}]}'
                                                           orders are taken all the while, and read at the end

On a lattice that runs, after its name was typed:
  weft drill kill-host --path /products                    the host that runs most is killed
  weft drill stop-host --host north --for 20s              one host hangs for 20 s, and goes on
  weft drill lose-cloud --cloud b --nats nats://10.0.0.7   all hosts labelled `cloud=b` are killed

Requests are GETs of `--path`, sent through every host that is to survive; one counts as lost if it
is not answered with a status below 500 within ten seconds. What `--write` makes counts as made if
it is answered with `201` and a `Location`, and as missing if that cannot be read at the end.";

/// Break a lattice on purpose, and tell what its users noticed
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Drill {
    /// What to break
    #[arg(value_enum)]
    fault: Fault,
    /// Start a lattice of its own on this machine, and deploy this manifest there; may be given
    /// several times. Without it, a lattice that runs is broken
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The path of the requests
    #[arg(long, default_value = "/", value_parser = path)]
    path: String,
    /// How many requests to send a second [default: 500 with `--file`, else 50]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_MAX)))]
    rate: Option<u32>,
    /// POST `--body` to this path besides, four times a second
    #[arg(long, value_name = "PATH", value_parser = path)]
    write: Option<String>,
    /// The JSON that is posted to the path of `--write`
    #[arg(long, value_name = "JSON", default_value = "{}", requires = "write")]
    body: String,
    /// How long to go on after the loss, or after the return of a NATS server
    #[arg(long = "for", value_name = "DURATION", default_value = "15s")]
    lasting: DurationText,
    /// The servers and hosts of the lattice that is started
    #[arg(long, value_enum, default_value_t, requires = "files")]
    topology: Topology,
    /// The cloud that `lose-cloud` loses: with `--file` `a`, `b` or `c` [default: c], where `a` keeps
    /// the desired state if clouds are joined by gateways; else a value of the label `cloud`
    #[arg(long, value_name = "CLOUD")]
    cloud: Option<String>,
    /// The host that is lost [default: the one that runs most, but not the first]
    #[arg(long, value_name = "HOST", conflicts_with = "files")]
    host: Option<HostRef>,
    /// Send requests to this address, as in http://10.0.0.7:8080, in place of where hosts say that
    /// they take them; may be given several times
    #[arg(long = "probe", value_name = "URL", conflicts_with = "files")]
    probes: Vec<Address>,
    /// The name of the lattice, in place of typing it
    #[arg(long, value_name = "NAME", conflicts_with = "files")]
    confirm: Option<String>,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    access: NamedHostOptions,
}

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// A host ends at once, as by `kill -9`
    KillHost,
    /// A host hangs: it is still subscribed, and answers nothing (SIGSTOP)
    StopHost,
    /// A NATS server is killed, and started again after three seconds; only with `--file`
    KillNats,
    /// All hosts of one cloud end at once; with `--file` its server too, and all are started again
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
    /// Its arguments do not fit together, the lattice cannot be started or found, or somebody does not want it
    /// to be broken.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        self.check()?;
        open_files::raise_limit();
        let report = match self.files.as_slice() {
            [] => self.on_running().await?,
            files => self.on_own(files).await?,
        };
        output::report(&report, self.output)?;
        Ok(())
    }

    async fn on_own(&self, files: &[PathBuf]) -> Result<DrillReport, Failure> {
        let mut signals = Signals::listen()?;
        let mut lab = Lab::start(self.topology).await?;
        let ended = tokio::select! {
            outcome = self.in_lab(&mut lab, files) => Ok(outcome),
            name = signals.next() => Err(name),
        };
        let outcome = match ended {
            // Not before what it logged is told, if that says why.
            Ok(outcome) => outcome.map_err(|failure| lab.explain(failure)),
            Err(name) => {
                let message = format!("the drill was given up: {name}");
                Err(Failure::new(Kind::Failed, message))
            }
        };
        lab.end().await;
        outcome
    }

    async fn in_lab(&self, lab: &mut Lab, files: &[PathBuf]) -> Result<DrillReport, Failure> {
        let cloud = self.cloud.as_deref().unwrap_or(CLOUD_OWN);
        let mut lattice = OwnLattice::ready(lab, files, self.fault, cloud).await?;
        self.course(RATE_OWN).run(&mut lattice).await
    }

    async fn on_running(&self) -> Result<DrillReport, Failure> {
        let order = Order {
            fault: self.fault,
            host: self.host.clone(),
            cloud: self.cloud.clone(),
            probes: self.probes.clone(),
            confirmed: self.confirm.clone(),
            lasting: self.lasting.get(),
        };
        let mut lattice = RunningLattice::find(&self.access.options, order).await?;
        self.course(RATE_RUNNING).run(&mut lattice).await
    }

    fn course(&self, rate_default: u32) -> Course {
        let write = self.write.clone();
        Course {
            fault: self.fault,
            path: self.path.clone(),
            rate: self.rate.unwrap_or(rate_default),
            write: write.map(|path| (path, self.body.clone())),
            lasting: self.lasting.get(),
        }
    }

    /// Whether the arguments fit together, as far as nothing has to be asked for that.
    fn check(&self) -> Result<(), Failure> {
        let fault = self.fault.name();
        if self.cloud.is_some() && self.fault != Fault::LoseCloud {
            let message = format!("`--cloud` is for `lose-cloud`, found `{fault}`");
            return wrong(message, "leave it out, or drill `lose-cloud`");
        }
        let loses_one = matches!(self.fault, Fault::KillHost | Fault::StopHost);
        if self.host.is_some() && !loses_one {
            let message = format!("`--host` is for `kill-host` and `stop-host`, found `{fault}`");
            return wrong(message, "leave it out; `lose-cloud` has `--cloud`");
        }
        match self.files.as_slice() {
            [] => self.check_running(),
            _ => self.check_own(),
        }
    }

    fn check_own(&self) -> Result<(), Failure> {
        if let Some(option) = self.access.named_by {
            let message = format!(
                "`{option}` is for a lattice that runs, and `--file` starts one for the drill"
            );
            return wrong(message, "leave out one of them");
        }
        if let Some(cloud) = self
            .cloud
            .as_ref()
            .filter(|it| !CLOUDS.contains(&it.as_str()))
        {
            let message = format!("expected cloud `a`, `b` or `c`, found `{cloud}`");
            return wrong(
                message,
                "these are the clouds of a lattice that `--file` starts",
            );
        }
        if self.fault == Fault::LoseCloud && self.topology == Topology::One {
            let message = "a lattice on one NATS server has no cloud that can be lost";
            return wrong(
                message,
                "give `--topology stretched` or `--topology gateways`",
            );
        }
        Ok(())
    }

    fn check_running(&self) -> Result<(), Failure> {
        match self.fault {
            Fault::KillNats => wrong(
                "a lattice that runs does not own its NATS servers, and cannot end one",
                "give a manifest with `-f FILE`: the drill then starts hosts and a server of its own",
            ),
            Fault::LoseCloud if self.cloud.is_none() => wrong(
                "which cloud is to be lost?",
                "give a value of the label `cloud` with `--cloud`; `weft get hosts` shows labels",
            ),
            Fault::StopHost if self.lasting.get() > HANG_MAX || self.lasting.get().is_zero() => {
                let (max, found) = (HANG_MAX, self.lasting.get());
                wrong(
                    format!("a host hangs for {max:?} at most, found `--for` {found:?}"),
                    "it counts as dead after three seconds: `--for 15s` shows all there is",
                )
            }
            Fault::KillHost | Fault::StopHost | Fault::LoseCloud => Ok(()),
        }
    }
}

fn wrong(message: impl Into<String>, help: &str) -> Result<(), Failure> {
    Err(Failure::new(Kind::Input, message).or_help(help))
}

#[cfg(test)]
mod tests;
