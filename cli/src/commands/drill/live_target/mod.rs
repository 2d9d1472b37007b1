//! A drill on a live lattice, which others use: the hosts inject the fault themselves, if their
//! operators allow drills and the user confirms the name of the lattice.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use weft_control::rows::HostRow;
use weft_control::{Client, FaultRequest, HostRef};
use weft_membership::HostId;

use super::Fault;
use super::address::Address;
use super::confirm::{self, Warning};
use super::observer::{ComponentsByHost, Restarts};
use super::scenario::{FaultTimes, Member, Target};
use super::topology::CLOUD_LABEL;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output;
use crate::urls::reachable;

/// The time limit for a host to report its HTTP address.
const REPLY_MAX: Duration = Duration::from_secs(10);

/// The options of a drill on a live lattice.
#[derive(Debug, Clone)]
pub(super) struct LiveOptions {
    pub(super) fault: Fault,
    /// The host to kill or suspend; `None` for the busiest host.
    pub(super) host: Option<HostRef>,
    /// The cloud that `lose-cloud` kills.
    pub(super) cloud: Option<String>,
    /// The addresses for requests; empty for the addresses that hosts report.
    pub(super) probes: Vec<Address>,
    /// The name of the lattice from `--confirm`.
    pub(super) confirmed: Option<String>,
    /// The time for which a host is suspended.
    pub(super) duration: Duration,
}

/// A live lattice and the fault to inject.
pub(super) struct LiveTarget {
    options: LiveOptions,
    name: String,
    /// True if all commands go through the first host, which then cannot be a victim.
    is_through_first: bool,
    rows: Vec<HostRow>,
    members: Vec<Member>,
    /// The victims that the options select.
    selected: Option<Vec<usize>>,
    /// The HTTP addresses that the hosts report.
    reported: Vec<Option<Address>>,
}

impl LiveTarget {
    /// Connects to the lattice and selects the victims.
    ///
    /// # Errors
    /// The lattice is not reachable or not ready, or a victim is missing.
    pub(super) async fn find(host: &HostOptions, options: LiveOptions) -> Result<Self, Failure> {
        let client = connection::client(host).await?;
        let mut rows: Vec<HostRow> = client.rows("hosts").await?;
        let name = name_of(&rows)?;
        rows.retain(|row| !row.is_gone());
        check_ready(&name, &rows)?;
        let selected = select(&options, &rows)?;
        let members = members(&client, &rows)?;
        let reported = match options.probes.as_slice() {
            [] => reported_addresses(&members).await?,
            _ => Vec::new(),
        };
        Ok(Self {
            is_through_first: !client.is_over_bus(),
            options,
            name,
            rows,
            members,
            selected,
            reported,
        })
    }

    /// Checks that all hosts from the start are still ready.
    async fn check_still_ready(&self) -> Result<(), Failure> {
        let mut rows: Vec<HostRow> = self.members[0].client.rows("hosts").await?;
        rows.retain(|row| !row.is_gone());
        check_ready(&self.name, &rows)?;
        let is_present = |found: &HostRow| rows.iter().any(|row| row.id == found.id);
        if let Some(lost) = self.rows.iter().find(|found| !is_present(found)) {
            let message = format!(
                "host {} left lattice `{}` before the drill: no fault was injected",
                display_name(lost),
                self.name
            );
            return Err(Failure::new(Kind::Failed, message)
                .or_help("`weft get hosts` lists all hosts; drill again when all are ready"));
        }
        Ok(())
    }

    fn request(&self) -> FaultRequest {
        match self.options.fault {
            Fault::StopHost => FaultRequest::Stop {
                for_ms: u64::try_from(self.options.duration.as_millis()).unwrap_or(u64::MAX),
            },
            Fault::KillHost | Fault::KillNats | Fault::LoseCloud => FaultRequest::Kill {},
        }
    }
}

impl Target for LiveTarget {
    /// Components of a live lattice are running already.
    const READY_MAX: Duration = Duration::from_secs(30);

    fn describe(&self) -> String {
        format!("lattice `{}`, {} hosts", self.name, self.members.len())
    }

    fn members(&self) -> &[Member] {
        &self.members
    }

    fn selected_victims(&self) -> Option<Vec<usize>> {
        self.selected.clone()
    }

    async fn check_victims(&self, victims: &[usize]) -> Result<(), Failure> {
        if victims.is_empty() || self.members.len() <= victims.len() {
            let message = format!("no host of lattice `{}` would survive", self.name);
            return Err(Failure::new(Kind::Input, message)
                .or_help("a drill needs at least one other host, which takes over"));
        }
        if self.is_through_first && victims.contains(&0) {
            let message = format!(
                "host `{}` relays the commands of this drill and cannot be a victim",
                self.members[0].name
            );
            return Err(Failure::new(Kind::Input, message).or_help(
                "connect to another host with `--admin HOST:PORT` and `--data-dir`, or to any with \
                 `--nats URL`",
            ));
        }
        if let Some(confirmed) = &self.options.confirmed {
            confirm::check(confirmed, &self.name)?;
        }
        for victim in victims {
            self.members[*victim]
                .client
                .check_fault(&self.request())
                .await?;
        }
        Ok(())
    }

    fn probe_addresses(&self, victims: &[usize]) -> Result<Vec<Address>, Failure> {
        let survives = |(index, _): &(usize, &Option<Address>)| !victims.contains(index);
        let surviving = self.reported.iter().enumerate().filter(survives);
        let addresses: Vec<_> = match self.options.probes.as_slice() {
            [] => surviving
                .filter_map(|(_, address)| address.clone())
                .collect(),
            probes => probes.to_vec(),
        };
        if addresses.is_empty() {
            let message = "no surviving host serves HTTP";
            return Err(Failure::new(Kind::Input, message)
                .or_help("give addresses for requests with `--probe http://ADDRESS:PORT`"));
        }
        Ok(addresses)
    }

    async fn confirm(&self, victims: &[usize], running: &ComponentsByHost) -> Result<(), Failure> {
        let hosts: Vec<_> = self.rows.iter().map(display_name).collect();
        let warning = Warning {
            fault: self.options.fault,
            lattice: &self.name,
            hosts: &hosts,
            victims,
            running,
        };
        output::note(&warning.text());
        // A name from `--confirm` was checked before.
        if self.options.confirmed.is_none() {
            confirm::prompt(&self.name).await?;
        }
        self.check_still_ready().await
    }

    async fn inject_fault(&mut self, victims: &[usize]) -> Result<FaultTimes, Failure> {
        let request = self.request();
        let mut requests = JoinSet::new();
        for victim in victims {
            let Member { name, client } = self.members[*victim].clone();
            requests.spawn(async move { (client.fault(&request).await, name) });
        }
        let mut injected = Instant::now();
        while let Some(Ok((reply, name))) = requests.join_next().await {
            let report = reply.map_err(|error| {
                let message = format!(
                    "fault on host `{name}` is not confirmed; other hosts may have failed already"
                );
                Failure::from(error).within(message)
            })?;
            let after = Duration::from_millis(report.after_ms.unwrap_or_default());
            injected = injected.max(Instant::now() + after);
        }
        sleep_until(injected).await;
        Ok(FaultTimes {
            injected,
            recovered: None,
        })
    }

    fn restarts(&self) -> Restarts {
        match self.options.fault {
            Fault::StopHost => Restarts::Impossible,
            Fault::KillHost | Fault::KillNats | Fault::LoseCloud => Restarts::Possible,
        }
    }

    async fn recover(
        &mut self,
        _: &[usize],
        injected: Instant,
    ) -> Result<Option<Instant>, Failure> {
        if self.options.fault != Fault::StopHost {
            return Ok(None);
        }
        let recovered = injected + self.options.duration;
        sleep_until(recovered).await;
        output::note("the suspended host is running again");
        Ok(Some(recovered))
    }
}

/// The name of the lattice, as its first host reports it.
fn name_of(rows: &[HostRow]) -> Result<String, Failure> {
    match rows.first() {
        Some(HostRow {
            lattice: Some(lattice),
            ..
        }) => Ok(lattice.clone()),
        Some(HostRow { host, .. }) => {
            let message = format!("host `{host}` has not joined a lattice: no host would survive");
            Err(Failure::new(Kind::Input, message)
                .or_help("start a local lattice for the drill with `-f FILE`"))
        }
        None => Err(Failure::new(
            Kind::Host,
            "empty list of hosts from the host",
        )),
    }
}

/// Checks that all hosts are ready and a component runs: else the effect of the fault cannot be
/// measured.
fn check_ready(lattice: &str, rows: &[HostRow]) -> Result<(), Failure> {
    if let Some(row) = rows.iter().find(|row| row.status != "ready") {
        let message = format!(
            "host `{}` is {}: expected all hosts of lattice `{lattice}` to be ready",
            row.host, row.status
        );
        return Err(Failure::new(Kind::Failed, message)
            .or_help("`weft get hosts` lists all hosts; drill again when all are ready"));
    }
    if rows.iter().all(|row| row.components == 0) {
        let message =
            format!("no component runs in lattice `{lattice}`: a drill would have no effect");
        return Err(Failure::new(Kind::Failed, message)
            .or_help("deploy an app with `weft deploy FILE` first"));
    }
    Ok(())
}

/// The indices of the hosts that the options select.
fn select(options: &LiveOptions, rows: &[HostRow]) -> Result<Option<Vec<usize>>, Failure> {
    if let Some(cloud) = &options.cloud {
        let cloud_of = |row: &HostRow| row.labels.get(CLOUD_LABEL).cloned();
        let is_lost = |(_, row): &(usize, &HostRow)| cloud_of(row).as_ref() == Some(cloud);
        let lost = rows.iter().enumerate().filter(is_lost);
        let lost: Vec<_> = lost.map(|(index, _)| index).collect();
        if !lost.is_empty() {
            return Ok(Some(lost));
        }
        let mut clouds: Vec<_> = rows.iter().filter_map(cloud_of).collect();
        clouds.sort();
        clouds.dedup();
        let clouds: Vec<_> = clouds.iter().map(|cloud| format!("`{cloud}`")).collect();
        let message = format!("no host has the label `{CLOUD_LABEL}={cloud}`");
        let help = match clouds.as_slice() {
            [] => "label hosts with `weft label HOST cloud=NAME`".to_owned(),
            clouds => format!("clouds of the lattice: {}", clouds.join(", ")),
        };
        return Err(Failure::new(Kind::Input, message).or_help(help));
    }
    let Some(host) = &options.host else {
        return Ok(None);
    };
    let found = host.find(rows).map_err(|error| {
        let help = error.help();
        Failure::from_error(Kind::Input, &error).or_help(help)
    })?;
    let index = rows.iter().position(|row| row.id == found.id);
    Ok(index.map(|index| vec![index]))
}

/// Creates a client for each host.
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

/// Requests the HTTP address of each host.
async fn reported_addresses(members: &[Member]) -> Result<Vec<Option<Address>>, Failure> {
    let mut reported = Vec::new();
    for member in members {
        let Ok(rows) = timeout(REPLY_MAX, member.client.rows::<HostRow>("hosts")).await else {
            let message = format!(
                "host `{}` did not report its HTTP address within {} s",
                member.name,
                REPLY_MAX.as_secs()
            );
            return Err(Failure::new(Kind::Host, message));
        };
        let own = rows?.into_iter().find(|row| row.uptime_s.is_some());
        reported.push(own.and_then(|row| row.http));
    }
    distinct_addresses(members, &reported)
}

/// Converts reported addresses to those that this machine can connect to.
///
/// # Errors
/// Two hosts have the same address.
fn distinct_addresses(
    members: &[Member],
    reported: &[Option<String>],
) -> Result<Vec<Option<Address>>, Failure> {
    let mut addresses: Vec<Option<Address>> = Vec::new();
    for (index, reported) in reported.iter().enumerate() {
        let address = reported.as_ref().and_then(|reported| reported.parse().ok());
        let address = address.map(|address| Address::from(reachable(address)));
        let same = addresses.iter().position(|known| known == &address);
        if let (Some(same), Some(address)) = (same, &address) {
            let (one, other) = (&members[same].name, &members[index].name);
            let message = format!(
                "hosts `{one}` and `{other}` report the same HTTP address `{address}`, each for its \
                 own machine"
            );
            return Err(Failure::new(Kind::Input, message).or_help(
                "give reachable addresses of surviving hosts with `--probe http://ADDRESS:PORT`",
            ));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

/// The name of a host with its short id.
fn display_name(row: &HostRow) -> String {
    let id = row.id.as_deref().and_then(|id| id.parse::<HostId>().ok());
    match id {
        Some(id) => format!("`{}` ({})", row.host, id.short()),
        None => format!("`{}`", row.host),
    }
}

#[cfg(test)]
mod tests;
