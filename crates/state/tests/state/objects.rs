//! The guarantees of object stores, tested for each implementation.

use bytes::Bytes;
use weft_bus::Bus;
use weft_lattice_config::Digest;
use weft_state::artifacts::ARTIFACT_BYTES_MAX;
use weft_state::buckets::{BucketError, BucketOptions};
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
}

fn open(bus: &Bus) -> Objects {
    Objects::open(bus, "objects", &BucketOptions::default()).unwrap()
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

#[tokio::test]
async fn a_replaced_object_is_refused_and_repaired() {
    let rig = Rig::nats();
    let Rig::Nats(server) = &rig else {
        unreachable!("it is over NATS")
    };
    let objects = open(&rig.join("a").await);
    let digest = objects.put(Bytes::from("bytes")).await.unwrap();
    let foreign = async_nats::connect(server.url()).await.unwrap();
    let foreign = async_nats::jetstream::new(foreign);
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
