//! A client and a server on the in-process bus, in paused time.

use std::collections::BTreeMap;

use tempfile::TempDir;
use weft_bus::local::{LocalNetwork, LocalOptions};
use weft_state::desired::Key;

use super::*;
use crate::host_tasks::HostTasks;
use crate::test_support::{
    OTHER, OWN, answer_requests, app, app_name, artifact, deployed, peer_client,
};

/// A network with a client, and the bus of its peer.
struct TestPeers {
    client: PeerClient,
    /// The peer, which answers as a client too.
    peer: PeerClient,
    tasks: HostTasks,
    stop: CancellationToken,
}

impl TestPeers {
    fn new() -> Self {
        let network = LocalNetwork::new(LocalOptions::default());
        Self {
            client: peer_client(&network, "own", OWN),
            peer: peer_client(&network, "other", OTHER),
            tasks: HostTasks::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Answers each request with the payload that `answer` returns.
    async fn answer(&self, answer: impl Fn(&PeerClient, PeerRequest) -> Vec<u8> + Send + 'static) {
        answer_requests(&self.peer, &self.tasks, answer).await;
    }

    /// Serves a replica and artifacts.
    async fn serve(&self, replica: DesiredReplica) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(directory.path()).unwrap();
        let (digest, bytes) = artifact("shop");
        artifacts.put(&digest, &bytes).unwrap();
        let server = PeerServer {
            client: self.peer.clone(),
            artifacts,
            replica: watch::Sender::new(Arc::new(replica)).subscribe(),
            tasks: self.tasks.clone(),
        };
        let requests = self.peer.bus.subscribe(&self.peer.subjects.peer_requests);
        self.tasks
            .spawn(server.run(requests.await, self.stop.clone()));
        directory
    }

    async fn bytes(&self, app: &str) -> Result<Bytes, PeerError> {
        let (digest, _) = artifact(app);
        self.client.bytes(OTHER, &digest, 1 << 20).await
    }
}

/// The encoded answer to a request.
fn answer(peer: &PeerClient, request: &PeerRequest, answered: ReplyBody) -> Vec<u8> {
    let origin = peer.origin(request.origin.sequence);
    PeerReply { origin, answered }.encode("test").unwrap()
}

/// An answer with these bytes as the whole.
fn whole(bytes: Vec<u8>) -> ReplyBody {
    ReplyBody::Bytes(Some(Part {
        size: bytes.len() as u64,
        bytes: Bytes::from(bytes),
    }))
}

fn listed(name: &str) -> Listed {
    Listed {
        key: Key::new(&["apps", name]).unwrap(),
        digest: artifact(name).0,
        size: 1,
    }
}

#[tokio::test(start_paused = true)]
async fn records_and_artifacts_of_a_peer_are_listed_and_downloaded() {
    let peers = TestPeers::new();
    let records = [(app_name("shop"), deployed(1, app("shop", 1)))];
    let replica = DesiredReplica::new(records, BTreeMap::new());
    let _directory = peers.serve(replica.clone()).await;
    let list = peers.client.list(OTHER).await.unwrap();
    let catalog = Catalog::of(&replica);
    assert_eq!(list.len(), 1);
    assert!(catalog.has(&list[0]));
    let record = peers.client.bytes(OTHER, &list[0].digest, 1 << 20).await;
    assert_eq!(Some(&record.unwrap()), catalog.value(&list[0].digest));
    assert_eq!(peers.bytes("shop").await.unwrap(), artifact("shop").1);
    let error = peers.bytes("blog").await.unwrap_err();
    assert!(matches!(error, PeerError::Missing), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_malformed_request_is_ignored_and_the_next_one_is_served() {
    let peers = TestPeers::new();
    let _directory = peers.serve(DesiredReplica::default()).await;
    let subject = peers.client.subjects.peer_requests_of(OTHER).unwrap();
    let garbage = Bytes::from_static(b"garbage");
    let deadline = Instant::now() + Duration::from_secs(1);
    let error = peers.client.bus.request(&subject, garbage, deadline).await;
    let error = error.unwrap_err();
    assert!(matches!(error, RequestError::Deadline { .. }), "{error:?}");
    assert_eq!(peers.client.list(OTHER).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_answer_is_rejected() {
    let peers = TestPeers::new();
    peers.answer(|_, _| b"garbage".to_vec()).await;
    let error = peers.client.list(OTHER).await.unwrap_err();
    assert!(matches!(error, PeerError::Message(_)), "{error:?}");
    assert_eq!(error.to_string(), "malformed reply from the peer");
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_another_request_is_rejected() {
    let peers = TestPeers::new();
    let replay = |peer: &PeerClient, mut request: PeerRequest| {
        request.origin.sequence += 1;
        let answered = ReplyBody::Bytes(None);
        answer(peer, &request, answered)
    };
    peers.answer(replay).await;
    let error = peers.bytes("shop").await.unwrap_err();
    assert!(matches!(error, PeerError::Unexpected), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_kind_is_rejected() {
    let peers = TestPeers::new();
    let swap = |peer: &PeerClient, request: PeerRequest| {
        let answered = match request.asked {
            RequestBody::List { .. } => ReplyBody::Bytes(None),
            RequestBody::Bytes { .. } => ReplyBody::List {
                records: Vec::new(),
                more: false,
            },
        };
        answer(peer, &request, answered)
    };
    peers.answer(swap).await;
    let error = peers.client.list(OTHER).await.unwrap_err();
    assert!(matches!(error, PeerError::Unexpected), "{error:?}");
    let error = peers.bytes("shop").await.unwrap_err();
    assert!(matches!(error, PeerError::Unexpected), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn other_bytes_than_requested_are_rejected() {
    let peers = TestPeers::new();
    peers
        .answer(|peer, request| answer(peer, &request, whole(artifact("blog").1)))
        .await;
    assert_eq!(peers.bytes("blog").await.unwrap(), artifact("blog").1);
    let error = peers.bytes("shop").await.unwrap_err();
    assert!(
        matches!(
            error,
            PeerError::ChunkedDownload(ChunkedDownloadError::Digest { .. })
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_beyond_the_limit_are_rejected() {
    let peers = TestPeers::new();
    peers
        .answer(|peer, request| answer(peer, &request, whole(artifact("shop").1)))
        .await;
    let error = peers.client.bytes(OTHER, &artifact("shop").0, 4).await;
    let error = error.unwrap_err();
    assert!(
        matches!(
            error,
            PeerError::ChunkedDownload(ChunkedDownloadError::TooLarge { .. })
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_of_several_answers_is_read_to_its_end() {
    let peers = TestPeers::new();
    let pages = |peer: &PeerClient, request: PeerRequest| {
        let RequestBody::List { after } = &request.asked else {
            panic!("{request:?}")
        };
        let (name, more) = match after {
            None => ("a", true),
            Some(_) => ("b", false),
        };
        let records = vec![listed(name)];
        answer(peer, &request, ReplyBody::List { records, more })
    };
    peers.answer(pages).await;
    let list = peers.client.list(OTHER).await.unwrap();
    assert_eq!(list, [listed("a"), listed("b")]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_repeats_itself_is_rejected() {
    let peers = TestPeers::new();
    let repeat = |peer: &PeerClient, request: PeerRequest| {
        let records = vec![listed("a")];
        let more = true;
        answer(peer, &request, ReplyBody::List { records, more })
    };
    peers.answer(repeat).await;
    let error = peers.client.list(OTHER).await.unwrap_err();
    assert!(matches!(error, PeerError::Unexpected), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_with_more_to_come_is_rejected() {
    let peers = TestPeers::new();
    let empty = |peer: &PeerClient, request: PeerRequest| {
        let (records, more) = (Vec::new(), true);
        answer(peer, &request, ReplyBody::List { records, more })
    };
    peers.answer(empty).await;
    let error = peers.client.list(OTHER).await.unwrap_err();
    assert!(matches!(error, PeerError::Unexpected), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_peer_fails_at_once_and_a_silent_one_at_the_deadline() {
    let peers = TestPeers::new();
    tokio::time::advance(bus_return::SETTLE_TIME).await;
    let start = Instant::now();
    let error = peers.client.list(OTHER).await.unwrap_err();
    assert!(
        matches!(error, PeerError::Request(RequestError::NoResponders { .. })),
        "{error:?}"
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
    let silent = &peers.peer;
    let _requests = silent.bus.subscribe(&silent.subjects.peer_requests).await;
    let error = peers.client.list(OTHER).await.unwrap_err();
    assert!(
        matches!(error, PeerError::Request(RequestError::Deadline { .. })),
        "{error:?}"
    );
    assert!(start.elapsed() >= REPLY_WAIT_MAX);
}
