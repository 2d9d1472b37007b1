//! The task that asks peers what is wanted while the store of the desired state is away: this host may have
//! been away when it was changed last, or have a new and empty disk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use weft_membership::HostId;
use weft_membership::Random;
use weft_state::desired::DesiredReplica;
use weft_state::desired::record_codec::{self, Said};
use weft_state::peers::Catalog;

use crate::membership_task::Known;
use crate::peer_rpc::{Asker, PeerError};
use weft_telemetry::chain;

/// How often a peer is asked: what one host knows is everywhere after a few rounds.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// How many peers are asked in one round, so that one that hangs or knows nothing costs no round.
const PEERS_IN_A_ROUND: usize = 3;

/// The largest record that is taken: what NATS carries in one message by default, as the store takes it.
const RECORD_BYTES_MAX: usize = 1 << 20;

pub(super) struct Learning {
    pub(super) asker: Asker,
    pub(super) known: watch::Receiver<Arc<Known>>,
    pub(super) copy: watch::Receiver<Arc<DesiredReplica>>,
    /// Whether the store is away.
    pub(super) store_away: watch::Receiver<bool>,
    /// Where what was learned goes.
    pub(super) learned: mpsc::Sender<Said>,
}

impl Learning {
    /// Asks until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Hosts that begin at once ask different peers.
        let mut random = Random::from_seed(crate::mesh::random_seed());
        let mut seen = BTreeSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = self.store_away.changed() => {}
                // A host that is new may know more.
                Ok(()) = self.known.changed() => {
                    let peers: BTreeSet<_> = self.peers().into_iter().collect();
                    let is_news = !peers.is_subset(&seen);
                    seen = peers;
                    if !is_news {
                        continue;
                    }
                }
                _ = ticks.tick() => {}
            }
            if !*self.store_away.borrow() {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.round(&mut random) => {}
            }
        }
    }

    fn peers(&self) -> Vec<HostId> {
        let known = self.known.borrow();
        let hosts = known.view.hosts();
        let alive = hosts.filter(|host| host.is_alive() && host.id != self.asker.me);
        alive.map(|host| host.id).collect()
    }

    async fn round(&self, random: &mut Random) {
        let mut peers = self.peers();
        for _ in 0..PEERS_IN_A_ROUND.min(peers.len()) {
            let peer = peers.swap_remove(below(random, peers.len()));
            if let Err(error) = self.learn(peer).await {
                let (peer, error) = (peer.short(), chain(&error));
                tracing::debug!(peer, error, "nothing was learned from a peer");
            }
        }
    }

    async fn learn(&self, peer: HostId) -> Result<(), PeerError> {
        let listed = self.asker.list(peer).await?;
        let copy = self.copy.borrow().clone();
        let catalog = Catalog::of(&copy);
        for record in listed.iter().filter(|record| !catalog.has(record)) {
            let value = self
                .asker
                .bytes(peer, &record.digest, RECORD_BYTES_MAX)
                .await?;
            match record_codec::decode(&record.key, &value) {
                Said::Unknown(reason) => {
                    tracing::debug!(reason, "a peer's record is not understood");
                }
                // It ends with the host.
                said => drop(self.learned.send(said).await),
            }
        }
        Ok(())
    }
}

fn below(random: &mut Random, bound: usize) -> usize {
    // There are fewer hosts than that.
    random.below(u32::try_from(bound).unwrap_or(u32::MAX)) as usize
}
