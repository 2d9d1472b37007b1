//! The task that downloads the artifacts that this host needs: from the lattice's object store, or
//! from a peer if the object store is unavailable or has lost them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weft_lattice_config::Digest;
use weft_membership::HostId;
use weft_state::artifacts::{ARTIFACT_BYTES_MAX, ArtifactError, Artifacts};
use weft_state::blocking;
use weft_state::objects::Objects;
use weft_telemetry::chain;

use crate::membership_task::MembershipSnapshot;
use crate::peer_rpc::PeerClient;

/// The pause before missing artifacts are requested again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// The most peers that are tried for one artifact before the next one has its turn.
const PEERS_MAX: usize = 8;

/// The artifacts on this host's disk.
#[derive(Debug, Clone, Default)]
pub(super) struct LocalArtifacts {
    /// Verified since the host started.
    pub(super) digests: BTreeSet<Digest>,
    /// True if the last write failed.
    pub(super) has_disk_failed: bool,
}

pub(super) struct ArtifactFetcher {
    pub(super) objects: Objects,
    pub(super) artifacts: Artifacts,
    pub(super) peer_client: PeerClient,
    pub(super) membership: watch::Receiver<Arc<MembershipSnapshot>>,
    pub(super) is_bucket_unavailable: watch::Receiver<bool>,
    /// The needed artifacts, the most urgent first.
    pub(super) needed: watch::Receiver<Arc<Vec<Digest>>>,
    pub(super) local: watch::Sender<LocalArtifacts>,
}

/// The reason an artifact was not fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the artifact is missing in the object store and at every peer")]
    NotFound,
    #[error("the artifact cannot be written to disk")]
    Disk(#[source] ArtifactError),
    #[error("the host is stopping")]
    Stopping,
}

impl ArtifactFetcher {
    /// Fetches until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let Some(is_missing) = stop.run_until_cancelled(self.round()).await else {
                return;
            };
            let retry = async {
                match is_missing {
                    true => tokio::time::sleep(RETRY_EVERY).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = self.needed.changed() => if changed.is_err() { return },
                () = retry => {}
            }
        }
    }

    /// Tries every needed artifact once. Returns whether some are still missing.
    async fn round(&mut self) -> bool {
        let needed = self.needed.borrow_and_update().clone();
        self.verify(&needed).await;
        let mut is_missing = false;
        for digest in &*needed {
            if self.local.borrow().digests.contains(digest) {
                continue;
            }
            // Another artifact may be more urgent now.
            if self.needed.has_changed().unwrap_or(false) {
                return true;
            }
            let fetched = self.fetch(digest).await;
            is_missing |= fetched.is_err();
            self.record(digest, &fetched);
        }
        is_missing
    }

    /// Verifies the artifacts that are already on disk, all in one blocking task. They are renewed,
    /// so that no collection deletes what this task has found.
    async fn verify(&self, needed: &Arc<Vec<Digest>>) {
        let (artifacts, needed) = (self.artifacts.clone(), needed.clone());
        let verified = self.local.borrow().digests.clone();
        let found = blocking::run(move || {
            let new = needed.iter().filter(|digest| !verified.contains(*digest));
            let found = new.filter(|digest| artifacts.renew(digest));
            found.cloned().collect::<Vec<_>>()
        });
        let found = found.await.unwrap_or_default();
        self.local.send_if_modified(|local| {
            let is_new = !found.is_empty();
            local.digests.extend(found);
            is_new
        });
    }

    fn record(&self, digest: &Digest, fetched: &Result<(), FetchError>) {
        if let Err(error) = fetched {
            let (digest, error) = (digest.short(), chain(error));
            tracing::warn!(
                digest,
                error,
                "an artifact is not available yet; the download is retried"
            );
        }
        let has_failed = matches!(fetched, Err(FetchError::Disk(_)));
        self.local.send_if_modified(|local| {
            let is_new = fetched.is_ok() && local.digests.insert(digest.clone());
            let is_other = local.has_disk_failed != has_failed;
            local.has_disk_failed = has_failed;
            is_new || is_other
        });
    }

    async fn fetch(&self, digest: &Digest) -> Result<(), FetchError> {
        // A request to an unavailable object store may take long to fail.
        let bytes = if *self.is_bucket_unavailable.borrow() {
            match self.fetch_from_peer(digest).await {
                Some(bytes) => Some(bytes),
                None => self.fetch_from_bucket(digest).await,
            }
        } else {
            match self.fetch_from_bucket(digest).await {
                Some(bytes) => Some(bytes),
                None => self.fetch_from_peer(digest).await,
            }
        };
        let bytes = bytes.ok_or(FetchError::NotFound)?;
        let (artifacts, digest) = (self.artifacts.clone(), digest.clone());
        let stored = blocking::run(move || artifacts.put(&digest, &bytes));
        let stored = stored.await.map_err(|_| FetchError::Stopping)?;
        stored.map_err(FetchError::Disk)
    }

    async fn fetch_from_bucket(&self, digest: &Digest) -> Option<bytes::Bytes> {
        match self.objects.get(digest).await {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let (digest, error) = (digest.short(), chain(&error));
                tracing::debug!(
                    digest,
                    error,
                    "an artifact was not fetched from the object store"
                );
                None
            }
        }
    }

    async fn fetch_from_peer(&self, digest: &Digest) -> Option<bytes::Bytes> {
        for peer in self.peers() {
            match self
                .peer_client
                .bytes(peer, digest, ARTIFACT_BYTES_MAX)
                .await
            {
                Ok(bytes) => {
                    let (peer, digest) = (peer.short(), digest.short());
                    tracing::info!(peer, digest, "fetched an artifact from a peer");
                    return Some(bytes);
                }
                Err(error) => {
                    let (peer, error) = (peer.short(), chain(&error));
                    tracing::debug!(peer, error, "an artifact was not fetched from a peer");
                }
            }
        }
        None
    }

    /// The live peers, those that run components first: they have artifacts.
    fn peers(&self) -> Vec<HostId> {
        let membership = self.membership.borrow();
        let hosts = membership.view.hosts();
        let alive = hosts.filter(|host| host.is_alive() && host.id != self.peer_client.me);
        let runs = |contents: &weft_membership::message::Contents| !contents.components.is_empty();
        let mut peers: Vec<_> = alive
            .map(|host| (!host.contents.as_deref().is_some_and(runs), host.id))
            .collect();
        peers.sort();
        peers
            .into_iter()
            .map(|(_, id)| id)
            .take(PEERS_MAX)
            .collect()
    }
}
