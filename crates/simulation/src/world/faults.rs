//! The faults of processes, connections and the bucket.

use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Result;
use weft_bus::local::JetStreamContent;
use weft_membership::STALL_MIN;

use super::World;
use crate::mutations::Mutation;
use crate::network::{self, host_name};
use crate::scenario::{Fault, FaultKind};
use crate::schedule::WorldEvent;

/// The hang after which the bus has dropped the connection.
const HUNG_LOSES_BUS: Duration = Duration::from_secs(10);

/// The longest time, in milliseconds, until a host reaches a bucket that came back.
const BUCKET_RETURNS_WITHIN_MS: u64 = 60;

impl World {
    /// Applies the active faults to hosts, network and bucket.
    pub(super) async fn change_faults(&mut self) -> Result<()> {
        let now = self.shared.now();
        let shared = self.shared.clone();
        let faults = &shared.scenario.faults;
        let active = self.active_faults();
        for host in 0..self.hosts.len() {
            self.change_host(host, &active).await?;
        }
        network::set_faults(
            &self.network,
            &shared.scenario.sites,
            &active,
            &self.isolated(),
        );
        let has_ended = |fault: &&Fault| fault.ends == now && fault.begins < now;
        for fault in faults.iter().filter(has_ended) {
            self.replace_bucket(&fault.kind);
        }
        self.change_bucket(&active);
        Ok(())
    }

    /// The hosts that lose all messages without noticing it.
    fn isolated(&self) -> Vec<usize> {
        if self.shared.options.mutation != Some(Mutation::NeverFreezes) {
            return Vec::new();
        }
        let hosts = self.hosts.iter().enumerate();
        let cut = hosts.filter(|(_, host)| host.process.is_some() && !host.is_connected);
        cut.map(|(number, _)| number).collect()
    }

    async fn change_host(&mut self, host: usize, active: &[FaultKind]) -> Result<()> {
        let site = &self.shared.scenario.sites[host];
        let (cloud, starts_at) = (site.cloud, site.starts_at);
        let is = |kind: &dyn Fn(&FaultKind) -> bool| active.iter().any(kind);
        let is_down = is(&|fault| match fault {
            FaultKind::Crash { host: faulty } => *faulty == host,
            FaultKind::LoseCloud { cloud: lost } => *lost == cloud,
            _ => false,
        });
        let is_cut =
            is(&|fault| matches!(fault, FaultKind::Disconnect { host: faulty } if *faulty == host));
        let is_hung =
            is(&|fault| matches!(fault, FaultKind::Hang { host: faulty } if *faulty == host));
        let is_drained =
            is(&|fault| matches!(fault, FaultKind::Drain { host: faulty } if *faulty == host));
        self.hosts[host].has_left &= is_drained;
        let is_time = starts_at <= self.shared.now();
        let is_up = is_time && !is_down && !self.hosts[host].has_left;
        match (self.hosts[host].process.is_some(), is_up) {
            (true, false) => self.end(host, "crashes"),
            (false, true) if !is_hung => self.start(host, !is_cut).await?,
            _ => {}
        }
        self.set_hung(host, is_hung);
        self.set_connected(host, !is_cut);
        let shared = self.shared.clone();
        if let Some(process) = &mut self.hosts[host].process {
            match is_drained {
                true => process.drain(host, &shared),
                false => process.end_drain(),
            }
        }
        Ok(())
    }

    // === processes ===

    fn end(&mut self, host: usize, how: &str) {
        self.shared.trace(&format!("{host} {how}"));
        self.hosts[host].end();
        self.abandon_calls(host);
        let truth = &mut self.shared.state().truths[host];
        (truth.is_hung, truth.connected_at) = (false, None);
        truth.running.clear();
        truth.deferred.clear();
    }

    /// Ends the processes that have left after a drain.
    pub(super) fn end_left(&mut self) {
        let left = std::mem::take(&mut self.shared.state().left);
        for (host, life) in left {
            if self
                .process(host)
                .is_some_and(|process| process.life == life)
            {
                self.end(host, "leaves");
                self.hosts[host].has_left = true;
            }
        }
    }

    fn set_hung(&mut self, host: usize, is_hung: bool) {
        let now = self.shared.now();
        let Some(process) = &mut self.hosts[host].process else {
            return;
        };
        match (process.hung_since, is_hung) {
            (None, true) => {
                self.shared.trace(&format!("{host} hangs"));
                process.suspend(now);
                self.shared.state().truths[host].is_hung = true;
            }
            (Some(since), false) => {
                self.shared.trace(&format!("{host} resumes"));
                let hung_for = now.saturating_sub(since);
                if hung_for >= HUNG_LOSES_BUS {
                    self.set_connected(host, false);
                }
                {
                    let truth = &mut self.shared.state().truths[host];
                    truth.resume(now);
                    if hung_for >= STALL_MIN {
                        truth.returned_at = Some(now);
                    }
                }
                if let Some(process) = &mut self.hosts[host].process {
                    process.resume();
                }
            }
            _ => {}
        }
    }

    fn set_connected(&mut self, host: usize, is_connected: bool) {
        let now = self.shared.now();
        let entry = &mut self.hosts[host];
        if entry.is_connected == is_connected || entry.process.is_none() {
            return;
        }
        entry.is_connected = is_connected;
        {
            let truth = &mut self.shared.state().truths[host];
            if is_connected {
                truth.returned_at = truth.was_connected.then_some(now).or(truth.returned_at);
                (truth.connected_at, truth.was_connected) = (Some(now), true);
            } else {
                truth.connected_at = None;
            }
        }
        let is_reported = self.shared.options.mutation != Some(Mutation::NeverFreezes);
        let how = match is_connected {
            true => {
                self.network.connect(&host_name(host));
                "is connected"
            }
            false => {
                if is_reported {
                    self.network.disconnect(&host_name(host));
                }
                "is cut off"
            }
        };
        self.shared.trace(&format!("{host} {how}"));
    }

    // === the bucket ===

    /// Sets the hosts to which the bucket is unavailable. It is in the cloud of the first host.
    pub(super) fn change_bucket(&self, active: &[FaultKind]) {
        let home = self.shared.scenario.sites[0].cloud;
        let now = self.shared.now();
        let is_away_from = |host: usize| {
            now < self.bucket_returns_at[host]
                || active.iter().any(|fault| match fault {
                    FaultKind::StoreAway { from } => from[host],
                    FaultKind::StoreEmpty | FaultKind::StoreOlder => true,
                    FaultKind::LoseCloud { cloud } => *cloud == home,
                    FaultKind::Partition { side, .. } => side[host] != side[0],
                    _ => false,
                })
        };
        let hosts = 0..self.hosts.len();
        let unavailable_to: Vec<_> = hosts.filter(|host| is_away_from(*host)).collect();
        let names: Vec<_> = unavailable_to.iter().map(|host| host_name(*host)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        self.network.set_jetstream_unreachable(&names);
        let line = format!("the bucket is unavailable to {unavailable_to:?}");
        self.shared.trace(&line);
    }

    /// Replaces the content of the bucket.
    fn replace_bucket(&mut self, fault: &FaultKind) {
        let content = match fault {
            FaultKind::StoreEmpty => JetStreamContent::default(),
            FaultKind::StoreOlder => {
                let older = self.fault_rng.pick(&self.snapshots).cloned();
                older.unwrap_or_default()
            }
            _ => return,
        };
        self.shared
            .trace(&format!("the bucket comes back: {fault:?}"));
        self.network.replace_jetstream(content);
        let now = self.shared.now();
        for returns_at in &mut self.bucket_returns_at {
            *returns_at = now + self.fault_rng.millis(1..=BUCKET_RETURNS_WITHIN_MS);
            self.schedule.push(*returns_at, WorldEvent::BucketReturns);
        }
        let disks: Vec<_> = self
            .hosts
            .iter()
            .filter_map(|host| host.store.all().ok())
            .collect();
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.lose(|app, record| {
            let copies = disks.iter().flatten().filter(|(name, _)| name == app);
            let mut revisions = copies.map(|(_, copy)| copy.revision());
            revisions.any(|revision| revision >= record.revision())
        });
    }
}
