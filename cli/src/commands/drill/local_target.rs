//! A drill on a local lattice. Without other users it needs no confirmation, and the drill
//! restarts killed processes itself.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Fault;
use super::address::Address;
use super::local_lattice::LocalLattice;
use super::observer::{ComponentsByHost, Restarts};
use super::scenario::{FaultTimes, Member, Target};
use super::topology::CLOUDS;
use crate::failure::Failure;
use crate::output;

/// The time limit to start a lattice and the deployed apps: a large component takes tens of
/// seconds to compile on a small machine.
const START_MAX: Duration = Duration::from_mins(3);

/// The downtime of a killed NATS server.
const SERVER_DOWNTIME: Duration = Duration::from_secs(3);

/// A local lattice and the fault to inject.
pub(super) struct LocalTarget<'a> {
    lattice: &'a mut LocalLattice,
    members: Vec<Member>,
    fault: Fault,
    /// The cloud that `lose-cloud` kills.
    cloud: &'a str,
}

impl<'a> LocalTarget<'a> {
    /// Waits until the hosts have joined, and deploys the manifests.
    ///
    /// # Errors
    /// A host does not join, or a manifest is rejected.
    pub(super) async fn prepare(
        lattice: &'a mut LocalLattice,
        files: &[PathBuf],
        fault: Fault,
        cloud: &'a str,
    ) -> Result<Self, Failure> {
        output::note("starting the local lattice");
        lattice.wait_until_joined(START_MAX).await?;
        for file in files {
            lattice.deploy(file).await?;
        }
        let members = lattice.hosts().iter().enumerate().map(|(index, host)| {
            Ok(Member {
                name: host.name.clone(),
                client: lattice.client(index)?,
            })
        });
        let members = members.collect::<Result<_, Failure>>()?;
        Ok(Self {
            lattice,
            members,
            fault,
            cloud,
        })
    }
}

impl Target for LocalTarget<'_> {
    const READY_MAX: Duration = START_MAX;

    fn describe(&self) -> String {
        self.lattice.describe()
    }

    fn members(&self) -> &[Member] {
        &self.members
    }

    fn selected_victims(&self) -> Option<Vec<usize>> {
        let hosts = self.lattice.hosts().iter().enumerate();
        match self.fault {
            Fault::KillHost | Fault::StopHost => None,
            Fault::KillNats => Some(Vec::new()),
            Fault::LoseCloud => {
                let lost = hosts.filter(|(_, host)| host.cloud == self.cloud);
                Some(lost.map(|(index, _)| index).collect())
            }
        }
    }

    async fn check_victims(&self, _: &[usize]) -> Result<(), Failure> {
        Ok(())
    }

    fn probe_addresses(&self, victims: &[usize]) -> Result<Vec<Address>, Failure> {
        let hosts = self.lattice.hosts().iter().enumerate();
        let surviving = hosts.filter(|(index, _)| !victims.contains(index));
        Ok(surviving.map(|(_, host)| host.http.into()).collect())
    }

    async fn confirm(&self, _: &[usize], _: &ComponentsByHost) -> Result<(), Failure> {
        Ok(())
    }

    async fn inject_fault(&mut self, victims: &[usize]) -> Result<FaultTimes, Failure> {
        let mut times = FaultTimes {
            injected: Instant::now(),
            recovered: None,
        };
        match self.fault {
            Fault::KillHost => self.lattice.kill_hosts(victims).await,
            Fault::StopHost => self.lattice.suspend_hosts(victims)?,
            Fault::LoseCloud => {
                self.lattice.kill_hosts(victims).await;
                self.lattice.kill_server(self.cloud).await;
            }
            Fault::KillNats => {
                self.lattice.kill_server(CLOUDS[0]).await;
                sleep(SERVER_DOWNTIME).await;
                self.lattice.start_server(CLOUDS[0]).await?;
                times.recovered = Some(Instant::now());
            }
        }
        Ok(times)
    }

    fn restarts(&self) -> Restarts {
        Restarts::Impossible
    }

    async fn recover(&mut self, victims: &[usize], _: Instant) -> Result<Option<Instant>, Failure> {
        match self.fault {
            Fault::KillHost | Fault::KillNats => return Ok(None),
            Fault::StopHost => self.lattice.resume_hosts(victims)?,
            Fault::LoseCloud => {
                self.lattice.start_server(self.cloud).await?;
                self.lattice.start_hosts(victims).await?;
            }
        }
        output::note("lost hosts are running again");
        Ok(Some(Instant::now()))
    }
}
