//! Whole hosts on the in-process bus, in paused time.

use futures_util::FutureExt as _;
use serde_json::json;
use weft_lattice_config::Digest;
use weft_state::objects::Objects;

use weft_state::desired::Records;

use super::*;
use crate::test_support::{
    TestHost, TestLattice, app, app_name, app_on, app_with, artifact, deployed, reason, serving,
};

/// The record of an app in the bucket.
fn in_bucket(host: &TestHost, app: &str) -> Option<Record> {
    let key = app_key(&app_name(app)).unwrap();
    let records = &host.joined.writer.stores.records;
    let record = records.get(&key).now_or_never().unwrap().unwrap()?;
    match record_codec::decode(&key, &record.value) {
        DecodedRecord::App(_, record) => Some(record),
        other => panic!("{other:?}"),
    }
}

fn objects(host: &TestHost) -> &Objects {
    host.joined.writer.stores.objects.as_ref().unwrap()
}

/// Writes a record as another host does, over any record that is there.
fn write(records: &Records, app: &str, record: &Record) {
    let key = app_key(&app_name(app)).unwrap();
    let current = records.get(&key).now_or_never().unwrap().unwrap();
    let current = current.map_or(Revision::NONE, |current| current.revision);
    let value = record_codec::encode_app(record).unwrap();
    let put = records.put(&key, value, current);
    put.now_or_never().unwrap().unwrap();
}

/// Deploys an app, and calls `interrupt` between the read of the old record and the write of the
/// new one.
async fn deploy_and_interrupt(
    lattice: &TestLattice,
    host: &TestHost,
    app: App,
    mut interrupt: impl FnMut() + Send + 'static,
) -> Result<Deployment, DeployError> {
    lattice.network.set_write_filter(Box::new(move |_, _, _| {
        interrupt();
        true
    }));
    host.joined.deploy(app).await
}

#[tokio::test(start_paused = true)]
async fn a_deploy_is_written_and_returns_once_this_host_follows() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    let first = a.joined.deploy(app("shop", 1)).await.unwrap();
    assert_eq!(first.changes, ["new app `shop`"]);
    assert_eq!(first.deployed.revision, 1);
    assert_eq!(a.response("shop").await.unwrap(), "shop/cart 1");
    let second = a.joined.deploy(app("shop", 2)).await.unwrap();
    assert_eq!(second.deployed.revision, 2);
    assert_eq!(a.response("shop").await.unwrap(), "shop/cart 2");
    assert_eq!(
        in_bucket(&a, "shop"),
        Some(Record::Deployed(second.deployed))
    );
}

#[tokio::test(start_paused = true)]
async fn a_deploy_uploads_the_artifacts_for_other_hosts() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    let (digest, bytes) = artifact("shop");
    let uploaded = objects(&a).get(&digest).await.unwrap();
    assert_eq!(&uploaded[..], bytes);
    b.wait_for_app("shop", 1).await;
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 1");
}

#[tokio::test(start_paused = true)]
async fn the_artifacts_that_a_client_has_uploaded_are_here_for_the_check() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    let (digest, bytes) = artifact("shop");
    let objects = objects(&a);
    objects.put(bytes.into()).await.unwrap();
    // The check fails, so nothing but the deploy has a reason to download.
    a.runtime.break_app(&app_name("shop"));
    a.joined.deploy(app("shop", 1)).await.unwrap_err();
    assert!(a.artifacts.contains(&digest));
}

#[tokio::test(start_paused = true)]
async fn a_deploy_that_changes_nothing_writes_nothing() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    let first = a.joined.deploy(app("shop", 1)).await.unwrap();
    let again = a.joined.deploy(app("shop", 1)).await.unwrap();
    assert_eq!(again.deployed, first.deployed);
    assert_eq!(again.changes, [""; 0]);
    assert_eq!(
        in_bucket(&a, "shop"),
        Some(Record::Deployed(first.deployed))
    );
}

#[tokio::test(start_paused = true)]
async fn an_app_that_does_not_run_is_not_written() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    a.runtime.break_app(&app_name("shop"));
    let error = a.joined.deploy(app("shop", 1)).await.unwrap_err();
    let reason = reason(&error);
    assert!(matches!(reason, DeployError::Prepare(_)), "{error:?}");
    assert_eq!(in_bucket(&a, "shop"), None);
    let objects = objects(&a);
    assert!(!objects.has(&artifact("shop").0).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_change_is_a_conflict_and_stays() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    let competitor = deployed(1, app_on("b", "shop", 7));
    let (records, record) = (a.joined.writer.stores.records.clone(), competitor.clone());
    let compete = move || write(&records, "shop", &record);
    let error = deploy_and_interrupt(&lattice, &a, app("shop", 1), compete).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "app `shop` was changed by another deploy at the same time; compare with the current \
         revision, and deploy again"
    );
    assert_eq!(in_bucket(&a, "shop"), Some(competitor));
    assert_eq!(a.response("shop").await, None);
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_bucket_takes_no_change() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    let first = a.joined.deploy(app_on("a", "shop", 1)).await.unwrap();
    lattice.network.set_jetstream_unreachable(&["a"]);
    let expected = "cannot reach the desired-state bucket: nothing was changed, running apps are \
                    unaffected; retry when NATS is back";
    let error = a.joined.deploy(app_on("a", "shop", 2)).await.unwrap_err();
    assert_eq!(error.to_string(), expected);
    let error = a.joined.undeploy(app_name("shop")).await.unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert_eq!(
        in_bucket(&b, "shop"),
        Some(Record::Deployed(first.deployed))
    );
    assert_eq!(a.response("shop").await.unwrap(), "shop/cart 1");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_lost_during_a_deploy_is_reported_and_unchanged() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    a.store_artifact("shop");
    let network = lattice.network.clone();
    let lose = move || network.set_jetstream_unreachable(&["a"]);
    let error = deploy_and_interrupt(&lattice, &a, app("shop", 1), lose).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, DeployError::Lattice(ChangeError::Put { .. })),
        "{error:?}"
    );
    assert_eq!(in_bucket(&b, "shop"), None);
    assert_eq!(serving(&a.controller.snapshot(), "shop"), None);
}

#[tokio::test(start_paused = true)]
async fn an_app_is_undeployed_once() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app("shop", 1)).await.unwrap();
    assert_eq!(a.joined.undeploy(app_name("shop")).await.unwrap(), 2);
    assert_eq!(serving(&a.controller.snapshot(), "shop"), None);
    let error = a.joined.undeploy(app_name("shop")).await.unwrap_err();
    assert_eq!(error.to_string(), "no app `shop` is deployed");
    let record = in_bucket(&a, "shop").unwrap();
    assert!(
        matches!(record, Record::Removed { revision: 2, .. }),
        "{record:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_app_that_was_never_deployed_cannot_be_undeployed() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    let error = a.joined.undeploy(app_name("shop")).await.unwrap_err();
    assert_eq!(error.to_string(), "no app `shop` is deployed");
    assert_eq!(in_bucket(&a, "shop"), None);
}

#[tokio::test(start_paused = true)]
async fn a_deploy_after_a_removal_has_a_later_revision() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    a.joined.deploy(app("shop", 1)).await.unwrap();
    a.joined.undeploy(app_name("shop")).await.unwrap();
    let again = a.joined.deploy(app("shop", 1)).await.unwrap();
    assert_eq!(again.deployed.revision, 3);
    assert_eq!(a.response("shop").await.unwrap(), "shop/cart 1");
}

#[tokio::test(start_paused = true)]
async fn a_deploy_to_a_bucket_that_lost_the_app_has_a_later_revision() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    // The bucket is empty, and not refilled from this replica yet.
    let records = [(app_name("shop"), deployed(4, app("shop", 4)))];
    let replica = DesiredReplica::new(records, []);
    let writer = DesiredWriter {
        replica: watch::Sender::new(Arc::new(replica)).subscribe(),
        ..a.joined.writer.clone()
    };
    let deployment = writer
        .deploy(app("shop", 5), Unreadable::Refuse)
        .await
        .unwrap();
    assert_eq!(deployment.deployed.revision, 5);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_a_newer_version_is_not_overwritten() {
    let lattice = TestLattice::new();
    let [a] = lattice.hosts(["a"]).await;
    a.store_artifact("shop");
    let key = app_key(&app_name("shop")).unwrap();
    let records = &a.joined.writer.stores.records;
    let newer = Bytes::from_static(br#"{"paused":{}}"#);
    records
        .put(&key, newer.clone(), Revision::NONE)
        .await
        .unwrap();
    let error = a.joined.deploy(app("shop", 1)).await.unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("cannot be read by this version of weft"),
        "{error}"
    );
    assert_eq!(records.get(&key).await.unwrap().unwrap().value, newer);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_of_the_bucket_is_replaced_on_every_host_by_a_forced_deploy() {
    let lattice = TestLattice::new();
    let [a, b] = lattice.hosts(["a", "b"]).await;
    for host in [&a, &b] {
        host.store_artifact("shop");
    }
    a.joined.deploy(app_on("b", "shop", 1)).await.unwrap();
    b.wait_for_app("shop", 1).await;
    let records = &a.joined.writer.stores.records;
    let key = app_key(&app_name("shop")).unwrap();
    let at = records.get(&key).await.unwrap().unwrap().revision;
    records
        .put(&key, Bytes::from_static(b"{\"deployed"), at)
        .await
        .unwrap();
    let error = a.joined.deploy(app_on("b", "shop", 2)).await.unwrap_err();
    assert!(error.to_string().contains("--force"), "{error}");
    // What runs goes on meanwhile.
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 1");
    let forced = a.joined.deploy_over_damage(app_on("b", "shop", 2)).await;
    // The revision follows the one in the replica of the host.
    assert_eq!(forced.unwrap().deployed.revision, 2);
    b.wait_for_app("shop", 2).await;
    assert_eq!(b.response("shop").await.unwrap(), "shop/cart 2");
    a.joined.undeploy(app_name("shop")).await.unwrap();
}

#[test]
fn a_host_alone_takes_no_more_components_than_placement_gives_a_host() {
    let many = |name: &str, count: usize| {
        let components = (0..count).map(|number| {
            let digest = Digest::of(b"cart");
            json!({ "name": format!("c{number}"), "source": { "digest": digest } })
        });
        app_with(
            name,
            1,
            &json!({ "components": components.collect::<Vec<_>>() }),
        )
    };
    let apps = [("a", 3000), ("b", 900)];
    let apps = apps.map(|(name, count)| (app_name(name), deployed(1, many(name, count))));
    let replica = DesiredReplica::new(apps, []);
    check_count(&replica, &many("c", 100)).unwrap();
    // The revision before is replaced.
    check_count(&replica, &many("b", 1000)).unwrap();
    let error = check_count(&replica, &many("c", 101)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("expected at most 4000, found 4001 with app `c`"),
        "{text}"
    );
}
