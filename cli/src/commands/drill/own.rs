//! A drill on a lattice of its own: nobody else uses it, so nobody is asked, and what was lost is started again.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Fault;
use super::address::Address;
use super::course::{Broken, Ground, Member};
use super::lab::Lab;
use super::topology::CLOUDS;
use super::watcher::{Restarts, Running};
use crate::failure::Failure;
use crate::output;

/// How long a lattice may take to start and to run what it is given: a large component takes tens of seconds to
/// compile on a small machine.
const START_MAX: Duration = Duration::from_mins(3);

/// How long a NATS server that was killed stays away.
const SERVER_AWAY: Duration = Duration::from_secs(3);

/// A lattice that the command has started.
pub(super) struct OwnLattice<'a> {
    lab: &'a mut Lab,
    members: Vec<Member>,
    fault: Fault,
    /// The cloud that is lost, if one is.
    cloud: &'a str,
}

impl<'a> OwnLattice<'a> {
    /// Waits until the hosts know of each other, and deploys the manifests.
    ///
    /// # Errors
    /// If they do not, or a manifest is refused.
    pub(super) async fn ready(
        lab: &'a mut Lab,
        files: &[PathBuf],
        fault: Fault,
        cloud: &'a str,
    ) -> Result<Self, Failure> {
        output::note("the lattice starts");
        lab.wait_until_joined(START_MAX).await?;
        for file in files {
            lab.deploy(file).await?;
        }
        let members = lab.hosts().iter().enumerate().map(|(place, host)| {
            Ok(Member {
                name: host.name.clone(),
                client: lab.client(place)?,
            })
        });
        let members = members.collect::<Result<_, Failure>>()?;
        Ok(Self {
            lab,
            members,
            fault,
            cloud,
        })
    }
}

impl Ground for OwnLattice<'_> {
    const READY_MAX: Duration = START_MAX;

    fn describe(&self) -> String {
        self.lab.describe()
    }

    fn members(&self) -> &[Member] {
        &self.members
    }

    fn chosen(&self) -> Option<Vec<usize>> {
        let hosts = self.lab.hosts().iter().enumerate();
        match self.fault {
            Fault::KillHost | Fault::StopHost => None,
            Fault::KillNats => Some(Vec::new()),
            Fault::LoseCloud => {
                let lost = hosts.filter(|(_, host)| host.cloud == self.cloud);
                Some(lost.map(|(place, _)| place).collect())
            }
        }
    }

    async fn check(&self, _: &[usize]) -> Result<(), Failure> {
        Ok(())
    }

    fn addresses(&self, victims: &[usize]) -> Result<Vec<Address>, Failure> {
        let hosts = self.lab.hosts().iter().enumerate();
        let surviving = hosts.filter(|(place, _)| !victims.contains(place));
        Ok(surviving.map(|(_, host)| host.http.into()).collect())
    }

    async fn agree(&self, _: &[usize], _: &Running) -> Result<(), Failure> {
        Ok(())
    }

    async fn break_it(&mut self, victims: &[usize]) -> Result<Broken, Failure> {
        let mut broken = Broken {
            at: Instant::now(),
            back: None,
        };
        match self.fault {
            Fault::KillHost => self.lab.kill_hosts(victims).await?,
            Fault::StopHost => self.lab.stop_hosts(victims).await?,
            Fault::LoseCloud => {
                self.lab.kill_hosts(victims).await?;
                self.lab.kill_server(self.cloud).await?;
            }
            Fault::KillNats => {
                self.lab.kill_server(CLOUDS[0]).await?;
                sleep(SERVER_AWAY).await;
                self.lab.start_server(CLOUDS[0]).await?;
                broken.back = Some(Instant::now());
            }
        }
        Ok(broken)
    }

    fn restarts(&self) -> Restarts {
        Restarts::Never
    }

    async fn mend(&mut self, victims: &[usize], _: Instant) -> Result<Option<Instant>, Failure> {
        match self.fault {
            Fault::KillHost | Fault::KillNats => return Ok(None),
            Fault::StopHost => self.lab.go_on(victims).await?,
            Fault::LoseCloud => {
                self.lab.start_server(self.cloud).await?;
                self.lab.start_hosts(victims).await?;
            }
        }
        output::note("what was lost is back");
        Ok(Some(Instant::now()))
    }
}
