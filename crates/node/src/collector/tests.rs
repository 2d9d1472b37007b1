//! Whole hosts on the in-process bus, in paused time.

use std::fs::{File, FileTimes};
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::json;
use weft_state::desired::record_codec::app_key;
use weft_state::desired::{Records, Revision};

use super::*;
use crate::test_support::{TestHost, TestLattice, app_name, app_with, wait_for};

const NOW: CollectionOptions = CollectionOptions {
    grace: Duration::ZERO,
    is_dry_run: false,
};

/// No component.
const NONE: Vec<&str> = Vec::new();

fn digest(component: &str) -> Digest {
    Digest::of(component.as_bytes())
}

/// An app `shop` with one component, whose bytes are its text.
fn shop(revision: u64, component: &str) -> App {
    let cart = json!({ "name": "cart", "source": { "digest": digest(component) } });
    app_with("shop", revision, &json!({ "components": [cart] }))
}

/// Deploys revisions of `shop`, one for each of these components.
async fn deploy(host: &TestHost, components: &[&str]) {
    for component in components {
        let bytes = component.as_bytes();
        host.artifacts.put(&digest(component), bytes).unwrap();
        let revision = host
            .joined
            .replica
            .borrow()
            .apps()
            .get(&app_name("shop"))
            .cloned();
        let revision = revision.map_or(1, |record| record.revision() + 1);
        host.joined.deploy(shop(revision, component)).await.unwrap();
    }
}

async fn collect(host: &TestHost, options: CollectionOptions) -> Collection {
    wait_for(&host.joined.membership, |membership| {
        membership.pause.is_none()
    })
    .await;
    host.joined.collector.collect(options).await.unwrap()
}

fn objects(host: &TestHost) -> &Objects {
    host.joined.writer.stores.objects.as_ref().unwrap()
}

/// The components among `all` that are on the disk of a host, and in the object store.
async fn stored<'a>(host: &TestHost, all: &[&'a str]) -> [Vec<&'a str>; 2] {
    let mut in_store = Vec::new();
    for component in all {
        if objects(host).has(&digest(component)).await.unwrap() {
            in_store.push(*component);
        }
    }
    let on_disk = all.iter().copied();
    let on_disk = on_disk.filter(|component| host.artifacts.contains(&digest(component)));
    [on_disk.collect(), in_store]
}

/// Waits until a host has an artifact on its disk.
async fn wait_for_artifact(host: &TestHost, component: &str) {
    let until = Instant::now() + Duration::from_mins(2);
    while !host.artifacts.contains(&digest(component)) {
        assert!(Instant::now() < until, "`{component}` does not arrive");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_current_and_the_previous_revision_stay_and_older_ones_are_deleted_everywhere() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    let all = ["one", "two", "three", "four"];
    for component in all {
        deploy(&a, &[component]).await;
        wait_for_artifact(&b, component).await;
    }
    let both = tokio::join!(collect(&a, NOW), collect(&b, NOW));
    for (host, collection) in [(&a, &both.0), (&b, &both.1)] {
        assert_eq!(collection.held, None);
        assert_eq!(collection.artifacts.deleted, 2, "{collection:?}");
        assert_eq!(collection.artifacts.stored_bytes, "threefour".len() as u64);
        let left = ["three", "four"].to_vec();
        assert_eq!(stored(host, &all).await, [left.clone(), left]);
    }
    let objects = [&both.0, &both.1].map(|collection| collection.objects.clone().unwrap());
    assert_eq!(objects[0].deleted + objects[1].deleted, 2, "{objects:?}");
    assert_eq!([&objects[0].error, &objects[1].error], [&None, &None]);
    let disk_use = a.joined.collector.disk_use();
    assert_eq!(disk_use.artifacts_bytes, "threefour".len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_revision_can_be_deployed_again() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    for component in ["one", "two", "three"] {
        deploy(&a, &[component]).await;
        wait_for_artifact(&b, component).await;
    }
    tokio::join!(collect(&a, NOW), collect(&b, NOW));
    assert_eq!(stored(&b, &["one"]).await, [NONE, NONE]);
    deploy(&a, &["one"]).await;
    wait_for_artifact(&b, "one").await;
    for host in [&a, &b] {
        assert_eq!(stored(host, &["one"]).await, [vec!["one"], vec!["one"]]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_uploaded_a_moment_ago_and_what_a_dry_run_finds_stays() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    deploy(&a, &["one"]).await;
    a.joined.undeploy(app_name("shop")).await.unwrap();
    let hour = CollectionOptions {
        grace: GRACE,
        ..NOW
    };
    let collection = collect(&a, hour).await;
    assert_eq!(collection.freed_bytes(), 0, "{collection:?}");
    let dry_run = CollectionOptions {
        is_dry_run: true,
        ..NOW
    };
    let collection = collect(&a, dry_run).await;
    assert_eq!(collection.artifacts.deleted, 1);
    assert_eq!(
        collection.artifacts.entries[0].name,
        digest("one").to_string()
    );
    assert_eq!(
        collection.freed_bytes(),
        6,
        "on the disk and in the object store"
    );
    assert_eq!(stored(&a, &["one"]).await, [vec!["one"], vec!["one"]]);
    collect(&a, NOW).await;
    assert_eq!(stored(&a, &["one"]).await, [NONE, NONE]);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_runs_is_needed_although_later_ones_do_not_start() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    deploy(&a, &["one"]).await;
    a.wait_for_app("shop", 1).await;
    let records = &a.joined.writer.stores.records;
    a.runtime.break_app(&app_name("shop"));
    for (revision, component) in [(2, "two"), (3, "three")] {
        a.artifacts
            .put(&digest(component), component.as_bytes())
            .unwrap();
        write(
            records,
            &crate::test_support::deployed(revision, shop(revision, component)),
        )
        .await;
        let is_tried = |snapshot: &Arc<Snapshot>| {
            let failed = snapshot.failed.get("shop");
            failed.is_some_and(|failed| failed.deployed.revision == revision)
        };
        wait_for(&a.controller.watch(), is_tried).await;
    }
    collect(&a, NOW).await;
    let [on_disk, _] = stored(&a, &["one", "two", "three"]).await;
    // The records name no revisions before them, as those of an older release.
    assert_eq!(on_disk, ["one", "three"]);
}

/// Writes a record of `shop` as another host does.
async fn write(records: &Records, record: &weft_state::store::Record) {
    let value = weft_state::desired::record_codec::encode_app(record).unwrap();
    write_bytes(records, value).await;
}

async fn write_bytes(records: &Records, value: Bytes) {
    let key = app_key(&app_name("shop")).unwrap();
    let current = records.get(&key).await.unwrap();
    let current = current.map_or(Revision::NONE, |current| current.revision);
    records.put(&key, value, current).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_know_all_that_is_desired_deletes_nothing() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.artifacts.put(&digest("unused"), b"unused").unwrap();
    let is_caught_up = |caught_up: bool| {
        let a = &a;
        async move {
            let until = Instant::now() + Duration::from_mins(2);
            loop {
                let dry_run = CollectionOptions {
                    is_dry_run: true,
                    ..NOW
                };
                let collection = a.joined.collector.collect(dry_run).await.unwrap();
                if collection.held.is_none() == caught_up {
                    return;
                }
                assert!(Instant::now() < until, "{:?}", collection.held);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    is_caught_up(true).await;
    lattice.network.set_jetstream_unreachable(&["a", "b"]);
    is_caught_up(false).await;
    assert_eq!(
        a.joined.collector.collect(NOW).await.unwrap().freed_bytes(),
        0
    );
    lattice.network.set_jetstream_unreachable(&[]);
    is_caught_up(true).await;
    lattice.network.disconnect("a");
    is_caught_up(false).await;
    assert_eq!(
        a.joined.collector.collect(NOW).await.unwrap().freed_bytes(),
        0
    );
    lattice.network.connect("a");
    is_caught_up(true).await;
    // A record of a newer release may name any artifact.
    write_bytes(
        &b.joined.writer.stores.records,
        br#"{"paused":{}}"#[..].into(),
    )
    .await;
    is_caught_up(false).await;
    assert_eq!(
        a.joined.collector.collect(NOW).await.unwrap().freed_bytes(),
        0
    );
    assert!(a.artifacts.contains(&digest("unused")));
}

#[tokio::test(start_paused = true)]
async fn a_host_collects_by_itself_what_is_older_than_the_grace_time() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    for component in ["old", "new"] {
        a.artifacts
            .put(&digest(component), component.as_bytes())
            .unwrap();
    }
    let old = a
        .artifacts
        .directory()
        .join(format!("{}.wasm", digest("old").hex()));
    let modified = SystemTime::now() - GRACE;
    let times = FileTimes::new().set_modified(modified);
    File::open(old).unwrap().set_times(times).unwrap();
    tokio::time::sleep(COLLECT_EVERY * 2 + Duration::from_secs(1)).await;
    assert_eq!(stored(&a, &["old", "new"]).await[0], ["new"]);
}
