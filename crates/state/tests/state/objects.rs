//! The guarantees of object stores, tested for each implementation.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use weft_bus::Bus;
use weft_lattice_config::Digest;
use weft_state::artifacts::ARTIFACT_BYTES_MAX;
use weft_state::buckets::{BucketError, BucketOptions};
use weft_state::collection::RENEW_AFTER;
use weft_state::objects::{ObjectError, Objects};

use weft_testkit::bus::{Rig, disconnected, soon};

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
    bytes_are_read_as_they_were_written
    bytes_that_are_not_there_are_missing
    an_object_over_the_limit_is_refused
    an_unavailable_store_is_reported
    two_hosts_delete_an_object_once
    an_object_that_was_written_again_is_not_deleted
}

fn open(bus: &Bus) -> Objects {
    Objects::open(bus, "objects", &BucketOptions::default()).unwrap()
}

/// JetStream as another client of the server uses it.
async fn foreign(rig: &Rig) -> async_nats::jetstream::Context {
    let Rig::Nats(server) = rig else {
        unreachable!("it is over NATS")
    };
    let client = async_nats::connect(server.url()).await.unwrap();
    async_nats::jetstream::new(client)
}

async fn bytes_are_read_as_they_were_written(rig: Rig) {
    let (one, two) = (open(&rig.join("a").await), open(&rig.join("b").await));
    for size in [0, 1, 60_000, 3_000_001] {
        let bytes: Vec<u8> = (0..size).map(|index| (index * 31 % 251) as u8).collect();
        let bytes = Bytes::from(bytes);
        let digest = Digest::of(&bytes);
        assert!(!two.has(&digest).await.unwrap());
        assert_eq!(soon(one.put(bytes.clone())).await.unwrap(), digest);
        assert!(two.has(&digest).await.unwrap());
        assert_eq!(soon(two.get(&digest)).await.unwrap(), bytes);
        // Storing the same bytes again changes nothing.
        assert_eq!(soon(two.put(bytes)).await.unwrap(), digest);
    }
}

async fn bytes_that_are_not_there_are_missing(rig: Rig) {
    let objects = open(&rig.join("a").await);
    let missing = objects.get(&Digest::of(b"nothing")).await;
    assert!(matches!(missing, Err(ObjectError::Missing { .. })));
}

async fn an_object_over_the_limit_is_refused(rig: Rig) {
    let objects = open(&rig.join("a").await);
    let large = Bytes::from(vec![0; ARTIFACT_BYTES_MAX + 1]);
    assert!(matches!(
        objects.put(large).await,
        Err(ObjectError::TooLarge { .. })
    ));
}

async fn an_unavailable_store_is_reported(mut rig: Rig) {
    let bus = rig.join("a").await;
    let objects = open(&bus);
    let digest = objects.put(Bytes::from("bytes")).await.unwrap();
    rig.cut(&["a"]);
    disconnected(&bus).await;
    let read = soon(objects.get(&digest)).await;
    assert!(
        matches!(
            read,
            Err(ObjectError::Store(BucketError::Unavailable { .. }))
        ),
        "{read:?}"
    );
    let known = soon(objects.has(&digest)).await;
    assert!(
        matches!(known, Err(BucketError::Unavailable { .. })),
        "{known:?}"
    );
}

async fn two_hosts_delete_an_object_once(rig: Rig) {
    let (one, two) = (open(&rig.join("a").await), open(&rig.join("b").await));
    let bytes = Bytes::from(vec![7; 300_000]);
    let digest = one.put(bytes.clone()).await.unwrap();
    let other = one.put(Bytes::from("other")).await.unwrap();
    let listed = soon(two.list()).await.unwrap();
    let sizes = listed
        .iter()
        .map(|object| (&object.entry.digest, object.entry.bytes));
    let sizes: BTreeMap<_, _> = sizes.collect();
    assert_eq!(sizes, [(&digest, 300_000), (&other, 5)].into());
    assert!(listed.iter().all(|object| object.entry.age < RENEW_AFTER));
    let mut listed = listed.iter();
    let object = listed.find(|object| object.entry.digest == digest).unwrap();
    let deletions = tokio::join!(one.delete(object), two.delete(object));
    let deletions = [deletions.0.unwrap(), deletions.1.unwrap()];
    assert_eq!(deletions.iter().filter(|deleted| **deleted).count(), 1);
    assert!(!two.has(&digest).await.unwrap());
    let missing = one.get(&digest).await;
    assert!(
        matches!(missing, Err(ObjectError::Missing { .. })),
        "{missing:?}"
    );
    assert_eq!(soon(two.get(&other)).await.unwrap(), "other");
    assert_eq!(soon(two.list()).await.unwrap().len(), 1);
}

async fn an_object_that_was_written_again_is_not_deleted(rig: Rig) {
    let (one, two) = (open(&rig.join("a").await), open(&rig.join("b").await));
    let bytes = Bytes::from("bytes");
    let digest = one.put(bytes.clone()).await.unwrap();
    let listed = soon(two.list()).await.unwrap();
    assert!(one.delete(&listed[0]).await.unwrap());
    one.put(bytes.clone()).await.unwrap();
    assert!(!two.delete(&listed[0]).await.unwrap());
    assert_eq!(soon(two.get(&digest)).await.unwrap(), bytes);
}

#[tokio::test(start_paused = true)]
async fn an_object_is_written_again_once_it_is_old() {
    let rig = Rig::local();
    let objects = open(&rig.join("a").await);
    let digest = objects.put(Bytes::from("bytes")).await.unwrap();
    tokio::time::advance(RENEW_AFTER).await;
    let old = objects.list().await.unwrap();
    assert_eq!(old[0].entry.age, RENEW_AFTER);
    assert!(!objects.has_recent(&digest).await.unwrap());
    objects.put(Bytes::from("bytes")).await.unwrap();
    assert!(objects.has_recent(&digest).await.unwrap());
    assert!(!objects.delete(&old[0]).await.unwrap());
}

#[tokio::test]
async fn the_bytes_of_an_interrupted_write_are_swept_and_those_of_objects_are_not() {
    let rig = Rig::nats();
    let (objects, foreign) = (open(&rig.join("a").await), foreign(&rig).await);
    let digest = objects.put(Bytes::from("bytes")).await.unwrap();
    let half = foreign.publish("$O.weft-objects-test.C.half", "half".into());
    half.await.unwrap().await.unwrap();
    assert_eq!(soon(objects.sweep(RENEW_AFTER)).await.unwrap(), 0);
    assert_eq!(soon(objects.sweep(Duration::ZERO)).await.unwrap(), 1);
    assert_eq!(soon(objects.sweep(Duration::ZERO)).await.unwrap(), 0);
    assert_eq!(objects.get(&digest).await.unwrap(), "bytes");
}

#[tokio::test]
async fn a_replaced_object_is_refused_and_repaired() {
    let rig = Rig::nats();
    let (objects, foreign) = (open(&rig.join("a").await), foreign(&rig).await);
    let digest = objects.put(Bytes::from("bytes")).await.unwrap();
    let store = foreign.get_object_store("weft-objects-test").await.unwrap();
    store.put(digest.hex(), &mut &b"other"[..]).await.unwrap();
    let damaged = objects.get(&digest).await;
    assert!(
        matches!(damaged, Err(ObjectError::Damaged { .. })),
        "{damaged:?}"
    );
    objects.put(Bytes::from("bytes")).await.unwrap();
    assert_eq!(objects.get(&digest).await.unwrap(), "bytes");
}
