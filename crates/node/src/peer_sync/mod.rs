//! The task that copies records of the desired state from peers while the bucket is unavailable:
//! this host may have missed the last change, or have a new and empty disk. It also does so once
//! after the start: a bucket that was purged looks like that of a new lattice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use weft_membership::HostId;
use weft_membership::Random;
use weft_state::desired::DesiredReplica;
use weft_state::desired::record_codec::{self, DecodedRecord};
use weft_state::peers::Catalog;
use weft_telemetry::chain;

use crate::membership_task::MembershipSnapshot;
use crate::peer_rpc::{PeerClient, PeerError};

/// The time between two rounds: a record reaches every host after a few.
const SYNC_EVERY: Duration = Duration::from_secs(5);

/// The peers of one round: several, so that a peer that hangs or has no records costs no round.
const PEERS_PER_ROUND: usize = 3;

/// The largest record that is accepted: the default message size of NATS, as the bucket has it.
const RECORD_BYTES_MAX: usize = 1 << 20;

pub(super) struct PeerSync {
    pub(super) peer_client: PeerClient,
    pub(super) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    pub(super) replica: watch::Receiver<Arc<DesiredReplica>>,
    pub(super) is_bucket_unavailable: watch::Receiver<bool>,
    /// The records that differ from the replica, for the reconciler.
    pub(super) records: mpsc::Sender<DecodedRecord>,
    /// The seed of the choice of peers.
    pub(super) seed: u64,
}

impl PeerSync {
    /// Copies records until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = interval(SYNC_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Hosts that start at the same time choose different peers.
        let mut random = Random::from_seed(self.seed);
        let mut seen = BTreeSet::new();
        let mut has_synced = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Ok(()) = self.is_bucket_unavailable.changed() => {}
                // A new host may have newer records.
                Ok(()) = self.membership.changed() => {
                    let peers: BTreeSet<_> = self.peers().into_iter().collect();
                    let has_new_peer = !peers.is_subset(&seen);
                    seen = peers;
                    if !has_new_peer {
                        continue;
                    }
                }
                _ = ticks.tick() => {}
            }
            let is_needed = !has_synced || *self.is_bucket_unavailable.borrow();
            if !is_needed || self.peers().is_empty() {
                continue;
            }
            has_synced = true;
            let round = self.round(&mut random);
            if stop.run_until_cancelled(round).await.is_none() {
                return;
            }
        }
    }

    fn peers(&self) -> Vec<HostId> {
        let membership = self.membership.borrow();
        let hosts = membership.view.hosts();
        let alive = hosts.filter(|host| host.is_alive() && host.id != self.peer_client.me);
        alive.map(|host| host.id).collect()
    }

    async fn round(&self, random: &mut Random) {
        let mut peers = self.peers();
        for _ in 0..PEERS_PER_ROUND.min(peers.len()) {
            let peer = peers.swap_remove(below(random, peers.len()));
            if let Err(error) = self.sync_with(peer).await {
                let (peer, error) = (peer.short(), chain(&error));
                tracing::debug!(peer, error, "cannot copy records from a peer");
            }
        }
    }

    async fn sync_with(&self, peer: HostId) -> Result<(), PeerError> {
        let mut listed = self.peer_client.list(peer).await?;
        // The mark of a store before its app: see the guarantees of the replica.
        listed.sort_by_key(|record| !record_codec::is_mark_key(&record.key));
        let replica = self.replica.borrow().clone();
        let catalog = Catalog::of(&replica);
        for record in listed.iter().filter(|record| !catalog.has(record)) {
            let value = self
                .peer_client
                .bytes(peer, &record.digest, RECORD_BYTES_MAX)
                .await?;
            match record_codec::decode(&record.key, &value) {
                DecodedRecord::Unknown(reason) => {
                    tracing::debug!(
                        reason,
                        "ignored a record of a peer that this version cannot decode"
                    );
                }
                // The receiver is dropped when the host stops.
                record => drop(self.records.send(record).await),
            }
        }
        Ok(())
    }
}

fn below(random: &mut Random, bound: usize) -> usize {
    // There are fewer hosts than `u32::MAX`.
    random.below(u32::try_from(bound).unwrap_or(u32::MAX)) as usize
}

#[cfg(test)]
mod tests;
