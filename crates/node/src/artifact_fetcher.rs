//! The task that sees to it that the bytes of components are on this host's disk: from the lattice's store, or
//! from a peer where that is away or has lost them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weft_lattice_config::Digest;
use weft_membership::HostId;
use weft_state::artifacts::{ARTIFACT_BYTES_MAX, ArtifactError, Artifacts};
use weft_state::objects::Objects;

use crate::membership_task::Known;
use crate::peer_rpc::Asker;
use weft_telemetry::chain;

/// How long to wait before what nobody had is looked for again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How many peers are asked for the bytes of one component before the next one has its turn.
const PEERS_MAX: usize = 8;

/// What is on this host's disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Here {
    /// Verified since the host started.
    pub(super) digests: BTreeSet<Digest>,
    /// Whether the disk did not take the bytes that came last.
    pub(super) disk_refuses: bool,
}

pub(super) struct Fetching {
    pub(super) objects: Objects,
    pub(super) artifacts: Artifacts,
    pub(super) asker: Asker,
    pub(super) known: watch::Receiver<Arc<Known>>,
    pub(super) store_away: watch::Receiver<bool>,
    /// What is wanted, the most urgent first.
    pub(super) wanted: watch::Receiver<Arc<Vec<Digest>>>,
    pub(super) here: watch::Sender<Here>,
}

/// Why bytes are not here.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    /// Nobody gave them.
    #[error("neither the store of the lattice nor a peer has them")]
    Nobody,
    /// They cannot be kept.
    #[error("they cannot be kept")]
    Disk(#[source] ArtifactError),
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
}

impl Fetching {
    /// Fetches until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let is_missing = tokio::select! {
                () = stop.cancelled() => return,
                is_missing = self.round() => is_missing,
            };
            let retry = async {
                match is_missing {
                    true => tokio::time::sleep(RETRY_EVERY).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.wanted.changed() => if changed.is_err() { return },
                () = retry => {}
            }
        }
    }

    /// Looks once for everything. Says whether something is missing.
    async fn round(&mut self) -> bool {
        let wanted = self.wanted.borrow_and_update().clone();
        self.verify(&wanted).await;
        let mut is_missing = false;
        for digest in &*wanted {
            if self.here.borrow().digests.contains(digest) {
                continue;
            }
            // Something else may be more urgent now.
            if self.wanted.has_changed().unwrap_or(false) {
                return true;
            }
            let fetched = self.fetch(digest).await;
            is_missing |= fetched.is_err();
            self.note(digest, &fetched);
        }
        is_missing
    }

    /// Looks at what is on the disk already, all at once.
    async fn verify(&self, wanted: &Arc<Vec<Digest>>) {
        let (artifacts, wanted) = (self.artifacts.clone(), wanted.clone());
        let known = self.here.borrow().digests.clone();
        let found = tokio::task::spawn_blocking(move || {
            let new = wanted.iter().filter(|digest| !known.contains(*digest));
            let found = new.filter(|digest| artifacts.contains(digest));
            found.cloned().collect::<Vec<_>>()
        });
        let found = found.await.unwrap_or_default();
        self.here.send_if_modified(|here| {
            let is_new = !found.is_empty();
            here.digests.extend(found);
            is_new
        });
    }

    fn note(&self, digest: &Digest, fetched: &Result<(), FetchError>) {
        if let Err(error) = fetched {
            let (digest, error) = (digest.short(), chain(error));
            tracing::warn!(digest, error, "the bytes of a component are not here yet");
        }
        let refuses = matches!(fetched, Err(FetchError::Disk(_)));
        self.here.send_if_modified(|here| {
            let is_new = fetched.is_ok() && here.digests.insert(digest.clone());
            let is_other = here.disk_refuses != refuses;
            here.disk_refuses = refuses;
            is_new || is_other
        });
    }

    async fn fetch(&self, digest: &Digest) -> Result<(), FetchError> {
        // Where the store is known to be away, asking it may take long to fail.
        let bytes = if *self.store_away.borrow() {
            match self.ask_a_peer(digest).await {
                Some(bytes) => Some(bytes),
                None => self.ask_the_store(digest).await,
            }
        } else {
            match self.ask_the_store(digest).await {
                Some(bytes) => Some(bytes),
                None => self.ask_a_peer(digest).await,
            }
        };
        let bytes = bytes.ok_or(FetchError::Nobody)?;
        let (artifacts, digest) = (self.artifacts.clone(), digest.clone());
        let kept = tokio::task::spawn_blocking(move || artifacts.put(&digest, &bytes));
        let kept = kept.await.map_err(|_| FetchError::Stopping)?;
        kept.map_err(FetchError::Disk)
    }

    async fn ask_the_store(&self, digest: &Digest) -> Option<bytes::Bytes> {
        match self.objects.get(digest).await {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let (digest, error) = (digest.short(), chain(&error));
                tracing::debug!(
                    digest,
                    error,
                    "the store did not give the bytes of a component"
                );
                None
            }
        }
    }

    async fn ask_a_peer(&self, digest: &Digest) -> Option<bytes::Bytes> {
        for peer in self.peers() {
            match self.asker.bytes(peer, digest, ARTIFACT_BYTES_MAX).await {
                Ok(bytes) => {
                    let (peer, digest) = (peer.short(), digest.short());
                    tracing::info!(peer, digest, "a peer gave the bytes of a component");
                    return Some(bytes);
                }
                Err(error) => {
                    let (peer, error) = (peer.short(), chain(&error));
                    tracing::debug!(peer, error, "a peer did not give the bytes of a component");
                }
            }
        }
        None
    }

    /// Those who live, beginning with those who run something: they have bytes.
    fn peers(&self) -> Vec<HostId> {
        let known = self.known.borrow();
        let hosts = known.view.hosts();
        let alive = hosts.filter(|host| host.is_alive() && host.id != self.asker.me);
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
