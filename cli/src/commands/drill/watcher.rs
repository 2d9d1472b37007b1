//! Sees, through the hosts that survive, when they know of the loss, when everything runs again, and when what was
//! lost is back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};
use weft_control::Client;
use weft_control::rows::{ComponentRow, HostRow};

/// How often the hosts are asked.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a host may take to answer; one that takes longer counts as not asked.
const LOOK_MAX: Duration = Duration::from_secs(5);

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
    /// After how long what was killed answered again.
    pub(super) restarted: Option<Duration>,
    /// How long after the return every host was ready again, as one sees it that was never lost.
    pub(super) all_back: Option<Duration>,
}

/// Whether somebody else may start again what is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restarts {
    /// Then it is seen.
    Maybe,
    /// Nobody does.
    Never,
}

/// What runs, by host: by those that say it.
pub(super) type Running = BTreeMap<usize, BTreeSet<(String, String)>>;

pub(super) struct Watcher {
    /// Of all hosts, in their order.
    clients: Vec<Client>,
    victims: Vec<usize>,
    /// The ids of all hosts in the lattice, as far as they say them.
    ids: BTreeMap<usize, String>,
    before: Running,
    seen: Seen,
}

impl Watcher {
    pub(super) fn new(clients: Vec<Client>) -> Self {
        Self {
            clients,
            victims: Vec::new(),
            ids: BTreeMap::new(),
            before: Running::new(),
            seen: Seen::default(),
        }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// Waits until every host says what it runs, something runs, and nothing of it moves any more.
    pub(super) async fn settled(&self) {
        let (mut last, mut since) = (Running::new(), Instant::now());
        let is_known = |running: &Running| {
            running.len() == self.clients.len() && !running.values().all(BTreeSet::is_empty)
        };
        while !is_known(&last) || since.elapsed() < SETTLED_AFTER {
            sleep(LOOK_EVERY).await;
            let running = self.running(&self.all()).await;
            if running != last {
                (last, since) = (running, Instant::now());
            }
        }
    }

    /// What runs on all hosts now.
    ///
    /// # Errors
    /// The place of a host that does not say what it runs.
    pub(super) async fn runs_now(&self) -> Result<Running, usize> {
        let running = self.running(&self.all()).await;
        match self
            .all()
            .into_iter()
            .find(|host| !running.contains_key(host))
        {
            Some(silent) => Err(silent),
            None => Ok(running),
        }
    }

    /// The host that runs most, of all but the first, which commands go through.
    pub(super) async fn busiest_but_first(&self) -> Option<usize> {
        let others = self.all().split_off(1);
        let running = self.running(&others).await;
        others
            .into_iter()
            .max_by_key(|host| running.get(host).map_or(0, BTreeSet::len))
    }

    /// Remembers what runs where, and who is to be lost.
    pub(super) async fn remember(&mut self, victims: &[usize], running: Running) {
        self.victims = victims.to_vec();
        self.before = running;
        for host in self.all() {
            let own = self.own_row(host).await;
            self.ids
                .extend(own.and_then(|row| row.id).map(|id| (host, id)));
        }
    }

    /// Watches until all is well again, but not longer than `at_most`.
    pub(super) async fn watch(&mut self, broken: Instant, at_most: Duration, restarts: Restarts) {
        let restarted = async {
            match restarts {
                Restarts::Maybe => self.restarted(broken, at_most).await,
                Restarts::Never => None,
            }
        };
        let (seen, restarted) = tokio::join!(self.taken_over(broken, at_most), restarted);
        self.seen = Seen { restarted, ..seen };
    }

    /// When the survivors know of the loss, and when they run everything.
    async fn taken_over(&self, broken: Instant, at_most: Duration) -> Seen {
        let survivors: Vec<_> = (0..self.clients.len())
            .filter(|host| !self.victims.contains(host))
            .collect();
        let mut seen = Seen::default();
        while broken.elapsed() < at_most {
            if seen.found_out.is_none() && self.is_found_out(&survivors).await {
                seen.found_out = Some(broken.elapsed());
            }
            if seen.all_runs.is_none() && self.runs_all(&survivors).await {
                seen.all_runs = Some(broken.elapsed());
            }
            if seen.found_out.is_some() && seen.all_runs.is_some() {
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        seen
    }

    /// When all that was killed had been started again.
    async fn restarted(&self, broken: Instant, at_most: Duration) -> Option<Duration> {
        let mut away = self.victims.clone();
        while broken.elapsed() < at_most {
            let mut still_away = Vec::new();
            for victim in away {
                let own = self.own_row(victim).await;
                let uptime_s = own.and_then(|row| row.uptime_s);
                // One that has run for longer is the process from before, about to be gone.
                if uptime_s.is_none_or(|uptime_s| uptime_s > broken.elapsed().as_secs()) {
                    still_away.push(victim);
                }
            }
            if still_away.is_empty() {
                return Some(broken.elapsed());
            }
            away = still_away;
            sleep(LOOK_EVERY).await;
        }
        None
    }

    /// Sees whether anything moves for so long, and when every host is ready again.
    pub(super) async fn nothing_moved(&mut self, back: Instant, lasting: Duration) {
        let (has_moved, all_back) = tokio::join!(self.moves(lasting), self.all_ready(back));
        self.seen.has_moved = Some(has_moved);
        self.seen.all_back = all_back;
    }

    /// Waits until every host is ready again, as one sees it that was never lost, but for a minute at most.
    pub(super) async fn all_back(&mut self, back: Instant) {
        self.seen.all_back = self.all_ready(back).await;
    }

    async fn moves(&self, lasting: Duration) -> bool {
        let until = Instant::now() + lasting;
        let mut has_moved = false;
        while Instant::now() < until {
            let running = self.running(&self.all()).await;
            // A host that does not say what it runs may run what it did.
            let differs = |(host, runs): (&usize, _)| self.before.get(host) != Some(runs);
            has_moved |= running.iter().any(differs);
            sleep(LOOK_EVERY).await;
        }
        has_moved
    }

    async fn all_ready(&self, back: Instant) -> Option<Duration> {
        let survivor = (0..self.clients.len()).find(|host| !self.victims.contains(host))?;
        while back.elapsed() < RETURN_MAX {
            let rows: Vec<HostRow> = self.rows(survivor, "hosts").await.unwrap_or_default();
            let ready = rows.into_iter().filter(|row| row.status == "ready");
            let ready: BTreeSet<_> = ready.filter_map(|row| row.id).collect();
            if self.ids.len() == self.clients.len()
                && self.ids.values().all(|id| ready.contains(id))
            {
                return Some(back.elapsed());
            }
            sleep(LOOK_EVERY).await;
        }
        None
    }

    async fn is_found_out(&self, survivors: &[usize]) -> bool {
        let ids = self.victims.iter().map(|victim| self.ids.get(victim));
        let Some(victim_ids) = ids.collect::<Option<Vec<_>>>() else {
            return false;
        };
        for host in survivors {
            let Some(rows) = self.rows::<HostRow>(*host, "hosts").await else {
                return false;
            };
            let dead: BTreeSet<_> = rows
                .into_iter()
                .filter(|row| matches!(row.status.as_str(), "dead" | "left"))
                .filter_map(|row| row.id)
                .collect();
            if !victim_ids.iter().all(|id| dead.contains(*id)) {
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
            let Some(rows) = self.rows::<ComponentRow>(*host, "components").await else {
                continue;
            };
            let rows = rows.into_iter().map(|row| (row.app, row.component));
            running.insert(*host, rows.collect());
        }
        running
    }

    /// What a host says of itself.
    async fn own_row(&self, host: usize) -> Option<HostRow> {
        let rows = self.rows::<HostRow>(host, "hosts").await?;
        // Only of itself does a host know for how long it runs.
        rows.into_iter().find(|row| row.uptime_s.is_some())
    }

    async fn rows<R: DeserializeOwned>(&self, host: usize, what: &str) -> Option<Vec<R>> {
        let asked = timeout(LOOK_MAX, self.clients[host].rows(what)).await;
        asked.ok()?.ok()
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
