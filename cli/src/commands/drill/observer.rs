//! Observes through the surviving hosts when the loss is detected, when all replicas run again,
//! and when lost hosts are ready again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};
use weft_control::Client;
use weft_control::rows::{ComponentRow, HostRow};

/// The interval of polls.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The time limit of a poll.
const POLL_MAX: Duration = Duration::from_secs(5);

/// The time without a change after which placement counts as settled.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// The time limit for lost hosts to be ready again.
const RETURN_MAX: Duration = Duration::from_mins(1);

/// The observations of a drill.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Observations {
    /// The time from the fault until all survivors report the victims as dead.
    pub(super) detected: Option<Duration>,
    /// The time from the fault until the survivors run all replicas.
    pub(super) everything_running: Option<Duration>,
    /// True if placement changed while no host was lost; `None` for other faults.
    pub(super) moved: Option<bool>,
    /// The time from the fault until all killed hosts replied again.
    pub(super) restarted: Option<Duration>,
    /// The time from recovery until a survivor reports every host as ready.
    pub(super) all_ready: Option<Duration>,
}

/// The possibility that an operator restarts killed hosts during the drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restarts {
    Possible,
    Impossible,
}

/// The apps and components that run on each host, by the index of the host. Hosts that do not
/// reply are missing.
pub(super) type ComponentsByHost = BTreeMap<usize, BTreeSet<(String, String)>>;

/// The observer of a drill.
pub(super) struct Observer {
    /// A client for each host, in order.
    clients: Vec<Client>,
    victims: Vec<usize>,
    /// The ids of the hosts that reported one.
    ids: BTreeMap<usize, String>,
    baseline: ComponentsByHost,
    observations: Observations,
}

impl Observer {
    pub(super) fn new(clients: Vec<Client>) -> Self {
        Self {
            clients,
            victims: Vec::new(),
            ids: BTreeMap::new(),
            baseline: ComponentsByHost::new(),
            observations: Observations::default(),
        }
    }

    pub(super) fn observations(&self) -> Observations {
        self.observations
    }

    /// Waits until every host reports its components, at least one runs, and placement is settled.
    pub(super) async fn wait_until_settled(&self) {
        let (mut last, mut since) = (ComponentsByHost::new(), Instant::now());
        let is_complete = |running: &ComponentsByHost| {
            running.len() == self.clients.len() && !running.values().all(BTreeSet::is_empty)
        };
        while !is_complete(&last) || since.elapsed() < SETTLED_AFTER {
            sleep(POLL_INTERVAL).await;
            let running = self.running(&self.all_hosts()).await;
            if running != last {
                (last, since) = (running, Instant::now());
            }
        }
    }

    /// The components on all hosts.
    ///
    /// # Errors
    /// The index of a host that does not report its components.
    pub(super) async fn running_components(&self) -> Result<ComponentsByHost, usize> {
        let running = self.running(&self.all_hosts()).await;
        match self
            .all_hosts()
            .into_iter()
            .find(|host| !running.contains_key(host))
        {
            Some(silent) => Err(silent),
            None => Ok(running),
        }
    }

    /// The host with the most components, except the first, which relays commands.
    pub(super) async fn busiest_but_first(&self) -> Option<usize> {
        let others = self.all_hosts().split_off(1);
        let running = self.running(&others).await;
        others
            .into_iter()
            .max_by_key(|host| running.get(host).map_or(0, BTreeSet::len))
    }

    /// Records the victims and the placement before the fault.
    pub(super) async fn record_baseline(&mut self, victims: &[usize], running: ComponentsByHost) {
        self.victims = victims.to_vec();
        self.baseline = running;
        for host in self.all_hosts() {
            let own = self.own_row(host).await;
            self.ids
                .extend(own.and_then(|row| row.id).map(|id| (host, id)));
        }
    }

    /// Observes until the survivors have taken over, for `limit` at most.
    pub(super) async fn observe_takeover(
        &mut self,
        injected: Instant,
        limit: Duration,
        restarts: Restarts,
    ) {
        let restarted = async {
            match restarts {
                Restarts::Possible => self.restarted_after(injected, limit).await,
                Restarts::Impossible => None,
            }
        };
        let (observations, restarted) = tokio::join!(self.takeover(injected, limit), restarted);
        self.observations = Observations {
            restarted,
            ..observations
        };
    }

    /// The times of detection and takeover by the survivors.
    async fn takeover(&self, injected: Instant, limit: Duration) -> Observations {
        let survivors: Vec<_> = (0..self.clients.len())
            .filter(|host| !self.victims.contains(host))
            .collect();
        let mut observations = Observations::default();
        while injected.elapsed() < limit {
            if observations.detected.is_none() && self.loss_is_detected(&survivors).await {
                observations.detected = Some(injected.elapsed());
            }
            if observations.everything_running.is_none() && self.everything_runs(&survivors).await {
                observations.everything_running = Some(injected.elapsed());
            }
            if observations.detected.is_some() && observations.everything_running.is_some() {
                break;
            }
            sleep(POLL_INTERVAL).await;
        }
        observations
    }

    /// The time from the fault until all killed hosts were restarted.
    async fn restarted_after(&self, injected: Instant, limit: Duration) -> Option<Duration> {
        let mut down = self.victims.clone();
        while injected.elapsed() < limit {
            let mut still_down = Vec::new();
            for victim in down {
                let own = self.own_row(victim).await;
                let uptime_s = own.and_then(|row| row.uptime_s);
                // A longer uptime is that of the old process, which is about to end.
                if uptime_s.is_none_or(|uptime_s| uptime_s > injected.elapsed().as_secs()) {
                    still_down.push(victim);
                }
            }
            if still_down.is_empty() {
                return Some(injected.elapsed());
            }
            down = still_down;
            sleep(POLL_INTERVAL).await;
        }
        None
    }

    /// Observes for `duration` whether placement changes, and when every host is ready again.
    pub(super) async fn observe_outage(&mut self, recovered: Instant, duration: Duration) {
        let (moved, all_ready) =
            tokio::join!(self.any_move(duration), self.all_ready_after(recovered));
        self.observations.moved = Some(moved);
        self.observations.all_ready = all_ready;
    }

    /// Waits until a survivor reports every host as ready, for a minute at most.
    pub(super) async fn observe_return(&mut self, recovered: Instant) {
        self.observations.all_ready = self.all_ready_after(recovered).await;
    }

    async fn any_move(&self, duration: Duration) -> bool {
        let until = Instant::now() + duration;
        let mut moved = false;
        while Instant::now() < until {
            let running = self.running(&self.all_hosts()).await;
            // A host that does not reply may run the same components as before.
            let differs = |(host, runs): (&usize, _)| self.baseline.get(host) != Some(runs);
            moved |= running.iter().any(differs);
            sleep(POLL_INTERVAL).await;
        }
        moved
    }

    async fn all_ready_after(&self, recovered: Instant) -> Option<Duration> {
        let survivor = (0..self.clients.len()).find(|host| !self.victims.contains(host))?;
        while recovered.elapsed() < RETURN_MAX {
            let rows: Vec<HostRow> = self.rows(survivor, "hosts").await.unwrap_or_default();
            let ready = rows.into_iter().filter(|row| row.status == "ready");
            let ready: BTreeSet<_> = ready.filter_map(|row| row.id).collect();
            if self.ids.len() == self.clients.len()
                && self.ids.values().all(|id| ready.contains(id))
            {
                return Some(recovered.elapsed());
            }
            sleep(POLL_INTERVAL).await;
        }
        None
    }

    async fn loss_is_detected(&self, survivors: &[usize]) -> bool {
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

    /// True if the survivors run as many replicas of each component as all hosts before the fault.
    async fn everything_runs(&self, survivors: &[usize]) -> bool {
        let expected = replicas(&self.baseline);
        let running = self.running(survivors).await;
        let running = replicas(&running);
        expected
            .iter()
            .all(|(component, count)| running.get(component).is_some_and(|runs| runs >= count))
    }

    async fn running(&self, hosts: &[usize]) -> ComponentsByHost {
        let mut running = ComponentsByHost::new();
        for host in hosts {
            let Some(rows) = self.rows::<ComponentRow>(*host, "components").await else {
                continue;
            };
            let rows = rows.into_iter().map(|row| (row.app, row.component));
            running.insert(*host, rows.collect());
        }
        running
    }

    /// The row of a host about itself.
    async fn own_row(&self, host: usize) -> Option<HostRow> {
        let rows = self.rows::<HostRow>(host, "hosts").await?;
        // A host reports an uptime only of itself.
        rows.into_iter().find(|row| row.uptime_s.is_some())
    }

    async fn rows<R: DeserializeOwned>(&self, host: usize, resource: &str) -> Option<Vec<R>> {
        let reply = timeout(POLL_MAX, self.clients[host].rows(resource)).await;
        reply.ok()?.ok()
    }

    fn all_hosts(&self) -> Vec<usize> {
        (0..self.clients.len()).collect()
    }
}

fn replicas(running: &ComponentsByHost) -> BTreeMap<&(String, String), usize> {
    let mut replicas = BTreeMap::new();
    for component in running.values().flatten() {
        *replicas.entry(component).or_default() += 1;
    }
    replicas
}
