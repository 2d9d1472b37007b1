//! `weft drill`: breaks a lattice on purpose, and tells what its users noticed.
//!
//! The lattice is one that the command starts itself, on loopback ([`lab`], as [`topology`] says, of [`processes`]),
//! with the apps of the user. [`probes`] send requests through the hosts that are to survive, and [`writes`] make
//! things there, both at a [`steady`] rate by [`requests`]; [`watcher`] sees when the lattice knows of the loss and
//! when everything runs again, [`report`] is what is told.

mod lab;
mod probes;
mod processes;
mod report;
mod requests;
mod steady;
mod topology;
mod watcher;
mod writes;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::time::{Instant, sleep, timeout};
use weft_lattice_config::DurationText;

use self::lab::Lab;
use self::probes::Probes;
use self::report::{DrillReport, Observed};
use self::topology::{CLOUDS, Topology};
use self::watcher::Watcher;
use self::writes::Writes;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format};

/// How long a lattice may take to start and to run what it is given: a large component takes tens of seconds to
/// compile on a small machine.
const START_MAX: Duration = Duration::from_mins(3);

/// How long requests go on before anything is broken: long enough to see that all is well.
const BEFORE: Duration = Duration::from_secs(3);

/// How long a NATS server that was killed stays away.
const SERVER_AWAY: Duration = Duration::from_secs(3);

/// The most requests a second: more would measure the prober.
const RATE_MAX: u32 = 2_000;

const AFTER_HELP: &str = "\
Examples:
  weft drill kill-host -f shop.yaml                        three hosts, one is killed
  weft drill stop-host -f shop.yaml --rate 200             one hangs, still subscribed
  weft drill kill-nats -f shop.yaml                        the NATS server is killed and restarted
  weft drill lose-cloud -f shop.yaml --topology stretched  one of three clouds is gone, and returns
  weft drill kill-host -f shop.yaml --write /orders --body '{\"lines\":[{\"sku\":\"sencha\",\"quantity\":1}]}'
                                                           orders are taken all the while, and read at the end

It needs `nats-server` in the path. All of it is on loopback, and ends with the command. Requests are
GETs of `--path`, sent through every host that is to survive; one counts as lost if it is not
answered with a status below 500 within ten seconds. What `--write` makes counts as made if it is
answered with `201` and a `Location`, and as missing if that cannot be read at the end.";

/// Break a lattice of this machine on purpose, and tell what its users noticed
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Drill {
    /// What to break
    #[arg(value_enum)]
    fault: Fault,
    /// Deploy this manifest before; may be given several times
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The path of the requests
    #[arg(long, default_value = "/", value_parser = path)]
    path: String,
    /// How many requests to send a second
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_MAX)))]
    rate: u32,
    /// POST `--body` to this path besides, four times a second
    #[arg(long, value_name = "PATH", value_parser = path)]
    write: Option<String>,
    /// The JSON that is posted to the path of `--write`
    #[arg(long, value_name = "JSON", default_value = "{}", requires = "write")]
    body: String,
    /// How long to go on after something was broken
    #[arg(long = "for", value_name = "DURATION", default_value = "15s")]
    lasting: DurationText,
    /// The servers and hosts of the lattice
    #[arg(long, value_enum, default_value_t)]
    topology: Topology,
    /// The cloud to lose; `a` is the one that keeps the desired state where clouds are joined by
    /// gateways
    #[arg(long, value_name = "CLOUD", default_value = "c", value_parser = CLOUDS)]
    cloud: String,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// A host ends at once, as by `kill -9`
    KillHost,
    /// A host hangs: it is still subscribed, and answers nothing (SIGSTOP)
    StopHost,
    /// A NATS server is killed, and started again after three seconds
    KillNats,
    /// All hosts and the server of one cloud end at once, and are started again
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
    /// The lattice cannot be started, or does not come back.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if self.fault == Fault::LoseCloud && self.topology == Topology::One {
            let message = "a lattice on one NATS server has no cloud that can be lost";
            let help = "give `--topology stretched` or `--topology gateways`";
            return Err(Failure::new(Kind::Input, message).or_help(help));
        }
        let mut lab = Lab::start(self.topology).await?;
        let outcome = self.drill(&mut lab).await;
        // Not before what it logged is told, if that says why.
        let outcome = outcome.map_err(|failure| lab.explain(failure));
        lab.end().await;
        output::report(&outcome?, self.output)?;
        Ok(())
    }

    async fn drill(&self, lab: &mut Lab) -> Result<DrillReport, Failure> {
        output::note("the lattice starts");
        lab.wait_until_joined(START_MAX).await?;
        for file in &self.files {
            lab.deploy(file).await?;
        }
        let mut watcher = Watcher::new(lab)?;
        output::note("waiting until every host answers");
        let everyone: Vec<_> = lab.hosts().iter().map(|host| host.http).collect();
        let ready = async {
            watcher.settled().await;
            probes::until_answered(&everyone, &self.path).await;
        };
        if timeout(START_MAX, ready).await.is_err() {
            let message = format!(
                "a GET of `{}` is not answered with a status below 500 by every host",
                self.path
            );
            return Err(Failure::new(Kind::Failed, message)
                .or_help("give the path of a route of the app with `--path`"));
        }
        let victims = self.victims(lab, &watcher).await;
        watcher.remember(&victims).await;
        let surviving: Vec<_> = (0..everyone.len())
            .filter(|index| !victims.contains(index))
            .map(|index| everyone[index])
            .collect();
        let writes = self.write.as_deref();
        let writes = writes.map(|path| Writes::start(&surviving, path, &self.body));
        let probes = Probes::start(&surviving, &self.path, self.rate);
        sleep(BEFORE).await;
        output::note(&format!("{}: {}", self.fault.name(), lab.names(&victims)));
        let broken = Instant::now();
        let back = self.break_it(lab, &victims, &mut watcher).await?;
        sleep(self.lasting.get().saturating_sub(broken.elapsed())).await;
        let after = match back {
            Some(back) => Some(back),
            None => self.undo(lab, &victims).await?,
        };
        let sent = probes.end().await;
        let written = match writes {
            Some(writes) => Some(writes.end().await),
            None => None,
        };
        let returned = match after {
            Some(back) => watcher.all_back(back).await,
            None => None,
        };
        let observed = Observed {
            broken,
            back: after,
            sent: &sent,
            written: written.as_ref(),
            seen: watcher.seen(),
            all_back: returned,
        };
        Ok(DrillReport::new(
            self.fault.name(),
            lab.describe(),
            &observed,
        ))
    }

    /// The hosts that are to be lost.
    async fn victims(&self, lab: &Lab, watcher: &Watcher) -> Vec<usize> {
        let hosts = lab.hosts().iter().enumerate();
        match self.fault {
            Fault::KillNats => Vec::new(),
            Fault::KillHost | Fault::StopHost => {
                watcher.busiest_but_first().await.into_iter().collect()
            }
            Fault::LoseCloud => hosts
                .filter(|(_, host)| host.cloud == self.cloud)
                .map(|(index, _)| index)
                .collect(),
        }
    }

    /// Breaks it, and watches. Says when what was broken was whole again, if that was here.
    async fn break_it(
        &self,
        lab: &mut Lab,
        victims: &[usize],
        watcher: &mut Watcher,
    ) -> Result<Option<Instant>, Failure> {
        match self.fault {
            Fault::KillHost => lab.kill_hosts(victims).await?,
            Fault::StopHost => lab.stop_hosts(victims).await?,
            Fault::LoseCloud => {
                lab.kill_hosts(victims).await?;
                lab.kill_server(&self.cloud).await?;
            }
            Fault::KillNats => {
                lab.kill_server(CLOUDS[0]).await?;
                sleep(SERVER_AWAY).await;
                lab.start_server(CLOUDS[0]).await?;
                let back = Instant::now();
                watcher.nothing_moved(self.lasting.get()).await;
                return Ok(Some(back));
            }
        }
        watcher.watch(Instant::now(), self.lasting.get()).await;
        Ok(None)
    }

    /// Brings back what can come back. Says when.
    async fn undo(&self, lab: &mut Lab, victims: &[usize]) -> Result<Option<Instant>, Failure> {
        match self.fault {
            Fault::KillHost | Fault::KillNats => return Ok(None),
            Fault::StopHost => lab.go_on(victims).await?,
            Fault::LoseCloud => {
                lab.start_server(&self.cloud).await?;
                lab.start_hosts(victims).await?;
            }
        }
        output::note("what was lost is back");
        Ok(Some(Instant::now()))
    }
}
