//! A drill on a lattice that runs, and that others use: its hosts are asked to break, if their operators let them
//! and somebody types its name.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use weft_control::rows::HostRow;
use weft_control::{Client, FaultRequest, HostRef};
use weft_membership::HostId;

use super::Fault;
use super::address::Address;
use super::confirming::{self, Warning};
use super::course::{Broken, Ground, Member};
use super::topology::CLOUD_LABEL;
use super::watcher::{Restarts, Running};
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output;
use crate::urls::reachable;

/// How long a host may take to say where it takes requests.
const ASK_MAX: Duration = Duration::from_secs(10);

/// What is to be done to which lattice.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) fault: Fault,
    /// The host to lose; the one that runs most, if none is named.
    pub(super) host: Option<HostRef>,
    /// The cloud to lose, if one is.
    pub(super) cloud: Option<String>,
    /// Where requests are sent, if not to where hosts say that they take them.
    pub(super) probes: Vec<Address>,
    /// The lattice's name, if somebody has typed it already.
    pub(super) confirmed: Option<String>,
    /// For how long a host hangs.
    pub(super) lasting: Duration,
}

/// A lattice that runs.
pub(super) struct RunningLattice {
    order: Order,
    name: String,
    /// Whether all commands go through the first host, which then cannot be lost.
    is_through_first: bool,
    rows: Vec<HostRow>,
    members: Vec<Member>,
    /// The hosts to lose, if they are named.
    chosen: Option<Vec<usize>>,
    /// Where hosts say that they take requests.
    said: Vec<Option<Address>>,
}

impl RunningLattice {
    /// Finds the lattice that the options mean.
    ///
    /// # Errors
    /// There is none, all is not well in it, or it has not what the order names.
    pub(super) async fn find(options: &HostOptions, order: Order) -> Result<Self, Failure> {
        let client = connection::client(options).await?;
        let mut rows: Vec<HostRow> = client.rows("hosts").await?;
        let name = name_of(&rows)?;
        rows.retain(|row| !row.is_gone());
        check_well(&name, &rows)?;
        let chosen = chosen(&order, &rows)?;
        let members = members(&client, &rows)?;
        let said = match order.probes.as_slice() {
            [] => addresses(&members).await?,
            _ => Vec::new(),
        };
        Ok(Self {
            is_through_first: !client.is_over_bus(),
            order,
            name,
            rows,
            members,
            chosen,
            said,
        })
    }

    /// Whether all hosts that were found are there still.
    async fn check_still_well(&self) -> Result<(), Failure> {
        let mut rows: Vec<HostRow> = self.members[0].client.rows("hosts").await?;
        rows.retain(|row| !row.is_gone());
        check_well(&self.name, &rows)?;
        let is_there = |found: &HostRow| rows.iter().any(|row| row.id == found.id);
        if let Some(lost) = self.rows.iter().find(|found| !is_there(found)) {
            let message = format!(
                "lattice `{}` lost host {} meanwhile: nothing was broken",
                self.name,
                shown(lost)
            );
            return Err(Failure::new(Kind::Failed, message)
                .or_help("`weft get hosts` shows all; drill when all is well"));
        }
        Ok(())
    }

    fn request(&self) -> FaultRequest {
        match self.order.fault {
            Fault::StopHost => FaultRequest::Stop {
                for_ms: u64::try_from(self.order.lasting.as_millis()).unwrap_or(u64::MAX),
            },
            Fault::KillHost | Fault::KillNats | Fault::LoseCloud => FaultRequest::Kill {},
        }
    }
}

impl Ground for RunningLattice {
    /// What runs does so already.
    const READY_MAX: Duration = Duration::from_secs(30);

    fn describe(&self) -> String {
        format!("lattice `{}`, {} hosts", self.name, self.members.len())
    }

    fn members(&self) -> &[Member] {
        &self.members
    }

    fn chosen(&self) -> Option<Vec<usize>> {
        self.chosen.clone()
    }

    async fn check(&self, victims: &[usize]) -> Result<(), Failure> {
        if victims.is_empty() || self.members.len() <= victims.len() {
            let message = format!("no host of lattice `{}` would be left", self.name);
            return Err(Failure::new(Kind::Input, message)
                .or_help("a drill shows what users notice while others take over"));
        }
        if self.is_through_first && victims.contains(&0) {
            let message = format!(
                "host `{}` is the one that is asked, and would be lost",
                self.members[0].name
            );
            return Err(Failure::new(Kind::Input, message).or_help(
                "ask another host with `--admin HOST:PORT` and `--data-dir`, or any with `--nats URL`",
            ));
        }
        if let Some(confirmed) = &self.order.confirmed {
            confirming::check(confirmed, &self.name)?;
        }
        for victim in victims {
            self.members[*victim]
                .client
                .check_fault(&self.request())
                .await?;
        }
        Ok(())
    }

    fn addresses(&self, victims: &[usize]) -> Result<Vec<Address>, Failure> {
        let survives = |(place, _): &(usize, &Option<Address>)| !victims.contains(place);
        let said = self.said.iter().enumerate().filter(survives);
        let addresses: Vec<_> = match self.order.probes.as_slice() {
            [] => said.filter_map(|(_, address)| address.clone()).collect(),
            probes => probes.to_vec(),
        };
        if addresses.is_empty() {
            let message = "no host that is to survive takes HTTP requests";
            return Err(Failure::new(Kind::Input, message)
                .or_help("say where requests are taken with `--probe http://ADDRESS:PORT`"));
        }
        Ok(addresses)
    }

    async fn agree(&self, victims: &[usize], running: &Running) -> Result<(), Failure> {
        let hosts: Vec<_> = self.rows.iter().map(shown).collect();
        let warning = Warning {
            fault: self.order.fault,
            lattice: &self.name,
            hosts: &hosts,
            victims,
            running,
        };
        output::note(&warning.text());
        // A name that was given was looked at before.
        if self.order.confirmed.is_none() {
            confirming::ask(&self.name).await?;
        }
        self.check_still_well().await
    }

    async fn break_it(&mut self, victims: &[usize]) -> Result<Broken, Failure> {
        let request = self.request();
        let mut asked = JoinSet::new();
        for victim in victims {
            let Member { name, client } = self.members[*victim].clone();
            asked.spawn(async move { (client.fault(&request).await, name) });
        }
        let mut at = Instant::now();
        while let Some(Ok((answer, name))) = asked.join_next().await {
            let report = answer.map_err(|error| {
                let message = format!("host `{name}` may not have been broken, and others may");
                Failure::from(error).within(message)
            })?;
            let after = Duration::from_millis(report.after_ms.unwrap_or_default());
            at = at.max(Instant::now() + after);
        }
        sleep_until(at).await;
        Ok(Broken { at, back: None })
    }

    fn restarts(&self) -> Restarts {
        match self.order.fault {
            Fault::StopHost => Restarts::Never,
            Fault::KillHost | Fault::KillNats | Fault::LoseCloud => Restarts::Maybe,
        }
    }

    async fn mend(&mut self, _: &[usize], broken: Instant) -> Result<Option<Instant>, Failure> {
        if self.order.fault != Fault::StopHost {
            return Ok(None);
        }
        let back = broken + self.order.lasting;
        sleep_until(back).await;
        output::note("what hung goes on");
        Ok(Some(back))
    }
}

/// The lattice's name, as its first host says it.
fn name_of(rows: &[HostRow]) -> Result<String, Failure> {
    match rows.first() {
        Some(HostRow {
            lattice: Some(lattice),
            ..
        }) => Ok(lattice.clone()),
        Some(HostRow { host, .. }) => {
            let message = format!("host `{host}` has joined no lattice: nobody would be left");
            Err(Failure::new(Kind::Input, message).or_help(
                "with `-f FILE`, a drill starts a lattice of its own on this machine, and breaks that",
            ))
        }
        None => Err(Failure::new(Kind::Host, "the host names no host at all")),
    }
}

/// Whether all hosts are there, and something runs: else nobody could say what a drill did.
fn check_well(lattice: &str, rows: &[HostRow]) -> Result<(), Failure> {
    if let Some(row) = rows.iter().find(|row| row.status != "ready") {
        let message = format!(
            "host `{}` is {}: expected all hosts of lattice `{lattice}` to be ready",
            row.host, row.status
        );
        return Err(Failure::new(Kind::Failed, message)
            .or_help("`weft get hosts` shows them; drill when all is well"));
    }
    if rows.iter().all(|row| row.components == 0) {
        let message = format!("nothing runs in lattice `{lattice}`: a drill would show nothing");
        return Err(Failure::new(Kind::Failed, message)
            .or_help("deploy an app with `weft deploy FILE` first"));
    }
    Ok(())
}

/// The places of the hosts that the order names.
fn chosen(order: &Order, rows: &[HostRow]) -> Result<Option<Vec<usize>>, Failure> {
    if let Some(cloud) = &order.cloud {
        let cloud_of = |row: &HostRow| row.labels.get(CLOUD_LABEL).cloned();
        let is_lost = |(_, row): &(usize, &HostRow)| cloud_of(row).as_ref() == Some(cloud);
        let lost = rows.iter().enumerate().filter(is_lost);
        let lost: Vec<_> = lost.map(|(place, _)| place).collect();
        if !lost.is_empty() {
            return Ok(Some(lost));
        }
        let mut clouds: Vec<_> = rows.iter().filter_map(cloud_of).collect();
        clouds.sort();
        clouds.dedup();
        let clouds: Vec<_> = clouds.iter().map(|cloud| format!("`{cloud}`")).collect();
        let message = format!("no host has the label `{CLOUD_LABEL}={cloud}`");
        let help = match clouds.as_slice() {
            [] => "`weft label HOST cloud=NAME` says in which cloud a host is".to_owned(),
            clouds => format!("the clouds there are: {}", clouds.join(", ")),
        };
        return Err(Failure::new(Kind::Input, message).or_help(help));
    }
    let Some(host) = &order.host else {
        return Ok(None);
    };
    let found = host.find(rows).map_err(|error| {
        let help = error.help();
        Failure::from_error(Kind::Input, &error).or_help(help)
    })?;
    let place = rows.iter().position(|row| row.id == found.id);
    Ok(place.map(|place| vec![place]))
}

/// What reaches each host.
fn members(client: &Client, rows: &[HostRow]) -> Result<Vec<Member>, Failure> {
    let members = rows.iter().map(|row| {
        let id = row.id.as_deref().unwrap_or_default();
        let id: HostId = id
            .parse()
            .map_err(|error| Failure::from_error(Kind::Host, &error))?;
        Ok(Member {
            name: row.host.clone(),
            client: client.for_host(id),
        })
    });
    members.collect()
}

/// Where each host says that it takes HTTP requests.
async fn addresses(members: &[Member]) -> Result<Vec<Option<Address>>, Failure> {
    let mut said = Vec::new();
    for member in members {
        let Ok(rows) = timeout(ASK_MAX, member.client.rows::<HostRow>("hosts")).await else {
            let message = format!(
                "host `{}` does not say within {} s where it takes requests",
                member.name,
                ASK_MAX.as_secs()
            );
            return Err(Failure::new(Kind::Host, message));
        };
        let own = rows?.into_iter().find(|row| row.uptime_s.is_some());
        said.push(own.and_then(|row| row.http));
    }
    told_apart(members, &said)
}

/// These addresses as this machine reaches them, if they are of different hosts.
fn told_apart(
    members: &[Member],
    said: &[Option<String>],
) -> Result<Vec<Option<Address>>, Failure> {
    let mut addresses: Vec<Option<Address>> = Vec::new();
    for (place, said) in said.iter().enumerate() {
        let address = said.as_ref().and_then(|said| said.parse().ok());
        let address = address.map(|address| Address::from(reachable(address)));
        let same = addresses.iter().position(|known| known == &address);
        if let (Some(same), Some(address)) = (same, &address) {
            let (one, other) = (&members[same].name, &members[place].name);
            let message = format!(
                "hosts `{one}` and `{other}` both take requests at `{address}`, each on its own machine"
            );
            return Err(Failure::new(Kind::Input, message).or_help(
                "say where hosts that survive are reached from here, with `--probe http://ADDRESS:PORT`",
            ));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

/// A host as people tell it from others.
fn shown(row: &HostRow) -> String {
    let id = row.id.as_deref().and_then(|id| id.parse::<HostId>().ok());
    match id {
        Some(id) => format!("`{}` ({})", row.host, id.short()),
        None => format!("`{}`", row.host),
    }
}

#[cfg(test)]
mod tests;
