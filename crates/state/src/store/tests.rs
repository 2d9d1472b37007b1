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

fn deployed(revision: u64, app: App) -> Record {
    Record::Deployed(Deployed {
        revision,
        changed_at_ms: 1,
        app,
        claimed_at_ms: BTreeMap::new(),
        previous: BTreeSet::new(),
    })
}

#[test]
fn a_record_survives_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.redb");
    let store = Store::open(&path).unwrap();
    let shop: AppName = "shop".parse().unwrap();
    let record = Arc::new(deployed(2, app("shop", "/new")));
    store.keep(&[(shop.clone(), record.clone())], &[]).unwrap();
    drop(store);
    let stored = Store::open(&path).unwrap().all().unwrap();
    assert_eq!(stored, [(shop, Record::clone(&record))]);
}

#[test]
fn a_copy_is_taken_only_if_it_is_newer() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().join("state.redb")).unwrap();
    let name: AppName = "shop".parse().unwrap();
    let deployed = |revision, path| deployed(revision, app("shop", path));
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
    store.write("shop", b"{\"from\":\"the future\"}");
    let removed = Record::Removed {
        revision: 9,
        changed_at_ms: 1,
    };
    let shop: AppName = "shop".parse().unwrap();
    store.keep(&[(shop, Arc::new(removed))], &[]).unwrap();
    let records = store.records().unwrap();
    assert_eq!(records[0].1, b"{\"from\":\"the future\"}");
}

#[test]
fn a_damaged_record_and_one_of_an_earlier_revision_are_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().join("state.redb")).unwrap();
    let cases: [(&[u8], bool); 4] = [
        (b"{\"deployed\":{\"revi", true),
        (b"", true),
        (b"{\"paused\":{\"revision\":8}}", true),
        (b"{\"paused\":{\"revision\":9}}", false),
    ];
    let removed = Record::Removed {
        revision: 9,
        changed_at_ms: 1,
    };
    for (stored, is_replaced) in cases {
        store.write("shop", stored);
        let shop: AppName = "shop".parse().unwrap();
        store
            .keep(&[(shop, Arc::new(removed.clone()))], &[])
            .unwrap();
        let is_removed = store
            .all()
            .unwrap()
            .iter()
            .any(|(_, record)| *record == removed);
        assert_eq!(
            is_removed,
            is_replaced,
            "{}",
            String::from_utf8_lossy(stored)
        );
    }
}

#[test]
fn claims_to_routes_go_on_while_the_app_has_the_route() {
    let first = Deployed::after(None, 1, 10, app("shop", "/a"));
    let since = |deployed: &Deployed| deployed.claims().next().map(|claim| claim.since);
    assert_eq!(since(&first), Some(10));
    let first = Record::Deployed(first);
    let second = Deployed::after(Some(&first), 2, 20, app("shop", "/a"));
    assert_eq!(since(&second), Some(10));
    let second = Record::Deployed(second);
    let third = Deployed::after(Some(&second), 3, 30, app("shop", "/a"));
    assert_eq!(since(&third), Some(10));
    let other_route = Deployed::after(Some(&second), 3, 30, app("shop", "/b"));
    assert_eq!(since(&other_route), Some(30));
    let removed = Record::Removed {
        revision: 4,
        changed_at_ms: 40,
    };
    let again = Deployed::after(Some(&removed), 5, 50, app("shop", "/a"));
    assert_eq!(since(&again), Some(50));
}

impl Store {
    /// Writes any bytes as the record of an app.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let written = self.with_database("change", |database| {
            let transaction = database.begin_write()?;
            transaction.open_table(APPS)?.insert(name, bytes)?;
            transaction.commit()?;
            Ok(())
        });
        written.unwrap();
    }

    /// Closes the file, as a failure of the disk does.
    pub(crate) fn close(&self) {
        self.database.lock().unwrap().take();
    }
}

#[test]
fn an_invalid_record_hides_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().join("state.redb")).unwrap();
    let good = Arc::new(deployed(1, app("good", "/")));
    let name: AppName = "good".parse().unwrap();
    store.keep(&[(name.clone(), good.clone())], &[]).unwrap();
    store.write("bad", b"{");
    assert_eq!(store.all().unwrap(), [(name, Record::clone(&good))]);
}

#[test]
fn a_second_host_on_one_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.redb");
    let _first = Store::open(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::InUse { .. })));
}

#[test]
fn a_revision_names_the_artifacts_that_only_the_revision_before_has() {
    let digest = |text: &str| weft_lattice_config::Digest::of(text.as_bytes());
    let app = |components: &[&str]| {
        let components = components.iter().map(|name| {
            let digest = digest(name);
            format!(r#"{{"name":"{name}","source":{{"digest":"{digest}"}}}}"#)
        });
        let components = components.collect::<Vec<_>>().join(",");
        let text = format!(
            r#"{{"apiVersion":"weft.dev/v1alpha1","kind":"App","metadata":{{"name":"shop"}},
                "spec":{{"components":[{components}]}}}}"#
        );
        App::from_json("test", &text).unwrap()
    };
    let first = Deployed::after(None, 1, 10, app(&["web", "cart"]));
    assert_eq!(first.previous, BTreeSet::new());
    let second = Deployed::after(Some(&Record::Deployed(first)), 2, 20, app(&["web", "till"]));
    assert_eq!(second.previous, [digest("cart")].into());
    let second = Record::Deployed(second);
    let third = Deployed::after(Some(&second), 3, 30, app(&["web"]));
    assert_eq!(third.previous, [digest("till")].into());
    // A record of an older release has no such field.
    let mut text = serde_json::to_value(&second).unwrap();
    let record = text["deployed"].as_object_mut().unwrap();
    assert!(record.remove("previous").is_some());
    let Record::Deployed(old) = serde_json::from_value(text).unwrap() else {
        panic!("it is deployed")
    };
    assert_eq!(old.previous, BTreeSet::new());
}
