//! The guarantees of buckets of records, tested for each implementation.

use std::collections::BTreeMap;

use bytes::Bytes;
use weft_bus::Bus;
use weft_bus::nats::connect;
use weft_state::buckets::{BucketError, BucketOptions, Storage};
use weft_state::desired::{Key, PutError, Records, Revision, Watch, WatchEvent};

use weft_testkit::bus::{MAX_PAYLOAD, Rig, connected, disconnected, options, soon};
use weft_testkit::nats_server::start_nats_without_jetstream;

macro_rules! for_each_store {
    ($($behaviour:ident)*) => {
        mod over_nats {
            $(#[tokio::test] async fn $behaviour() {
                super::$behaviour(super::Rig::nats()).await;
            })*
        }

        mod in_one_process {
            $(#[tokio::test] async fn $behaviour() {
                super::$behaviour(super::Rig::local()).await;
            })*
        }
    };
}

for_each_store! {
    a_record_is_read_as_it_was_written
    one_of_two_concurrent_writers_gets_a_conflict
    keys_of_different_names_are_distinct
    a_watch_replays_all_records_and_then_sends_changes
    lattices_do_not_share_records
    an_unavailable_bucket_is_reported_and_returns
    a_bucket_that_comes_back_empty_is_refilled
    a_record_over_the_limit_is_refused
    an_invalid_bucket_name_is_refused
}

fn open(bus: &Bus) -> Records {
    Records::open(bus, "desired", &BucketOptions::default()).unwrap()
}

fn key(names: &[&str]) -> Key {
    Key::new(names).unwrap()
}

fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn a_record_is_read_as_it_was_written(rig: Rig) {
    let (one, two) = (open(&rig.join("a").await), open(&rig.join("b").await));
    let shop = key(&["apps", "shop"]);
    assert_eq!(one.get(&shop).await.unwrap(), None);
    assert_eq!(one.list().await.unwrap(), []);
    let first = one.put(&shop, value("1"), Revision::NONE).await.unwrap();
    let second = two.put(&shop, value("2"), first).await.unwrap();
    assert!(second > first);
    for records in [&one, &two] {
        let record = records.get(&shop).await.unwrap().unwrap();
        assert_eq!((record.revision, record.value), (second, value("2")));
    }
}

async fn one_of_two_concurrent_writers_gets_a_conflict(rig: Rig) {
    let (one, two) = (open(&rig.join("a").await), open(&rig.join("b").await));
    let shop = key(&["apps", "shop"]);
    let mut at = Revision::NONE;
    for round in 0..10 {
        let (ours, theirs) = tokio::join!(
            one.put(&shop, value(&format!("ours {round}")), at),
            two.put(&shop, value(&format!("theirs {round}")), at),
        );
        let (winner, loser) = match (ours, theirs) {
            (Ok(winner), Err(loser)) | (Err(loser), Ok(winner)) => (winner, loser),
            other => panic!("expected one to win, found {other:?}"),
        };
        match loser {
            PutError::Conflict {
                expected, current, ..
            } => {
                assert_eq!((expected, current), (at, winner));
            }
            other => panic!("expected a conflict, found {other:?}"),
        }
        at = winner;
    }
    let other = key(&["apps", "other"]);
    let missing = one.put(&other, value("x"), at).await.unwrap_err();
    assert!(matches!(
        missing,
        PutError::Conflict {
            current: Revision::NONE,
            ..
        }
    ));
}

async fn keys_of_different_names_are_distinct(rig: Rig) {
    let records = open(&rig.join("a").await);
    let names = [
        "a", "A", "a.b", "*", ">", ".", "../a", " ", "\n", "=2A", "ä", "$KV",
    ];
    let mut keys: Vec<Key> = names.iter().map(|name| key(&["apps", name])).collect();
    keys.push(key(&["apps", "a", "b"]));
    for (number, key) in keys.iter().enumerate() {
        let written = records
            .put(key, value(&number.to_string()), Revision::NONE)
            .await;
        written.unwrap();
    }
    let all: BTreeMap<Key, Bytes> = records
        .list()
        .await
        .unwrap()
        .into_iter()
        .map(|(key, record)| (key, record.value))
        .collect();
    assert_eq!(all.len(), keys.len());
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(all[key], number.to_string());
    }
    for (key, name) in keys.iter().zip(names) {
        assert_eq!(key.names().collect::<Vec<_>>(), ["apps", name]);
    }
}

/// Reads up to [`WatchEvent::Complete`], and returns the records.
async fn beginning(watch: &mut Watch) -> BTreeMap<Key, Bytes> {
    let mut all = BTreeMap::new();
    loop {
        match soon(watch.next()).await.expect("the bus is open") {
            WatchEvent::Begins => all.clear(),
            WatchEvent::Record { key, record } => {
                all.insert(key, record.value);
            }
            WatchEvent::Complete => return all,
            WatchEvent::Away => {}
            WatchEvent::Erased { key } => panic!("{key} was erased"),
        }
    }
}

async fn changed(watch: &mut Watch) -> (Key, Revision, Bytes) {
    match soon(watch.next()).await {
        Some(WatchEvent::Record { key, record }) => (key, record.revision, record.value),
        other => panic!("expected a record, found {other:?}"),
    }
}

async fn a_watch_replays_all_records_and_then_sends_changes(rig: Rig) {
    let (one, two) = (open(&rig.join("a").await), open(&rig.join("b").await));
    let mut of_nothing = two.watch();
    assert!(beginning(&mut of_nothing).await.is_empty());
    let (shop, blog) = (key(&["shop"]), key(&["blog"]));
    let first = one.put(&shop, value("1"), Revision::NONE).await.unwrap();
    assert_eq!(
        changed(&mut of_nothing).await,
        (shop.clone(), first, value("1"))
    );
    let mut of_one = two.watch();
    let expected = BTreeMap::from([(shop.clone(), value("1"))]);
    assert_eq!(beginning(&mut of_one).await, expected);
    let second = one.put(&shop, value("2"), first).await.unwrap();
    let third = one.put(&blog, value("3"), Revision::NONE).await.unwrap();
    for watch in [&mut of_nothing, &mut of_one] {
        assert_eq!(changed(watch).await, (shop.clone(), second, value("2")));
        assert_eq!(changed(watch).await, (blog.clone(), third, value("3")));
    }
}

async fn lattices_do_not_share_records(rig: Rig) {
    let shop = key(&["shop"]);
    let one = open(&rig.join_lattice("a", "one").await);
    one.put(&shop, value("1"), Revision::NONE).await.unwrap();
    for lattice in ["two", "one-", "on", "one.x", "*"] {
        let other = open(&rig.join_lattice("b", lattice).await);
        assert_eq!(other.get(&shop).await.unwrap(), None, "{lattice}");
        assert_eq!(other.list().await.unwrap(), [], "{lattice}");
    }
}

async fn an_unavailable_bucket_is_reported_and_returns(mut rig: Rig) {
    let bus = rig.join("a").await;
    let records = open(&bus);
    let shop = key(&["shop"]);
    let first = records
        .put(&shop, value("1"), Revision::NONE)
        .await
        .unwrap();
    let mut watch = records.watch();
    beginning(&mut watch).await;
    rig.cut(&["a"]);
    disconnected(&bus).await;
    let away = soon(records.put(&shop, value("2"), first)).await;
    assert!(matches!(
        away,
        Err(PutError::Store {
            source: BucketError::Unavailable { .. },
            ..
        })
    ));
    assert!(matches!(
        soon(records.get(&shop)).await,
        Err(BucketError::Unavailable { .. })
    ));
    assert_eq!(soon(watch.next()).await, Some(WatchEvent::Away));
    rig.restore(&["a"]);
    connected(&bus).await;
    let expected = BTreeMap::from([(shop.clone(), value("1"))]);
    assert_eq!(beginning(&mut watch).await, expected);
    let second = until_there(&records, &shop, "2", first).await;
    assert_eq!(changed(&mut watch).await, (shop, second, value("2")));
}

/// Writes as soon as the bucket is available: its connection is not the one of the bus.
async fn until_there(records: &Records, key: &Key, text: &str, at: Revision) -> Revision {
    let written = async {
        loop {
            match records.put(key, value(text), at).await {
                Ok(revision) => return revision,
                Err(PutError::Store { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    soon(written).await
}

async fn a_bucket_that_comes_back_empty_is_refilled(mut rig: Rig) {
    let bus = rig.join("a").await;
    let records = open(&bus);
    let shop = key(&["shop"]);
    let old = records
        .put(&shop, value("1"), Revision::NONE)
        .await
        .unwrap();
    let mut watch = records.watch();
    beginning(&mut watch).await;
    rig.cut(&["a"]);
    match &rig {
        Rig::Nats(server) => std::fs::remove_dir_all(server.jetstream_directory()).unwrap(),
        Rig::Local(network) => network.replace_jetstream(Default::default()),
    }
    disconnected(&bus).await;
    rig.restore(&["a"]);
    connected(&bus).await;
    assert!(beginning(&mut watch).await.is_empty());
    let stale = records.put(&shop, value("2"), old).await;
    assert!(matches!(
        stale,
        Err(PutError::Conflict {
            current: Revision::NONE,
            ..
        })
    ));
    let filled = until_there(&records, &shop, "again", Revision::NONE).await;
    assert_eq!(changed(&mut watch).await, (shop, filled, value("again")));
}

async fn a_record_over_the_limit_is_refused(rig: Rig) {
    let records = open(&rig.join("a").await);
    let large = Bytes::from(vec![7; MAX_PAYLOAD + 1]);
    let refused = records.put(&key(&["large"]), large, Revision::NONE).await;
    assert!(matches!(
        refused,
        Err(PutError::TooLarge {
            max: MAX_PAYLOAD,
            ..
        })
    ));
}

async fn an_invalid_bucket_name_is_refused(rig: Rig) {
    let bus = rig.join("a").await;
    for name in ["", "../x", "a.b", "a-b", ">"] {
        let opened = Records::open(&bus, name, &BucketOptions::default());
        assert!(
            matches!(opened, Err(BucketError::InvalidName { .. })),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_server_without_jetstream_is_reported() {
    let server = start_nats_without_jetstream();
    let scope = weft_bus::Scope::new("test").unwrap();
    let bus = connect(scope, &options(&server, "a")).await.unwrap();
    connected(&bus).await;
    let records = open(&bus);
    let refused = async {
        loop {
            match records.get(&key(&["shop"])).await {
                // The connection of the buckets is not the one of the bus.
                Err(BucketError::Unavailable { .. }) => tokio::task::yield_now().await,
                other => return other,
            }
        }
    };
    let error = soon(refused).await.unwrap_err();
    assert!(
        matches!(error, BucketError::NoJetStream { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("nats-server -js"));
}

#[tokio::test]
async fn a_deletion_by_a_foreign_client_is_reported_and_overwritten() {
    let rig = Rig::nats();
    let Rig::Nats(server) = &rig else {
        unreachable!("it is over NATS")
    };
    let records = open(&rig.join("a").await);
    let shop = key(&["shop"]);
    let old = records
        .put(&shop, value("1"), Revision::NONE)
        .await
        .unwrap();
    let mut watch = records.watch();
    beginning(&mut watch).await;
    let foreign = async_nats::connect(server.url()).await.unwrap();
    let foreign = async_nats::jetstream::new(foreign);
    let bucket = foreign.get_key_value("weft-desired-test").await.unwrap();
    assert_eq!(bucket.get("shop").await.unwrap(), Some(value("1")));
    bucket.delete("shop").await.unwrap();
    let erased = WatchEvent::Erased { key: shop.clone() };
    assert_eq!(soon(watch.next()).await, Some(erased));
    assert_eq!(records.get(&shop).await.unwrap(), None);
    let stale = records.put(&shop, value("2"), old).await;
    assert!(matches!(stale, Err(PutError::Conflict { .. })));
    records
        .put(&shop, value("2"), Revision::NONE)
        .await
        .unwrap();
    assert_eq!(records.get(&shop).await.unwrap().unwrap().value, "2");
}

#[tokio::test]
async fn a_bucket_in_memory_with_more_replicas_than_servers_is_refused_with_the_reason() {
    let rig = Rig::nats();
    let bus = rig.join("a").await;
    let three = BucketOptions {
        replicas: 3,
        storage: Storage::Memory,
    };
    let records = Records::open(&bus, "desired", &three).unwrap();
    let refused = records.get(&key(&["shop"])).await;
    assert!(
        matches!(refused, Err(BucketError::Rejected { .. })),
        "{refused:?}"
    );
}
