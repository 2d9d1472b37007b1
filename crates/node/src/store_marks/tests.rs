//! The memory of stores, on whole hosts with an in-process bus, in paused time.

use weft_bus::local::JetStreamContent;
use weft_provider::stores::{MarkedStore, StoreGuard};

use super::*;
use crate::test_support::{TestHost, TestLattice, wait_for};

fn name() -> StoreName {
    StoreName {
        app: "shop".to_owned(),
        provider: "orders".to_owned(),
        place: "lattice/weft-kv__test__shop__orders".to_owned(),
    }
}

fn marks(host: &TestHost) -> &StoreMarks {
    host.controller.store_marks()
}

async fn wait_for_mark(host: &TestHost, is_so: impl Fn(&StoreMark) -> bool) {
    let key = key(&name()).unwrap();
    let replica = host.joined.replica();
    wait_for(&replica, |replica| {
        replica.marks().get(&key).is_some_and(&is_so)
    })
    .await;
}

/// The kinds of the events about the shop, the oldest first.
fn events_of(host: &TestHost) -> Vec<String> {
    let events = host
        .events
        .tail(usize::MAX, |event| event.app.as_deref() == Some("shop"));
    events.into_iter().map(|event| event.kind).collect()
}

/// A store with a fixed mark, or none.
struct TestStore(Option<&'static str>);

#[async_trait]
impl MarkedStore for TestStore {
    type Error = std::convert::Infallible;

    async fn mark(&self) -> Result<Option<String>, Self::Error> {
        Ok(self.0.map(str::to_owned))
    }

    async fn make(&self, mark: &str) -> Result<String, Self::Error> {
        Ok(self.0.unwrap_or(mark).to_owned())
    }
}

/// The outcome of a comparison on a host, as text if it fails.
async fn check(host: &TestHost, mark: Option<&'static str>) -> Result<(), String> {
    let memory = Arc::new(marks(host).clone());
    let guard = StoreGuard::new(memory, name(), std::time::Duration::ZERO);
    let checked = guard.check(&TestStore(mark), None).await;
    checked.map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn the_first_of_two_hosts_decides_which_store_is_remembered() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    let store = name();
    let both = tokio::join!(
        marks(&a).remember(&store, "one"),
        marks(&b).remember(&store, "other")
    );
    assert_eq!(both.0, both.1);
    let first = both.0.unwrap();
    assert_eq!(marks(&b).recall(&name(), None).await, Ok(Some(first)));
}

#[tokio::test(start_paused = true)]
async fn a_host_without_the_bucket_concludes_nothing() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    check(&a, Some("one")).await.unwrap();
    wait_for_mark(&b, |mark| mark.mark.as_deref() == Some("one")).await;
    lattice.network.set_jetstream_unreachable(&["a", "b"]);
    let unknown = check(&b, None).await.unwrap_err();
    assert!(
        unknown.contains("is unavailable at the moment"),
        "{unknown}"
    );
    // The copy of the host is enough for the remembered store.
    check(&b, Some("one")).await.unwrap();
    assert_eq!(events_of(&b), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_memory_survives_the_loss_of_the_bucket() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    check(&a, Some("one")).await.unwrap();
    for host in [&a, &b] {
        wait_for_mark(host, |mark| mark.mark.is_some()).await;
    }
    lattice
        .network
        .replace_jetstream(JetStreamContent::default());
    for host in [&a, &b] {
        let lost = check(host, None).await.unwrap_err();
        assert!(lost.contains("missing"), "{lost}");
    }
    // A host without a copy receives it from the refilled bucket.
    let c = lattice.host("c").await;
    wait_for_mark(&c, |mark| mark.mark.as_deref() == Some("one")).await;
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_reported_once_and_known_to_every_host_until_an_operator_agrees() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    let none = marks(&a).accept("shop", "orders").await.unwrap_err();
    assert!(matches!(none, AcceptError::NoStore { .. }));
    check(&a, Some("one")).await.unwrap();
    for host in [&a, &b] {
        wait_for_mark(host, |mark| mark.mark.is_some()).await;
    }
    for _ in 0..2 {
        let lost = check(&a, Some("other")).await.unwrap_err();
        assert!(lost.contains("weft keyvalue accept shop orders"), "{lost}");
    }
    assert_eq!(events_of(&a), ["store-lost"]);
    wait_for_mark(&b, |mark| {
        mark.lost.as_deref() == Some("another store is in its place")
    })
    .await;
    let places = marks(&b).accept("shop", "orders").await.unwrap();
    assert_eq!(places, [name().place]);
    check(&a, Some("other")).await.unwrap();
    assert_eq!(events_of(&a), ["store-lost", "store-found"]);
    wait_for_mark(&b, |mark| {
        mark.mark.as_deref() == Some("other") && mark.lost.is_none()
    })
    .await;
    check(&a, Some("one")).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_back_is_reported_without_an_operator() {
    let lattice = TestLattice::new();
    let a = lattice.host("a").await;
    check(&a, Some("one")).await.unwrap();
    wait_for_mark(&a, |mark| mark.mark.is_some()).await;
    check(&a, None).await.unwrap_err();
    wait_for_mark(&a, |mark| mark.lost.is_some()).await;
    check(&a, Some("one")).await.unwrap();
    wait_for_mark(&a, |mark| mark.lost.is_none()).await;
    assert_eq!(events_of(&a), ["store-lost", "store-found"]);
}
