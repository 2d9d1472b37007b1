//! What happens in a drill, one thing after the other, wherever it is: all is well, requests go, something
//! breaks, and what is seen is told.

use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use weft_control::Client;

use super::Fault;
use super::address::Address;
use super::probes::{self, Probes};
use super::report::{DrillReport, Observed, RETURN_GRACE, Setting};
use super::watcher::{Restarts, Running, Watcher};
use super::writes::Writes;
use crate::failure::{Failure, Kind};
use crate::output;

/// How long requests go on before anything is broken: long enough to see that all is well.
const BEFORE: Duration = Duration::from_secs(3);

/// How long requests go on after the return of what was lost: longer than some may be lost.
const AFTER_RETURN: Duration = RETURN_GRACE.saturating_add(Duration::from_secs(5));

/// A lattice in which something is broken.
pub(super) trait Ground {
    /// How long it may take until nothing moves in it, and every host answers.
    const READY_MAX: Duration;

    /// What it is, in words.
    fn describe(&self) -> String;

    /// Its hosts. Commands go through the first.
    fn members(&self) -> &[Member];

    /// The hosts to lose, by their places, if somebody chose; else it is the one that runs most.
    fn chosen(&self) -> Option<Vec<usize>>;

    /// Whether these may be lost. Nobody is asked.
    ///
    /// # Errors
    /// Why not.
    async fn check(&self, victims: &[usize]) -> Result<(), Failure>;

    /// Where requests are sent while these are lost.
    ///
    /// # Errors
    /// If there is no such place.
    fn addresses(&self, victims: &[usize]) -> Result<Vec<Address>, Failure>;

    /// Has somebody agree that these are lost, where that is necessary.
    ///
    /// # Errors
    /// If nobody does.
    async fn agree(&self, victims: &[usize], running: &Running) -> Result<(), Failure>;

    /// Breaks it.
    ///
    /// # Errors
    /// If it does not break.
    async fn break_it(&mut self, victims: &[usize]) -> Result<Broken, Failure>;

    /// Whether somebody else may start again what was killed.
    fn restarts(&self) -> Restarts;

    /// Brings back what can come back, or waits until it is. Says when it was.
    ///
    /// # Errors
    /// If it does not come back.
    async fn mend(
        &mut self,
        victims: &[usize],
        broken: Instant,
    ) -> Result<Option<Instant>, Failure>;
}

/// A host.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) client: Client,
}

/// When something was broken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Broken {
    pub(super) at: Instant,
    /// When it was whole again, if it is already.
    pub(super) back: Option<Instant>,
}

/// What is done meanwhile.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) fault: Fault,
    /// The path of the requests.
    pub(super) path: String,
    /// How many a second.
    pub(super) rate: u32,
    /// Where something is made besides, and from which JSON.
    pub(super) write: Option<(String, String)>,
    /// How long to go on after the loss.
    pub(super) lasting: Duration,
}

impl Course {
    /// Drills.
    ///
    /// # Errors
    /// All is not well before, or the lattice does not break or come back.
    pub(super) async fn run<G: Ground>(&self, ground: &mut G) -> Result<DrillReport, Failure> {
        let clients = ground.members().iter().map(|member| member.client.clone());
        let mut watcher = Watcher::new(clients.collect());
        let ready_until = Instant::now() + G::READY_MAX;
        output::note("waiting until nothing moves");
        if timeout_at(ready_until, watcher.settled()).await.is_err() {
            return Err(unsettled(G::READY_MAX));
        }
        let victims = match ground.chosen() {
            Some(victims) => victims,
            None => watcher.busiest_but_first().await.into_iter().collect(),
        };
        ground.check(&victims).await?;
        let addresses = ground.addresses(&victims)?;
        self.until_answered(&addresses, ready_until).await?;
        ground
            .agree(&victims, &runs_now(&watcher, ground).await?)
            .await?;
        // Whoever was asked may have taken their time.
        let running = runs_now(&watcher, ground).await?;
        watcher.remember(&victims, running).await;
        let writes = self.write.as_ref();
        let writes = writes.map(|(path, body)| Writes::start(&addresses, path, body));
        let probes = Probes::start(&addresses, &self.path, self.rate);
        sleep(BEFORE).await;
        let lost = names(ground.members(), &victims);
        let shown = match self.fault {
            Fault::KillNats => "the NATS server".to_owned(),
            Fault::KillHost | Fault::StopHost | Fault::LoseCloud => lost.join(", "),
        };
        output::note(&format!("{}: {shown}", self.fault.name()));
        let broken = ground.break_it(&victims).await?;
        let back = match broken.back {
            Some(back) => {
                watcher.nothing_moved(back, self.lasting).await;
                Some(back)
            }
            None => {
                let restarts = ground.restarts();
                watcher.watch(broken.at, self.lasting, restarts).await;
                sleep(self.lasting.saturating_sub(broken.at.elapsed())).await;
                ground.mend(&victims, broken.at).await?
            }
        };
        if let Some(back) = back {
            if broken.back.is_none() {
                watcher.all_back(back).await;
            }
            sleep_until(back + AFTER_RETURN).await;
        }
        let sent = probes.end().await;
        let written = match writes {
            Some(writes) => Some(writes.end().await),
            None => None,
        };
        let setting = Setting {
            fault: self.fault.name(),
            lattice: ground.describe(),
            hosts_lost: lost,
        };
        let observed = Observed {
            broken: broken.at,
            back,
            sent: &sent,
            written: written.as_ref(),
            seen: watcher.seen(),
        };
        Ok(DrillReport::new(setting, &observed))
    }

    async fn until_answered(&self, addresses: &[Address], until: Instant) -> Result<(), Failure> {
        output::note("waiting until every host answers");
        let path = &self.path;
        for address in addresses {
            let answered = timeout_at(until, probes::until_answered(address, path)).await;
            let Ok(status) = answered else {
                let message =
                    format!("a GET of `{address}{path}` is not answered with a status below 500");
                return Err(Failure::new(Kind::Failed, message).or_help(
                    "give the path of a route of the app with `--path`, and with `--probe` where \
                     the hosts of a lattice that runs are reached",
                ));
            };
            if status == StatusCode::NOT_FOUND {
                output::note(&format!(
                    "`{address}{path}` is not there (404): without a `--path` that is, the drill \
                     shows little"
                ));
            }
        }
        Ok(())
    }
}

/// What runs in a lattice.
///
/// # Errors
/// If a host does not say it.
async fn runs_now<G: Ground>(watcher: &Watcher, ground: &G) -> Result<Running, Failure> {
    watcher.runs_now().await.map_err(|silent| {
        let silent = names(ground.members(), &[silent]).join("");
        let message = format!("host `{silent}` does not say what it runs");
        Failure::new(Kind::Host, message)
            .or_help("`weft get components` of that host shows why; drill when all is well")
    })
}

/// The names of some hosts.
pub(super) fn names(members: &[Member], places: &[usize]) -> Vec<String> {
    let names = places.iter().filter_map(|place| members.get(*place));
    names.map(|member| member.name.clone()).collect()
}

fn unsettled(waited: Duration) -> Failure {
    let seconds = waited.as_secs();
    let message = format!("after {seconds} s nothing runs in the lattice, or it still moves");
    Failure::new(Kind::Failed, message)
        .or_help("`weft get placements` shows what is to run where, and what is in the way")
}
