//! The faults of processes, connections and the bucket.

use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Result;
use weft_bus::local::JetStreamContent;
use weft_lattice_config::AppName;
use weft_membership::STALL_MIN;

use super::{Process, Start, World};
use crate::host::Disk;
use crate::mutations::Mutation;
use crate::network::{self, host_name};
use crate::scenario::{Fault, FaultKind};
use crate::schedule::WorldEvent;

/// The hang after which the bus has dropped the connection.
const HUNG_LOSES_BUS: Duration = Duration::from_secs(10);

/// The time until a process that was superseded is started again.
const STARTS_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The longest time, in milliseconds, until a host reaches a bucket that came back.
const BUCKET_RETURNS_WITHIN_MS: u64 = 60;

impl World {
    /// Applies the active faults to hosts, network and bucket.
    pub(super) async fn change_faults(&mut self) -> Result<()> {
        let now = self.shared.now();
        let shared = self.shared.clone();
        let faults = &shared.scenario.faults;
        let active = self.active_faults();
        // Starting a host takes time, so that the next change may come late.
        let former = self.faults_changed_at.replace(now);
        let is_new = |time: Duration| time <= now && former.is_none_or(|former| former < time);
        let has_ended = |fault: &&Fault| is_new(fault.ends) && fault.begins < now;
        for fault in faults.iter().filter(has_ended) {
            match fault.kind {
                FaultKind::Restore { host } => self.restore(host)?,
                FaultKind::Twin { host, .. } => self.end_twin(host, "ends"),
                _ => {}
            }
        }
        for host in 0..self.hosts.len() {
            self.change_host(host, &active).await?;
        }
        network::set_faults(
            &self.network,
            &shared.scenario.sites,
            &active,
            &self.isolated(),
        );
        for fault in faults.iter().filter(has_ended) {
            self.replace_bucket(&fault.kind);
        }
        self.change_bucket(&active);
        let begins = |fault: &&Fault| is_new(fault.begins) && now < fault.ends;
        for fault in faults.iter().filter(begins) {
            if let FaultKind::Twin { host, is_later } = fault.kind
                && self.hosts[host].process.is_some()
                && self.hosts[host].twin.is_none()
            {
                self.start(host, Start::Twin { is_later }).await?;
            }
        }
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
            FaultKind::Crash { host: faulty } | FaultKind::Restore { host: faulty } => {
                *faulty == host
            }
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
        // A start is refused while another process answers for the identity.
        let is_refused = self.hosts[host].process.is_none() && self.hosts[host].twin.is_some();
        let is_up = is_time && !is_down && !is_refused && !self.hosts[host].has_left;
        match (self.hosts[host].process.is_some(), is_up) {
            (true, false) => self.end(host, "crashes"),
            (false, true) if !is_hung => {
                let is_connected = !is_cut;
                self.start(host, Start::Host { is_connected }).await?;
            }
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
        for (host, start) in left {
            if self
                .process(host)
                .is_some_and(|process| process.start == start)
            {
                self.end(host, "leaves");
                self.hosts[host].has_left = true;
            }
        }
    }

    /// Ends the processes that another process of their identity has superseded. They are started
    /// again soon, as by a supervisor.
    pub(super) fn end_superseded(&mut self) {
        let superseded = std::mem::take(&mut self.shared.state().superseded);
        for (host, start) in superseded {
            let is_it = |process: &Option<Process>| {
                process
                    .as_ref()
                    .is_some_and(|process| process.start == start)
            };
            if is_it(&self.hosts[host].process) {
                self.end(host, "is superseded");
            } else if is_it(&self.hosts[host].twin) {
                self.end_twin(host, "is superseded");
            }
            let again = self.shared.now() + STARTS_AGAIN_AFTER;
            self.schedule.push(again, WorldEvent::FaultsChange);
        }
    }

    fn end_twin(&mut self, host: usize, how: &str) {
        if self.hosts[host].twin.is_some() {
            let line = format!("the second process of {host} {how}");
            self.shared.trace(&line);
            self.hosts[host].end_twin();
        }
    }

    // === disks ===

    /// Takes backups, if one is to be restored.
    pub(super) fn back_up_disks(&mut self) -> Result<()> {
        let faults = &self.shared.scenario.faults;
        let is_restore = |fault: &Fault| matches!(fault.kind, FaultKind::Restore { .. });
        if !faults.iter().any(is_restore) {
            return Ok(());
        }
        for (host, backups) in self.hosts.iter().zip(&mut self.backups) {
            backups.push(host.disk.backup()?);
        }
        Ok(())
    }

    /// Replaces the disk of a host that is down by an older one.
    fn restore(&mut self, host: usize) -> Result<()> {
        if self.hosts[host].process.is_some() {
            return Ok(());
        }
        let Some(backup) = self.fault_rng.pick(&self.backups[host]) else {
            return Ok(());
        };
        let incarnation = backup.incarnation;
        self.shared.trace(&format!(
            "the disk of {host} is restored, of incarnation {incarnation}"
        ));
        self.hosts[host].disk = Disk::restored(backup)?;
        let records = backup.records.iter().cloned().collect();
        self.shared.state().truths[host].replica = records;
        self.lose_changes(|world, app| world.in_bucket(app).1.map(|record| record.revision()));
        Ok(())
    }

    /// Marks the changes lost that are neither on a disk nor in the bucket, of which `in_bucket`
    /// returns the revision of an app.
    fn lose_changes(&self, in_bucket: impl Fn(&Self, &AppName) -> Option<u64>) {
        let disks = self
            .hosts
            .iter()
            .filter_map(|host| host.disk.store.all().ok());
        let disks: Vec<_> = disks.collect();
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.lose(|app, record| {
            let copies = disks.iter().flatten().filter(|(name, _)| name == app);
            let copies = copies.map(|(_, copy)| copy.revision());
            let mut revisions = copies.chain(in_bucket(self, app));
            revisions.any(|revision| revision >= record.revision())
        });
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
                match truth.first_connected_at {
                    Some(_) => truth.returned_at = Some(now),
                    None => truth.first_connected_at = Some(now),
                }
                truth.connected_at = Some(now);
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
        self.lose_changes(|_, _| None);
    }
}
