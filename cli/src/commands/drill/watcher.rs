//! Sees, through the hosts that survive, when they know of the loss, and when everything runs again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use weft_lattice::control::Client;
use weft_lattice::control::rows::{ComponentRow, HostRow};

use super::lab::Lab;
use crate::failure::Failure;

/// How often the hosts are asked.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long what runs where has to stay the same before it counts as settled.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// How long what was lost may take to be back.
const RETURN_MAX: Duration = Duration::from_mins(1);

/// What the drill saw.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// After how long the other hosts knew that those that were lost are dead.
    pub(super) found_out: Option<Duration>,
    /// After how long everything ran again.
    pub(super) all_runs: Option<Duration>,
    /// Whether anything ran elsewhere than before, where nothing should.
    pub(super) has_moved: Option<bool>,
}

/// What runs, by host.
type Running = BTreeMap<usize, BTreeSet<(String, String)>>;

pub(super) struct Watcher {
    /// Of all hosts, in their order.
    clients: Vec<Client>,
    victims: Vec<usize>,
    /// By their ids in the lattice.
    victim_ids: BTreeSet<String>,
    before: Running,
    seen: Seen,
}

impl Watcher {
    /// # Errors
    /// If a host has left no token.
    pub(super) fn new(lab: &Lab) -> Result<Self, Failure> {
        let clients = (0..lab.hosts().len()).map(|host| lab.client(host));
        Ok(Self {
            clients: clients.collect::<Result<_, _>>()?,
            victims: Vec::new(),
            victim_ids: BTreeSet::new(),
            before: Running::new(),
            seen: Seen::default(),
        })
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// Waits until something runs, and nothing of it moves any more.
    pub(super) async fn settled(&self) {
        let (mut last, mut since) = (Running::new(), Instant::now());
        while last.values().all(BTreeSet::is_empty) || since.elapsed() < SETTLED_AFTER {
            sleep(LOOK_EVERY).await;
            let running = self.running(&self.all()).await;
            if running != last {
                (last, since) = (running, Instant::now());
            }
        }
    }

    /// The host that runs most, of all but the first, which commands go through.
    pub(super) async fn busiest_but_first(&self) -> Option<usize> {
        let others = self.all().split_off(1);
        let running = self.running(&others).await;
        others.into_iter().max_by_key(|host| running[host].len())
    }

    /// Remembers what runs where, and who is to be lost.
    pub(super) async fn remember(&mut self, victims: &[usize]) {
        self.victims = victims.to_vec();
        self.before = self.running(&self.all()).await;
        for victim in &self.victims {
            let rows: Vec<HostRow> = self.clients[*victim]
                .rows("hosts")
                .await
                .unwrap_or_default();
            // Only of itself does a host know for how long it runs.
            let own = rows.into_iter().find(|row| row.uptime_s.is_some());
            self.victim_ids.extend(own.and_then(|row| row.id));
        }
    }

    /// Watches until all is well again, but not longer than `at_most`.
    pub(super) async fn watch(&mut self, broken: Instant, at_most: Duration) {
        let survivors: Vec<_> = (0..self.clients.len())
            .filter(|host| !self.victims.contains(host))
            .collect();
        while broken.elapsed() < at_most {
            if self.seen.found_out.is_none() && self.is_found_out(&survivors).await {
                self.seen.found_out = Some(broken.elapsed());
            }
            if self.seen.all_runs.is_none() && self.runs_all(&survivors).await {
                self.seen.all_runs = Some(broken.elapsed());
            }
            if self.seen.found_out.is_some() && self.seen.all_runs.is_some() {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Sees whether anything moves, for so long.
    pub(super) async fn nothing_moved(&mut self, lasting: Duration) {
        let until = Instant::now() + lasting;
        let mut has_moved = false;
        while Instant::now() < until {
            has_moved |= self.running(&self.all()).await != self.before;
            sleep(LOOK_EVERY).await;
        }
        self.seen.has_moved = Some(has_moved);
    }

    /// Waits until every host is heard again by one that was never lost. Says how long that took since `back`.
    pub(super) async fn all_back(&self, back: Instant) -> Option<Duration> {
        let survivor = (0..self.clients.len()).find(|host| !self.victims.contains(host))?;
        while back.elapsed() < RETURN_MAX {
            let rows = self.clients[survivor].rows("hosts").await;
            let rows: Vec<HostRow> = rows.unwrap_or_default();
            let ready = rows.iter().filter(|row| row.status == "ready").count();
            if ready == self.clients.len() {
                return Some(back.elapsed());
            }
            sleep(LOOK_EVERY).await;
        }
        None
    }

    async fn is_found_out(&self, survivors: &[usize]) -> bool {
        for host in survivors {
            let rows: Vec<HostRow> = match self.clients[*host].rows("hosts").await {
                Ok(rows) => rows,
                Err(_) => return false,
            };
            let dead: BTreeSet<_> = rows
                .into_iter()
                .filter(|row| matches!(row.status.as_str(), "dead" | "left"))
                .filter_map(|row| row.id)
                .collect();
            if !self.victim_ids.is_subset(&dead) {
                return false;
            }
        }
        true
    }

    /// Whether the survivors run as many replicas of each component as all hosts did before.
    async fn runs_all(&self, survivors: &[usize]) -> bool {
        let wanted = replicas(&self.before);
        let running = self.running(survivors).await;
        let running = replicas(&running);
        wanted
            .iter()
            .all(|(component, count)| running.get(component).is_some_and(|runs| runs >= count))
    }

    async fn running(&self, hosts: &[usize]) -> Running {
        let mut running = Running::new();
        for host in hosts {
            let rows: Vec<ComponentRow> = self.clients[*host]
                .rows("components")
                .await
                .unwrap_or_default();
            let rows = rows.into_iter().map(|row| (row.app, row.component));
            running.insert(*host, rows.collect());
        }
        running
    }

    fn all(&self) -> Vec<usize> {
        (0..self.clients.len()).collect()
    }
}

fn replicas(running: &Running) -> BTreeMap<&(String, String), usize> {
    let mut replicas = BTreeMap::new();
    for component in running.values().flatten() {
        *replicas.entry(component).or_default() += 1;
    }
    replicas
}
