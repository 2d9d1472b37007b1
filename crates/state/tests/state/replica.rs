//! The guarantees of a host's replica of the desired state.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use weft_lattice_config::placement::{self, HostId, StoreId};
use weft_lattice_config::{App, AppName, Digest};
use weft_membership::message::{Contents, HostState};
use weft_state::desired::record_codec::{app_key, encode_app, encode_home, home_key};
use weft_state::desired::{DesiredReplica, Key, Notice, Record as Stored, Revision, WatchEvent};
use weft_state::store::{Deployed, Record};

use weft_testkit::membership::{LocalHost, OWN, RemoteHost, config, id};

/// The limit of refills that returns all of them.
const ALL: usize = usize::MAX;

fn app(name: &str, path: &str) -> App {
    let digest = Digest::of(b"web");
    let text = format!(
        r#"{{"apiVersion":"weft.dev/v1alpha1","kind":"App","metadata":{{"name":"{name}"}},
            "spec":{{"components":[{{"name":"web","source":{{"digest":"{digest}"}}}}],
            "routes":[{{"path":"{path}","to":"web"}}]}}}}"#,
    );
    App::from_json("test", &text).unwrap()
}

fn deployed(name: &str, revision: u64, path: &str) -> Record {
    Record::Deployed(Deployed {
        revision,
        changed_at_ms: 1,
        app: app(name, path),
        claimed_at_ms: BTreeMap::new(),
        previous: BTreeSet::new(),
    })
}

fn removed(revision: u64) -> Record {
    Record::Removed {
        revision,
        changed_at_ms: 1,
    }
}

fn name(text: &str) -> AppName {
    text.parse().unwrap()
}

/// A bucket as it is on a server.
#[derive(Clone, Debug, Default)]
struct Bucket {
    last: u64,
    records: BTreeMap<Key, (Revision, Bytes)>,
}

impl Bucket {
    fn put(&mut self, key: Key, value: Bytes, expected: Revision) -> Option<Revision> {
        let current = self.records.get(&key);
        let current = current.map_or(Revision::NONE, |(revision, _)| *revision);
        (current == expected).then(|| {
            self.last += 1;
            self.records.insert(key, (Revision(self.last), value));
            Revision(self.last)
        })
    }

    fn write_app(&mut self, app: &AppName, record: &Record) {
        let key = app_key(app).unwrap();
        let current = self.records.get(&key).map(|(revision, _)| *revision);
        let value = encode_app(record).unwrap();
        self.put(key, value, current.unwrap_or(Revision::NONE));
    }

    /// The events of a new watch.
    fn replay(&self) -> Vec<WatchEvent> {
        let records = self.records.iter().map(|(key, (revision, value))| {
            let (key, revision, value) = (key.clone(), *revision, value.clone());
            let record = Stored { revision, value };
            WatchEvent::Record { key, record }
        });
        let begins = [WatchEvent::Begins].into_iter();
        begins
            .chain(records)
            .chain([WatchEvent::Complete])
            .collect()
    }

    /// Has a replica read the whole bucket, and writes its refills.
    fn meet(&mut self, copy: &mut DesiredReplica) {
        for watched in self.replay() {
            copy.see(watched);
        }
        for refill in copy.refills(ALL) {
            let put = self.put(refill.key.clone(), refill.value.clone(), refill.expected);
            copy.refilled(refill, put.expect("no other writer"));
        }
    }
}

// === random inputs ===

const APPS: [&str; 3] = ["blog", "shop", "wiki"];
const PATHS: [&str; 3] = ["/a", "/b", "/c"];

/// Records of few apps with few revisions, so that many collide.
fn any_records() -> impl Strategy<Value = Vec<(AppName, Record)>> {
    let record = (0..APPS.len(), 1..5_u64, 0..=PATHS.len(), 0..3_u64);
    let record = record.prop_map(|(app, revision, path, changed_at_ms)| {
        let record = match PATHS.get(path) {
            Some(path) => Record::Deployed(Deployed {
                revision,
                changed_at_ms,
                app: self::app(APPS[app], path),
                claimed_at_ms: BTreeMap::new(),
                previous: BTreeSet::new(),
            }),
            None => Record::Removed {
                revision,
                changed_at_ms,
            },
        };
        (name(APPS[app]), record)
    });
    vec(record, 0..16)
}

fn any_watched() -> impl Strategy<Value = Vec<WatchEvent>> {
    let records = any_records().prop_map(|records| {
        let numbered = records.into_iter().zip(1..);
        let watched = numbered.map(|((app, record), revision)| watched(&app, &record, revision));
        watched.collect::<Vec<_>>()
    });
    let around = vec(0..5_u8, 0..16);
    (records, around).prop_map(|(mut all, around)| {
        for (place, what) in around.into_iter().enumerate() {
            let place = (place * 3).min(all.len());
            let app = name(APPS[place % APPS.len()]);
            let foreign = Stored {
                revision: Revision(100),
                value: Bytes::from_static(b"{\"from\":\"the future\"}"),
            };
            let key = app_key(&app).unwrap();
            let watched = match what {
                0 => WatchEvent::Begins,
                1 => WatchEvent::Complete,
                2 => WatchEvent::Away,
                3 => WatchEvent::Erased { key },
                _ => WatchEvent::Record {
                    key,
                    record: foreign,
                },
            };
            all.insert(place, watched);
        }
        all
    })
}

fn watched(app: &AppName, record: &Record, revision: u64) -> WatchEvent {
    WatchEvent::Record {
        key: app_key(app).unwrap(),
        record: Stored {
            revision: Revision(revision),
            value: encode_app(record).unwrap(),
        },
    }
}

fn copy_of(records: &[(AppName, Record)]) -> DesiredReplica {
    let mut copy = DesiredReplica::default();
    for (app, record) in records {
        copy.take_app(app.clone(), record.clone());
    }
    copy
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn replicas_that_received_the_same_records_are_equal(
        (records, again) in any_records().prop_flat_map(|records| {
            let twice: Vec<_> = records.iter().chain(&records).cloned().collect();
            (Just(records), Just(twice).prop_shuffle())
        }),
    ) {
        let in_order = copy_of(&records);
        let mut in_disorder = DesiredReplica::default();
        for ((app, record), revision) in again.iter().zip(1..) {
            in_disorder.see(watched(app, record, revision));
        }
        prop_assert_eq!(in_order.apps(), in_disorder.apps());
        for (app, record) in &records {
            let newest = &in_order.apps()[app];
            prop_assert!(!record.is_newer_than(newest));
        }
    }

    #[test]
    fn of_two_records_that_differ_one_is_newer(records in any_records()) {
        for (app, one) in &records {
            for (_, other) in records.iter().filter(|(other, _)| other == app) {
                let both = [one.is_newer_than(other), other.is_newer_than(one)];
                let is_one_of_two = both.iter().filter(|is_newer| **is_newer).count() == 1;
                prop_assert_eq!(is_one_of_two, one != other);
            }
        }
    }

    #[test]
    fn no_event_loses_a_record(
        kept in any_records(),
        seen in any_watched(),
    ) {
        let mut copy = copy_of(&kept);
        for watched in seen {
            let before = copy.apps().clone();
            copy.see(watched);
            for (app, record) in &before {
                let after = &copy.apps()[app];
                prop_assert!(after == record || after.is_newer_than(record));
            }
        }
    }

    #[test]
    fn an_older_or_empty_bucket_is_refilled_from_the_replicas(
        kept in vec(any_records(), 1..4),
        in_bucket in any_records(),
    ) {
        let mut bucket = Bucket::default();
        for (app, record) in &in_bucket {
            bucket.write_app(app, record);
        }
        let mut copies: Vec<_> = kept.iter().map(|records| copy_of(records)).collect();
        // A bucket has the last record of each app.
        let had: BTreeMap<_, _> = in_bucket.into_iter().collect();
        let mut all = copy_of(&had.into_iter().collect::<Vec<_>>());
        for (app, record) in kept.into_iter().flatten() {
            all.take_app(app, record);
        }
        for _ in 0..2 {
            for copy in &mut copies {
                bucket.meet(copy);
                prop_assert_eq!(copy.refills(ALL), []);
            }
        }
        let mut without_a_copy = DesiredReplica::default();
        bucket.meet(&mut without_a_copy);
        for copy in copies.iter().chain([&without_a_copy]) {
            prop_assert_eq!(copy.apps(), all.apps());
        }
    }
}

// === single cases ===

#[test]
fn a_bucket_is_refilled_only_after_all_of_it_was_read() {
    let shop = name("shop");
    let mut copy = DesiredReplica::new([(shop.clone(), deployed("shop", 3, "/"))], []);
    assert_eq!(copy.refills(ALL), []);
    for watched in [WatchEvent::Away, WatchEvent::Begins] {
        copy.see(watched);
        assert_eq!(copy.refills(ALL), []);
    }
    copy.see(watched(&shop, &deployed("shop", 2, "/"), 7));
    assert_eq!((copy.is_reading(), copy.refills(ALL)), (true, Vec::new()));
    copy.see(WatchEvent::Complete);
    let refills = copy.refills(ALL);
    assert_eq!(refills.len(), 1);
    assert_eq!(refills[0].key, app_key(&shop).unwrap());
    assert_eq!(refills[0].expected, Revision(7));
    copy.see(WatchEvent::Away);
    assert_eq!(copy.refills(ALL), []);
}

#[test]
fn a_removal_is_stored_and_refilled_like_a_deployment() {
    let (mut bucket, mut copy) = (Bucket::default(), DesiredReplica::default());
    let shop = name("shop");
    bucket.write_app(&shop, &deployed("shop", 1, "/"));
    let before = bucket.clone();
    bucket.write_app(&shop, &removed(2));
    bucket.meet(&mut copy);
    assert_eq!(*copy.apps()[&shop], removed(2));
    // The bucket comes back with its older content.
    let mut bucket = before;
    bucket.meet(&mut copy);
    let mut other = DesiredReplica::default();
    bucket.meet(&mut other);
    assert_eq!(*other.apps()[&shop], removed(2));
}

#[test]
fn a_deleted_record_is_written_again() {
    let shop = name("shop");
    let (mut bucket, mut copy) = (Bucket::default(), DesiredReplica::default());
    bucket.write_app(&shop, &deployed("shop", 1, "/"));
    bucket.meet(&mut copy);
    let key = app_key(&shop).unwrap();
    let notice = copy.see(WatchEvent::Erased { key: key.clone() });
    assert_eq!(notice, Some(Notice::Erased(key)));
    let refills = copy.refills(ALL);
    assert_eq!(refills[0].expected, Revision::NONE);
    assert_eq!(*copy.apps()[&shop], deployed("shop", 1, "/"));
}

#[test]
fn a_record_of_a_newer_version_is_reported_and_left_alone() {
    let shop = name("shop");
    let mut copy = DesiredReplica::new([(shop.clone(), deployed("shop", 9, "/"))], []);
    let mut bucket = Bucket::default();
    let value = Bytes::from_static(b"{\"deployed-in-stages\":{}}");
    let keys = [
        app_key(&shop).unwrap(),
        Key::new(&["policies", "shop"]).unwrap(),
    ];
    for key in &keys {
        bucket.put(key.clone(), value.clone(), Revision::NONE);
    }
    let notices = bucket.replay().into_iter();
    let notices: Vec<_> = notices.filter_map(|watched| copy.see(watched)).collect();
    let [Notice::NotUnderstood { .. }, Notice::NotUnderstood { .. }] = notices[..] else {
        panic!("{notices:?}");
    };
    assert_eq!(copy.refills(ALL), []);
    // The known revision of the app keeps running.
    assert_eq!(*copy.apps()[&shop], deployed("shop", 9, "/"));
}

#[test]
fn the_bucket_decides_the_home_of_a_store_and_a_missing_home_stays() {
    let store: StoreId = "shop/orders".parse().unwrap();
    let [a, b]: [HostId; 2] = ["ha", "hb"].map(|id| id.parse().unwrap());
    let mut copy = DesiredReplica::new([], [(store.clone(), a.clone())]);
    assert!(!copy.take_home(store.clone(), b.clone()));
    let mut bucket = Bucket::default();
    bucket.meet(&mut copy);
    assert_eq!(
        bucket.records[&home_key(&store).unwrap()].1,
        encode_home(&a)
    );
    // Another host was faster in a bucket that was made anew.
    let mut bucket = Bucket::default();
    let key = home_key(&store).unwrap();
    bucket.put(key, encode_home(&b), Revision::NONE);
    bucket.meet(&mut copy);
    assert_eq!(copy.homes(), &BTreeMap::from([(store, b)]));
}

/// Where the one component of an app goes, of the host under test and another one that says that it
/// is frozen.
fn planned(local: &LocalHost) -> BTreeMap<HostId, usize> {
    let shop = (name("shop"), deployed("shop", 1, "/"));
    let copy = DesiredReplica::new([shop], []);
    let view = local.membership.view();
    let plan = copy.with_input(view, &BTreeSet::new(), placement::plan);
    let hosts = plan.assignments.into_values().flatten();
    hosts.fold(BTreeMap::new(), |mut counts, host| {
        *counts.entry(host).or_default() += 1;
        counts
    })
}

#[test]
fn a_frozen_host_is_given_nothing_new_and_one_that_found_no_bus_plans_for_itself() {
    let own: HostId = id(OWN).to_string().parse().unwrap();
    let mut alone = LocalHost::unconnected(Contents::default());
    alone.membership.set_state(HostState::Ready);
    alone.tick();
    assert_eq!(planned(&alone), BTreeMap::from([(own.clone(), 1)]));
    // Whatever the hash says, a frozen host does not get it.
    for key in 1..10 {
        let mut local = LocalHost::settled();
        local.membership.set_state(HostState::Ready);
        let mut frozen = RemoteHost::new(key);
        frozen.set_state(HostState::Frozen);
        local.receive_heartbeat(&mut frozen);
        local.receive_inventory(frozen.inventory());
        assert_eq!(planned(&local), BTreeMap::from([(own.clone(), 1)]));
    }
}

#[test]
fn refills_come_in_bounded_numbers() {
    let apps = ["a", "b", "c"].map(|app| (name(app), removed(1)));
    let mut copy = DesiredReplica::new(apps, []);
    let mut bucket = Bucket::default();
    for watched in bucket.replay() {
        copy.see(watched);
    }
    for left in [3, 2, 1] {
        assert_eq!(copy.refills(ALL).len(), left);
        for refill in copy.refills(1) {
            let put = bucket.put(refill.key.clone(), refill.value.clone(), refill.expected);
            copy.refilled(refill, put.unwrap());
        }
    }
    assert_eq!(copy.refills(ALL), []);
}
