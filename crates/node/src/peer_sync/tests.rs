//! Whole hosts on the in-process bus, and one with peers that send anything, in paused time.

use bytes::Bytes;
use tokio::time::timeout;
use weft_bus::local::{LocalNetwork, LocalOptions};
use weft_lattice_config::Digest;
use weft_membership::DEAD_AFTER;
use weft_membership::message::{HostCondition, Origin};
use weft_state::desired::Key;
use weft_state::desired::record_codec::app_key;
use weft_state::peers::message::{Listed, Part, PeerReply, PeerRequest, ReplyBody, RequestBody};
use weft_state::store::Record;

use super::*;
use crate::host_tasks::HostTasks;
use crate::test_support::{
    OWN, TestHost, TestLattice, TestMembership, answer_requests, app, app_name, app_on, artifact,
    deployed, host, peer_client, wait_for,
};

/// Waits until a host has a revision of an app in its replica.
async fn wait_for_revision(host: &TestHost, app: &str, revision: u64) {
    wait_for(&host.joined.replica, |replica| {
        let record = replica.apps().get(&app_name(app));
        record.is_some_and(|record| record.revision() == revision)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_host_without_the_bucket_receives_records_and_artifacts_of_a_peer() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    lattice.network.set_jetstream_unreachable(&["b"]);
    a.store_artifact("shop");
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    b.wait_for_app("shop", 1).await;
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 1");
    assert!(b.artifacts.contains(&artifact("shop").0));
    let still_away = b.joined.writer.stores.records.list().await;
    still_away.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_host_without_the_bucket_receives_a_removal() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    b.wait_for_app("shop", 1).await;
    lattice.network.set_jetstream_unreachable(&["b"]);
    a.joined.undeploy(app_name("shop")).await.unwrap();
    wait_for(&b.controller.watch(), |snapshot| snapshot.apps.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_older_than_the_own_one_changes_nothing() {
    let lattice = TestLattice::new();
    lattice.network.set_jetstream_unreachable(&["a", "b"]);
    let (a, b) = (lattice.disk("a"), lattice.disk("b"));
    let older = deployed(1, app("shop", 1));
    let only_a = deployed(1, app("zoo", 1));
    a.store_records(&[("shop", older), ("zoo", only_a)]);
    a.store_artifact("shop");
    a.store_artifact("zoo");
    let removed = Record::Removed {
        revision: 2,
        changed_at_ms: 0,
    };
    b.store_records(&[("shop", removed.clone())]);
    let (a, b) = (a.start().await, b.start().await);
    // The host has seen the older record when it has the one that follows in the list.
    wait_for_revision(&b, "zoo", 1).await;
    wait_for_revision(&a, "shop", 2).await;
    let replica = b.joined.replica.borrow().clone();
    assert_eq!(*replica.apps()[&app_name("shop")], removed);
    assert_eq!(b.events_of("shop"), [""; 0]);
}

/// An answer to a list with one record; the answer to a request for bytes is `bytes`.
fn lists(key: &Key, bytes: &Bytes, request: &PeerRequest) -> ReplyBody {
    match &request.asked {
        RequestBody::List { .. } => ReplyBody::List {
            records: vec![Listed {
                key: key.clone(),
                digest: Digest::of(bytes),
                size: bytes.len() as u64,
            }],
            more: false,
        },
        RequestBody::Bytes { .. } => ReplyBody::Bytes(Some(Part {
            size: bytes.len() as u64,
            bytes: bytes.clone(),
        })),
    }
}

/// Encodes an answer of a peer.
fn encode(peer: &PeerClient, request: &PeerRequest, answered: ReplyBody) -> Vec<u8> {
    let origin = Origin {
        host: peer.me,
        incarnation: peer.subjects.own_incarnation(),
        sequence: request.origin.sequence,
    };
    PeerReply { origin, answered }.encode("test").unwrap()
}

#[tokio::test(start_paused = true)]
async fn malformed_answers_and_unknown_records_of_one_peer_do_not_hide_the_records_of_another() {
    let network = LocalNetwork::new(LocalOptions::default());
    let (tasks, stop) = (HostTasks::default(), CancellationToken::new());
    let ids = [2, 3, 4].map(|key| HostId::from_key([key; 32]));
    let peers = ids.map(|id| peer_client(&network, &id.short(), id));
    let shop = app_key(&app_name("shop")).unwrap();
    let record = deployed(1, app("shop", 1));
    let value = record_codec::encode_app(&record).unwrap();

    let garbage = |_: &PeerClient, _: PeerRequest| b"garbage".to_vec();
    answer_requests(&peers[0], &tasks, garbage).await;
    let key = shop.clone();
    let unknown = move |peer: &PeerClient, request: PeerRequest| {
        let paused = Bytes::from_static(br#"{"paused":{}}"#);
        encode(peer, &request, lists(&key, &paused, &request))
    };
    answer_requests(&peers[1], &tasks, unknown).await;
    let good = move |peer: &PeerClient, request: PeerRequest| {
        encode(peer, &request, lists(&shop, &value, &request))
    };
    answer_requests(&peers[2], &tasks, good).await;

    let mut own = TestMembership::new();
    own.advance(DEAD_AFTER, &mut ids.map(|id| host(id, 1)));
    let (records, mut received) = mpsc::channel(8);
    let sync = PeerSync {
        seed: 0,
        peer_client: peer_client(&network, "own", OWN),
        membership: watch::Sender::new(own.snapshot()).subscribe(),
        replica: watch::Sender::default().subscribe(),
        is_bucket_unavailable: watch::Sender::new(true).subscribe(),
        records,
    };
    tasks.spawn(sync.run(stop.clone()));
    let expected = DecodedRecord::App(app_name("shop"), record);
    for _ in 0..3 {
        let received = timeout(SYNC_EVERY * 2, received.recv()).await;
        assert_eq!(received.unwrap().as_ref(), Some(&expected));
    }
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn the_records_of_a_returned_bucket_are_merged_with_those_of_peers() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    lattice.network.set_jetstream_unreachable(&["b"]);
    a.store_artifact("shop");
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    b.wait_for_app("shop", 1).await;
    lattice.network.set_jetstream_unreachable(&[]);
    wait_for(&a.joined.membership, |membership| {
        let contents = membership
            .view
            .host(b.id)
            .and_then(|view| view.contents.clone());
        contents.is_some_and(|contents| {
            !contents
                .conditions
                .contains(&HostCondition::BucketUnavailable)
        })
    })
    .await;
    let second = b.joined.deploy(app_on("b", "shop", 2)).await.unwrap();
    assert_eq!(second.deployed.revision, 2);
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 2");
}
