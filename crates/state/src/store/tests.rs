//! Tests of the database of the desired state.

use super::*;

fn app(name: &str, path: &str) -> App {
    let text = format!(
        r#"{{"apiVersion":"weft.dev/v1alpha1","kind":"App","metadata":{{"name":"{name}"}},
            "spec":{{"components":[{{"name":"web","source":{{"digest":"{}"}}}}],
            "routes":[{{"path":"{path}","to":"web"}}]}}}}"#,
        weft_lattice_config::Digest::of(b"web")
    );
    App::from_json("test", &text).unwrap()
}

fn apps(store: &Store) -> Vec<Deployed> {
    store
        .apps()
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn an_app_survives_reopening_and_counts_its_revisions() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.redb");
    let store = Store::open(&path).unwrap();
    assert_eq!(store.put(&app("shop", "/"), 1).unwrap().revision, 1);
    assert_eq!(store.put(&app("shop", "/new"), 2).unwrap().revision, 2);
    drop(store);
    let stored = apps(&Store::open(&path).unwrap());
    assert_eq!(stored.len(), 1);
    assert_eq!(
        (stored[0].revision, &stored[0].app),
        (2, &app("shop", "/new"))
    );
}

#[test]
fn a_removed_app_leaves_a_tombstone_that_keeps_its_revisions_apart() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().join("state.redb")).unwrap();
    store.put(&app("shop", "/"), 1).unwrap();
    let name: AppName = "shop".parse().unwrap();
    assert_eq!(store.remove(&name, 2).unwrap(), 2);
    assert!(apps(&store).is_empty());
    assert!(matches!(
        store.remove(&name, 3),
        Err(StoreError::Missing { .. })
    ));
    assert_eq!(store.put(&app("shop", "/"), 4).unwrap().revision, 3);
}

#[test]
fn a_copy_is_taken_only_if_it_is_newer() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().join("state.redb")).unwrap();
    let name: AppName = "shop".parse().unwrap();
    let deployed = |revision, path| {
        Record::Deployed(Deployed {
            revision,
            changed_at_ms: 1,
            app: app("shop", path),
        })
    };
    let removed = |revision| Record::Removed {
        revision,
        changed_at_ms: 1,
    };
    // The record, and whether it replaces the one before it.
    let cases = [
        (deployed(7, "/b"), true),
        (deployed(7, "/b"), false),
        (deployed(7, "/a"), false),
        (deployed(3, "/b"), false),
        (removed(6), false),
        (removed(8), true),
        (deployed(8, "/a"), true),
        (removed(8), false),
        (deployed(9, "/b"), true),
    ];
    let mut before = None;
    for (record, is_taken) in cases {
        let stored = Arc::new(record.clone());
        store.keep(&[(name.clone(), stored)], &[]).unwrap();
        let expected = if is_taken { Some(record) } else { before };
        assert_eq!(
            store.all().unwrap().pop().map(|(_, stored)| stored),
            expected
        );
        before = expected;
    }
}

#[test]
fn the_homes_of_stores_are_stored_and_updated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.redb");
    let store = Store::open(&path).unwrap();
    let orders: StoreId = "shop/orders".parse().unwrap();
    for host in ["ha", "hb"] {
        let host: HostId = host.parse().unwrap();
        store.keep(&[], &[(orders.clone(), host)]).unwrap();
    }
    drop(store);
    let homes = Store::open(&path).unwrap().homes().unwrap();
    assert_eq!(homes, [(orders, "hb".parse().unwrap())]);
}

#[test]
fn a_record_of_a_newer_version_stays_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().join("state.redb")).unwrap();
    write(&store, "shop", b"{\"from\":\"the future\"}");
    let removed = Record::Removed {
        revision: 9,
        changed_at_ms: 1,
    };
    let shop: AppName = "shop".parse().unwrap();
    store.keep(&[(shop, Arc::new(removed))], &[]).unwrap();
    let records = store.records().unwrap();
    assert_eq!(records[0].1, b"{\"from\":\"the future\"}");
}

fn write(store: &Store, name: &str, bytes: &[u8]) {
    let written = store.with_database("change", |database| {
        let transaction = database.begin_write()?;
        transaction.open_table(APPS)?.insert(name, bytes)?;
        transaction.commit()?;
        Ok(())
    });
    written.unwrap();
}

#[test]
fn an_invalid_record_hides_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().join("state.redb")).unwrap();
    store.put(&app("good", "/"), 1).unwrap();
    write(&store, "bad", b"{");
    let stored = store.apps().unwrap();
    assert!(matches!(&stored[0], Err(StoreError::Record { app, .. }) if app == "bad"));
    assert!(matches!(&stored[1], Ok(deployed) if deployed.app == app("good", "/")));
}

#[test]
fn a_second_host_on_one_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.redb");
    let _first = Store::open(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::InUse { .. })));
}
