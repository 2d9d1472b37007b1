//! Records and artifacts from other hosts, for when the buckets of the lattice are unavailable; and
//! the server of the same for them. The messages are described in `docs/lattice.md`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weft_bus::{Bus, Message, RequestError, Subscription};
use weft_lattice_config::Digest;
use weft_membership::HostId;
use weft_membership::message::Origin;
use weft_membership::routing::Repeat;
use weft_state::artifacts::Artifacts;
use weft_state::blocking;
use weft_state::desired::DesiredReplica;
use weft_state::peers::message::{
    Listed, MAX_ANSWER_BYTES, MAX_CHUNK_BYTES, Part, PeerReply, PeerRequest, ReplyBody, RequestBody,
};
use weft_state::peers::{Catalog, Chunk, ChunkedDownload, ChunkedDownloadError};
use weft_telemetry::chain;
use weft_wire::FrameError;

use crate::bus_return;
use crate::host_tasks::HostTasks;
use crate::subjects::Subjects;

/// The longest wait for one reply: a chunk over a slow connection between clouds.
const REPLY_WAIT_MAX: Duration = Duration::from_secs(5);

/// The most chunks in flight: enough to transfer one while another is read, and 2 MiB of memory at
/// most.
const CHUNKS_IN_FLIGHT: usize = 4;

/// The most requests that are served at once. Each holds a chunk; more wait in the subscription.
const REQUESTS_MAX: usize = 16;

/// The most records that are accepted from one peer: several times those of a lattice.
const RECORDS_MAX: usize = 100_000;

/// Sends requests to peers. Cheap to clone.
#[derive(Clone)]
pub(super) struct PeerClient {
    pub(super) bus: Bus,
    pub(super) subjects: Subjects,
    pub(super) me: HostId,
    /// The number of the last request.
    pub(super) sequence: Arc<AtomicU64>,
}

/// The reason a peer was of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum PeerError {
    #[error("the request to the peer failed")]
    Request(#[from] RequestError),
    #[error("malformed reply from the peer")]
    Message(#[from] FrameError),
    #[error("the peer replied to another request")]
    Unexpected,
    #[error("the peer does not have the requested bytes")]
    Missing,
    #[error("the peer sent other bytes than requested")]
    ChunkedDownload(#[from] ChunkedDownloadError),
    #[error("the peer lists too many records: expected at most {RECORDS_MAX}, found more")]
    TooMany,
}

impl PeerClient {
    /// Lists the records of a peer.
    pub(super) async fn list(&self, peer: HostId) -> Result<Vec<Listed>, PeerError> {
        let mut all: Vec<Listed> = Vec::new();
        loop {
            let last = all.last().map(|last| last.key.clone());
            let ReplyBody::List { records, more } = self
                .request(
                    peer,
                    RequestBody::List {
                        after: last.clone(),
                    },
                )
                .await?
            else {
                return Err(PeerError::Unexpected);
            };
            let is_ascending = records.first().map(|first| &first.key) > last.as_ref();
            if all.len() + records.len() > RECORDS_MAX {
                return Err(PeerError::TooMany);
            }
            all.extend(records);
            if !more {
                return Ok(all);
            }
            if !is_ascending {
                return Err(PeerError::Unexpected);
            }
        }
    }

    /// Downloads the bytes with hash `digest` from a peer.
    pub(super) async fn bytes(
        &self,
        peer: HostId,
        digest: &Digest,
        size_max: usize,
    ) -> Result<Bytes, PeerError> {
        let length = MAX_CHUNK_BYTES.min(self.bus.max_payload() / 2);
        let mut assembly = ChunkedDownload::new(digest.clone(), size_max);
        while !assembly.is_complete() {
            let chunks = assembly.next(CHUNKS_IN_FLIGHT, length);
            let parts = stream::iter(chunks).map(|chunk| async move {
                let part = self.part(peer, digest, chunk).await;
                part.map(|part| (chunk, part))
            });
            // In the order of the requests.
            let mut parts = std::pin::pin!(parts.buffered(CHUNKS_IN_FLIGHT));
            while let Some(part) = parts.next().await {
                let (chunk, part) = part?;
                assembly.take(chunk, &part)?;
            }
        }
        Ok(assembly.finish()?)
    }

    async fn part(&self, peer: HostId, digest: &Digest, chunk: Chunk) -> Result<Part, PeerError> {
        let query = RequestBody::Bytes {
            digest: digest.clone(),
            offset: chunk.offset,
            length: chunk.length,
        };
        match self.request(peer, query).await? {
            ReplyBody::Bytes(Some(part)) => Ok(part),
            ReplyBody::Bytes(None) => Err(PeerError::Missing),
            ReplyBody::List { .. } => Err(PeerError::Unexpected),
        }
    }

    async fn request(&self, peer: HostId, query: RequestBody) -> Result<ReplyBody, PeerError> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let origin = self.origin(sequence);
        let lattice = self.bus.scope().lattice();
        let subject = self
            .subjects
            .peer_requests_of(peer)
            .ok_or(PeerError::Unexpected)?;
        let request = PeerRequest {
            origin,
            asked: query,
        }
        .encode(lattice);
        // Requests are within the bounds by construction.
        let request = request.map_err(|_| PeerError::Unexpected)?;
        let deadline = Instant::now() + REPLY_WAIT_MAX;
        let (request, repeat) = (Bytes::from(request), Repeat::Idempotent);
        let answer = bus_return::request(&self.bus, &subject, request, deadline, repeat);
        let answer = PeerReply::decode(&answer.await?, lattice)?;
        if (answer.origin.host, answer.origin.sequence) != (peer, sequence) {
            return Err(PeerError::Unexpected);
        }
        Ok(answer.answered)
    }

    fn origin(&self, sequence: u64) -> Origin {
        Origin {
            host: self.me,
            incarnation: self.subjects.own_incarnation(),
            sequence,
        }
    }
}

/// Serves requests of peers.
pub(super) struct PeerServer {
    pub(super) client: PeerClient,
    pub(super) artifacts: Artifacts,
    pub(super) replica: watch::Receiver<Arc<DesiredReplica>>,
    pub(super) tasks: HostTasks,
}

impl PeerServer {
    /// Serves the messages of `requests` until `stop`.
    pub(super) async fn run(mut self, mut requests: Subscription, stop: CancellationToken) {
        let permits = Arc::new(Semaphore::new(REQUESTS_MAX));
        // Built at the first request after a change, because requests are rare.
        let mut catalog: Option<Arc<Catalog>> = None;
        let mut rejected = 0_u64;
        loop {
            let message = stop.run_until_cancelled(requests.next_message()).await;
            let Some(Some(message)) = message else { return };
            let lattice = self.client.bus.scope().lattice();
            let request = match PeerRequest::decode(&message.payload, lattice) {
                Ok(request) => request,
                Err(error) => {
                    rejected += 1;
                    tracing::warn!(
                        error = chain(&error),
                        rejected,
                        "rejected a malformed request of a peer"
                    );
                    continue;
                }
            };
            if self.replica.has_changed().unwrap_or(false) {
                catalog = None;
            }
            let replica = &mut self.replica;
            let shared_catalog = catalog.get_or_insert_with(|| {
                let replica = replica.borrow_and_update().clone();
                Arc::new(Catalog::of(&replica))
            });
            let shared_catalog = shared_catalog.clone();
            let Ok(permit) = permits.clone().acquire_owned().await else {
                return;
            };
            let (client, artifacts) = (self.client.clone(), self.artifacts.clone());
            self.tasks.spawn(async move {
                serve(&client, artifacts, &shared_catalog, request, message).await;
                drop(permit);
            });
        }
    }
}

async fn serve(
    client: &PeerClient,
    artifacts: Artifacts,
    catalog: &Catalog,
    request: PeerRequest,
    message: Message,
) {
    let Some(reply) = message.reply else { return };
    let answered = match request.asked {
        RequestBody::List { after } => {
            let (records, more) = catalog.list(after.as_ref());
            ReplyBody::List { records, more }
        }
        RequestBody::Bytes {
            digest,
            offset,
            length,
        } => {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let length = length.min(MAX_CHUNK_BYTES);
            ReplyBody::Bytes(match catalog.value(&digest) {
                Some(value) => Some(part_in_memory(value, offset, length)),
                None => part_on_disk(artifacts, digest, offset, length).await,
            })
        }
    };
    let origin = client.origin(request.origin.sequence);
    let answer = PeerReply { origin, answered };
    match answer.encode(client.bus.scope().lattice()) {
        Ok(bytes) => {
            debug_assert!(bytes.len() <= MAX_ANSWER_BYTES);
            let deadline = Instant::now() + REPLY_WAIT_MAX;
            let sent = client
                .bus
                .publish_until(&reply, None, Bytes::from(bytes), deadline);
            if let Err(error) = sent.await {
                // The peer has a deadline.
                tracing::debug!(error = chain(&error), "a reply to a peer was not sent");
            }
        }
        Err(error) => tracing::error!(error = chain(&error), "a reply to a peer cannot be encoded"),
    }
}

fn part_in_memory(value: &Bytes, offset: u64, length: usize) -> Part {
    let start = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(value.len());
    let end = start.saturating_add(length).min(value.len());
    Part {
        size: value.len() as u64,
        bytes: value.slice(start..end),
    }
}

async fn part_on_disk(
    artifacts: Artifacts,
    digest: Digest,
    offset: u64,
    length: usize,
) -> Option<Part> {
    let read = blocking::run(move || artifacts.part(&digest, offset, length));
    match read.await.ok()? {
        Ok(part) => part.map(|(size, bytes)| Part {
            size,
            bytes: Bytes::from(bytes),
        }),
        Err(error) => {
            tracing::warn!(
                error = chain(&error),
                "an artifact cannot be read from disk"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests;
