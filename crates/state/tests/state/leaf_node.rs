//! Buckets from a leaf node without JetStream: they are on the servers of its hub.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use weft_bus::nats::{NatsError, NatsOptions, connect};
use weft_bus::{Bus, Scope};
use weft_lattice_config::Digest;
use weft_state::buckets::{BucketError, BucketOptions};
use weft_state::desired::{Key, PutError, Records, Revision, WatchEvent};
use weft_state::objects::Objects;
use weft_testkit::bus::{connected, options, soon};
use weft_testkit::nats_server::{HUB_DOMAIN, NatsServer, start_leaf_and_hub};

async fn host(server: &NatsServer, domain: Option<&str>) -> Bus {
    let options = NatsOptions {
        jetstream_domain: domain.map(str::to_owned),
        ..options(server, "a")
    };
    let bus = connect(Scope::new("test").unwrap(), &options)
        .await
        .unwrap();
    connected(&bus).await;
    bus
}

fn records(bus: &Bus) -> Records {
    Records::open(bus, "desired", &BucketOptions::default()).unwrap()
}

/// Waits until the leaf node has reached its hub.
async fn reached(records: &Records) {
    soon(async { while records.list().await.is_err() {} }).await;
}

#[tokio::test]
async fn a_host_on_a_leaf_node_shares_the_records_of_the_hub() {
    let (leaf, hub) = start_leaf_and_hub();
    let on_hub = records(&host(&hub, None).await);
    let on_leaf = records(&host(&leaf, Some(HUB_DOMAIN)).await);
    reached(&on_leaf).await;
    let shop = Key::new(&["apps", "shop"]).unwrap();
    let mut watch = on_leaf.watch();
    while !matches!(soon(watch.next()).await, Some(WatchEvent::Complete)) {}
    let put = on_leaf.put(&shop, Bytes::from("1"), Revision::NONE);
    let first = put.await.unwrap();
    let record = on_hub.get(&shop).await.unwrap().unwrap();
    assert_eq!((record.revision, record.value), (first, Bytes::from("1")));
    let second = on_hub.put(&shop, Bytes::from("2"), first).await.unwrap();
    let conflict = on_leaf.put(&shop, Bytes::from("3"), first).await;
    assert!(matches!(conflict, Err(PutError::Conflict { .. })));
    for revision in [first, second] {
        match soon(watch.next()).await {
            Some(WatchEvent::Record { record, .. }) => assert_eq!(record.revision, revision),
            other => panic!("expected a record, found {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_host_on_a_leaf_node_shares_the_objects_of_the_hub() {
    let (leaf, hub) = start_leaf_and_hub();
    let open = |bus: &Bus| Objects::open(bus, "objects", &BucketOptions::default()).unwrap();
    let (on_hub, on_leaf) = (host(&hub, None).await, host(&leaf, Some(HUB_DOMAIN)).await);
    reached(&records(&on_leaf)).await;
    let (on_hub, on_leaf) = (open(&on_hub), open(&on_leaf));
    for (from, to) in [(&on_leaf, &on_hub), (&on_hub, &on_leaf)] {
        let bytes = Bytes::from(vec![7; 1_000_001]);
        let digest = soon(from.put(bytes.clone())).await.unwrap();
        assert_eq!(digest, Digest::of(&bytes));
        assert_eq!(soon(to.get(&digest)).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_host_on_a_leaf_node_without_the_domain_gets_an_error_that_names_the_option() {
    let (leaf, _hub) = start_leaf_and_hub();
    let records = records(&host(&leaf, None).await);
    let error = records.list().await.unwrap_err();
    assert!(matches!(error, BucketError::NoJetStream { .. }), "{error}");
    assert!(error.to_string().contains("--nats-domain"), "{error}");
}

#[tokio::test]
async fn a_domain_that_is_no_part_of_a_subject_is_rejected() {
    let (leaf, _hub) = start_leaf_and_hub();
    for domain in ["", "a.b", "*", ">", "a b", "a\r\n"] {
        let options = NatsOptions {
            jetstream_domain: Some(domain.to_owned()),
            ..options(&leaf, "a")
        };
        let error = connect(Scope::new("test").unwrap(), &options).await.err();
        assert!(
            matches!(error, Some(NatsError::Domain { .. })),
            "{domain:?}"
        );
    }
}

/// The longest time for an operation that waits for nothing: the limit of a request is five
/// seconds.
const AT_ONCE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn the_first_operation_on_a_new_bucket_may_be_a_write() {
    let (leaf, hub) = start_leaf_and_hub();
    let on_leaf = host(&leaf, Some(HUB_DOMAIN)).await;
    reached(&records(&on_leaf)).await;
    let on_hub = host(&hub, None).await;
    let shop = Key::new(&["apps", "shop"]).unwrap();
    for number in 0..20 {
        let open = |bus: &Bus| {
            let name = format!("new{number}");
            Records::open(bus, &name, &BucketOptions::default()).unwrap()
        };
        let records = open(&on_leaf);
        let put = records.put(&shop, Bytes::from("1"), Revision::NONE);
        let revision = timeout(AT_ONCE, put).await.unwrap().unwrap();
        // It was applied once.
        assert_eq!(revision, Revision(1), "bucket {number}");
        let record = open(&on_hub).get(&shop).await.unwrap().unwrap();
        assert_eq!(record.revision, revision);
        let again = records.put(&shop, Bytes::from("2"), revision);
        assert_eq!(timeout(AT_ONCE, again).await.unwrap().unwrap(), Revision(2));
    }
}
