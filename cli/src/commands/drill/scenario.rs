//! The steps of a drill on any target: wait until the lattice is settled, send requests, inject a
//! fault, observe, recover, report.

use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use weft_control::Client;

use super::Fault;
use super::address::Address;
use super::observer::{ComponentsByHost, Observer, Restarts};
use super::probes::{self, Probes};
use super::report::{DrillReport, DrillSubject, Measurements};
use super::writes::Writes;
use crate::failure::{Failure, Kind};
use crate::output;

/// The time of requests before the fault: long enough to show that none fails without it.
const BEFORE: Duration = Duration::from_secs(3);

/// The time of requests after recovery: long enough for late effects, such as a move of components.
const AFTER_RETURN: Duration = Duration::from_secs(7);

/// A lattice to inject a fault into. Hosts are given by their index in [`members`](Self::members).
pub(super) trait Target {
    /// The time limit until placement is settled and every host replies.
    const READY_MAX: Duration;

    /// The description of the lattice for the report.
    fn describe(&self) -> String;

    /// The hosts. Commands go through the first.
    fn members(&self) -> &[Member];

    /// The victims that the user selected; `None` for the busiest host.
    fn selected_victims(&self) -> Option<Vec<usize>>;

    /// Checks that these hosts may be victims, without a prompt.
    ///
    /// # Errors
    /// A host cannot be a victim.
    async fn check_victims(&self, victims: &[usize]) -> Result<(), Failure>;

    /// The addresses for requests while these hosts are lost.
    ///
    /// # Errors
    /// No surviving host serves HTTP.
    fn probe_addresses(&self, victims: &[usize]) -> Result<Vec<Address>, Failure>;

    /// Prompts the user for confirmation, if the target needs one.
    ///
    /// # Errors
    /// The user does not confirm.
    async fn confirm(&self, victims: &[usize], running: &ComponentsByHost) -> Result<(), Failure>;

    /// Injects the fault.
    ///
    /// # Errors
    /// The fault cannot be injected.
    async fn inject_fault(&mut self, victims: &[usize]) -> Result<FaultTimes, Failure>;

    /// The possibility that an operator restarts killed hosts during the drill.
    fn restarts(&self) -> Restarts;

    /// Restores what the drill can restore, and returns the time of recovery, if any.
    ///
    /// # Errors
    /// The recovery fails.
    async fn recover(
        &mut self,
        victims: &[usize],
        injected: Instant,
    ) -> Result<Option<Instant>, Failure>;
}

/// A host of the lattice.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) client: Client,
}

/// The times of an injected fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct FaultTimes {
    pub(super) injected: Instant,
    /// The time of recovery, if the fault has ended already.
    pub(super) recovered: Option<Instant>,
}

/// The fault and the requests of a drill.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) fault: Fault,
    /// The path of the requests.
    pub(super) path: String,
    /// Requests per second.
    pub(super) rate: u32,
    /// The path and the JSON body of writes.
    pub(super) write: Option<(String, String)>,
    /// The time of requests after the fault.
    pub(super) duration: Duration,
}

impl Scenario {
    /// Runs the drill.
    ///
    /// # Errors
    /// The lattice is not ready, the fault cannot be injected, or the recovery fails.
    pub(super) async fn run<T: Target>(&self, target: &mut T) -> Result<DrillReport, Failure> {
        let clients = target.members().iter().map(|member| member.client.clone());
        let mut observer = Observer::new(clients.collect());
        let ready_until = Instant::now() + T::READY_MAX;
        output::note("waiting until placement is settled");
        if timeout_at(ready_until, observer.wait_until_settled())
            .await
            .is_err()
        {
            return Err(unsettled(T::READY_MAX));
        }
        let victims = match target.selected_victims() {
            Some(victims) => victims,
            None => observer.busiest_but_first().await.into_iter().collect(),
        };
        target.check_victims(&victims).await?;
        let addresses = target.probe_addresses(&victims)?;
        self.wait_until_served(&addresses, ready_until).await?;
        target
            .confirm(&victims, &running_components(&observer, target).await?)
            .await?;
        // Placement may have changed during the prompt.
        let running = running_components(&observer, target).await?;
        observer.record_baseline(&victims, running).await;
        let writes = self.write.as_ref();
        let writes = writes.map(|(path, body)| Writes::start(&addresses, path, body));
        let probes = Probes::start(&addresses, &self.path, self.rate);
        sleep(BEFORE).await;
        let lost = names(target.members(), &victims);
        let victim_names = match self.fault {
            Fault::KillNats => "the NATS server".to_owned(),
            Fault::KillHost | Fault::StopHost | Fault::LoseCloud => lost.join(", "),
        };
        output::note(&format!("{}: {victim_names}", self.fault.name()));
        let times = target.inject_fault(&victims).await?;
        let recovered = match times.recovered {
            Some(recovered) => {
                observer.observe_outage(recovered, self.duration).await;
                Some(recovered)
            }
            None => {
                let restarts = target.restarts();
                observer
                    .observe_takeover(times.injected, self.duration, restarts)
                    .await;
                sleep(self.duration.saturating_sub(times.injected.elapsed())).await;
                target.recover(&victims, times.injected).await?
            }
        };
        if let Some(recovered) = recovered {
            if times.recovered.is_none() {
                observer.observe_return(recovered).await;
            }
            sleep_until(recovered + AFTER_RETURN).await;
        }
        let sent = probes.end().await;
        let written = match writes {
            Some(writes) => Some(writes.end().await),
            None => None,
        };
        let subject = DrillSubject {
            fault: self.fault.name(),
            lattice: target.describe(),
            hosts_lost: lost,
        };
        let measurements = Measurements {
            injected: times.injected,
            recovered,
            sent: &sent,
            written: written.as_ref(),
            observations: observer.observations(),
        };
        Ok(DrillReport::new(subject, &measurements))
    }

    async fn wait_until_served(
        &self,
        addresses: &[Address],
        until: Instant,
    ) -> Result<(), Failure> {
        output::note("waiting until every host serves requests");
        let path = &self.path;
        for address in addresses {
            let served = timeout_at(until, probes::wait_until_served(address, path)).await;
            let Ok(status) = served else {
                let message =
                    format!("`GET {address}{path}` failed: no response with a status below 500");
                return Err(Failure::new(Kind::Failed, message).or_help(
                    "give a path that a route of the app serves with `--path`, and the addresses \
                     of the hosts of a live lattice with `--probe`",
                ));
            };
            if status == StatusCode::NOT_FOUND {
                output::note(&format!(
                    "`{address}{path}` returns 404: give a `--path` that exists for a useful drill"
                ));
            }
        }
        Ok(())
    }
}

/// The components on all hosts of a lattice.
///
/// # Errors
/// A host does not report its components.
async fn running_components<T: Target>(
    observer: &Observer,
    target: &T,
) -> Result<ComponentsByHost, Failure> {
    observer.running_components().await.map_err(|silent| {
        let silent = names(target.members(), &[silent]).join("");
        let message = format!("host `{silent}` does not report its components");
        Failure::new(Kind::Host, message)
            .or_help("check that host with `weft get components`; drill again when all hosts reply")
    })
}

/// The names of some hosts.
pub(super) fn names(members: &[Member], indices: &[usize]) -> Vec<String> {
    let names = indices.iter().filter_map(|index| members.get(*index));
    names.map(|member| member.name.clone()).collect()
}

fn unsettled(waited: Duration) -> Failure {
    let seconds = waited.as_secs();
    let message = format!(
        "lattice is not settled after {seconds} s: no component runs, or placement still changes"
    );
    Failure::new(Kind::Failed, message)
        .or_help("`weft get placements` shows desired hosts, and what blocks replicas")
}
