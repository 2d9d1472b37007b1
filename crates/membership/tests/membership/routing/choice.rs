//! Selection of a host: the nearest, healthy and least utilized one.

use std::collections::BTreeSet;

use proptest::prelude::*;
use weft_membership::message::{HostState, Load, Readiness, Revision};
use weft_membership::routing::{Outcome, Proximity, Repeat};

use super::support::{Replica, Rig, TARGET, host_of, replica, replicas, sent};
use weft_testkit::membership::{OWN, RemoteHost, component, config, contents, hosted, id};

const OWN_LABELS: [(&str, &str); 3] = [("cloud", "one"), ("region", "r"), ("zone", "a")];

fn labelled(key: u8, labels: &[(&'static str, &'static str)]) -> Replica {
    Replica {
        labels: labels.to_vec(),
        ..replica(key)
    }
}

#[test]
fn proximity_follows_nested_labels() {
    let cases: [(&[(&str, &str)], Proximity); 9] = [
        (&OWN_LABELS, Proximity::Zone),
        (
            &[("cloud", "one"), ("region", "r"), ("zone", "b")],
            Proximity::Region,
        ),
        (&[("cloud", "one"), ("region", "r")], Proximity::Region),
        (
            &[("cloud", "one"), ("region", "s"), ("zone", "a")],
            Proximity::Cloud,
        ),
        (&[("cloud", "one")], Proximity::Cloud),
        (
            &[("cloud", "two"), ("region", "r"), ("zone", "a")],
            Proximity::Lattice,
        ),
        (&[("region", "r"), ("zone", "a")], Proximity::Lattice),
        (&[("zone", "a")], Proximity::Lattice),
        (&[], Proximity::Lattice),
    ];
    for (labels, expected) in cases {
        let rig = Rig::with_own(contents(&OWN_LABELS, &[]), &[labelled(1, labels)]);
        let (own, other) = (rig.local.host(OWN), rig.local.host(1));
        assert_eq!(Proximity::between(own, other), expected, "{labels:?}");
        assert_eq!(Proximity::between(own, own), Proximity::Host);
    }
    let rig = Rig::with_own(
        contents(&[("zone", "a")], &[]),
        &[labelled(1, &[("zone", "a")])],
    );
    let level = Proximity::between(rig.local.host(OWN), rig.local.host(1));
    assert_eq!(
        level,
        Proximity::Zone,
        "without cloud labels there is one cloud"
    );
}

#[test]
fn a_component_on_this_host_is_called_locally() {
    let near = labelled(1, &OWN_LABELS);
    let mut rig = Rig::with_own(contents(&OWN_LABELS, &[TARGET]), &[near]);
    for _ in 0..50 {
        let mut route = rig.route(Repeat::Never);
        assert_eq!(sent(route.next(rig.now())).host, id(OWN));
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn attempts_go_from_the_nearest_hosts_outwards(
        places in prop::collection::vec((0..3_usize, 0..3_usize, 0..3_usize), 1..9),
    ) {
        let values = ["one", "two", "three"];
        let hosts: Vec<_> = (1..).zip(&places).map(|(key, (cloud, region, zone))| {
            let label = |name, index: &usize| (name, values[*index]);
            labelled(key, &[label("cloud", cloud), label("region", region), label("zone", zone)])
        }).collect();
        let own = contents(&[("cloud", "one"), ("region", "one"), ("zone", "one")], &[]);
        let mut rig = Rig::with_own(own, &hosts);
        let level = |rig: &Rig, host| {
            let view = rig.local.membership.view();
            Proximity::between(view.host(id(OWN)).expect("own host"), view.host(host).expect("other host"))
        };
        let mut route = rig.route(Repeat::Idempotent);
        let now = rig.now();
        let mut levels = Vec::new();
        while let Some(host) = host_of(route.next(now)) {
            levels.push(level(&rig, host));
            route.outcome(Outcome::Lost, now);
        }
        let mut expected: Vec<_> = (1..).zip(&places).map(|(key, _)| level(&rig, id(key))).collect();
        expected.sort();
        expected.truncate(levels.len());
        prop_assert_eq!(levels, expected);
    }

    #[test]
    fn calls_are_balanced_by_capacity(limits in prop::collection::vec(1_u32..4, 2..6)) {
        let hosts: Vec<_> = (1..).zip(&limits).map(|(key, limit)| Replica {
            load: Load { running: 0, limit: limit * 1_000 },
            ..replica(key)
        }).collect();
        let mut rig = Rig::new(&hosts);
        let total: u32 = limits.iter().sum();
        let (_routes, counts) = rig.spread(1_000);
        // The less utilized of two random hosts: even a large host is not selected more often.
        let pairs = 2.0 / limits.len() as f64;
        for (limit, count) in limits.iter().zip(counts) {
            let fair = (f64::from(*limit) / f64::from(total)).min(pairs) * 1_000.0;
            prop_assert!((count as f64 - fair).abs() < 60.0 + fair * 0.25, "{count} of {fair}");
        }
    }
}

#[test]
fn equal_hosts_share_calls_equally() {
    let mut rig = Rig::new(&replicas(3));
    let (_routes, counts) = rig.spread(3_000);
    let (least, most) = (counts.iter().min(), counts.iter().max());
    let difference = most.expect("three") - least.expect("three");
    assert!(difference <= 4, "{counts:?}");
}

#[test]
fn calls_of_other_hosts_count_until_the_next_heartbeat() {
    let mut hosts = replicas(2);
    hosts[0].load.running = 90;
    let mut rig = Rig::new(&hosts);
    let (routes, counts) = rig.spread(80);
    assert_eq!(counts, [0, 80]);
    drop(routes);
    rig.senders[0].load.running = 0;
    rig.senders[1].load.running = 90;
    rig.run(1, &[0, 1]);
    let (_routes, counts) = rig.spread(80);
    assert_eq!(counts, [80, 0]);
}

#[test]
fn abandoned_calls_do_not_count() {
    let mut rig = Rig::new(&replicas(2));
    for _ in 0..100 {
        let (routes, counts) = rig.spread(2);
        assert_eq!(counts, [1, 1]);
        drop(routes);
    }
}

#[test]
fn a_busy_host_counts_as_full_until_its_next_heartbeat() {
    let mut rig = Rig::new(&replicas(2));
    let mut route = rig.route(Repeat::Never);
    let busy = sent(route.next(rig.now())).host;
    let code = weft_wire::FailureCode::Busy;
    route.outcome(Outcome::NotRun(code), rig.now());
    let other = sent(route.next(rig.now())).host;
    assert_ne!(busy, other);
    route.outcome(Outcome::Answered, rig.now());
    // A tick without a heartbeat does not update the load.
    rig.refresh();
    for _ in 0..20 {
        let mut route = rig.route(Repeat::Never);
        assert_eq!(sent(route.next(rig.now())).host, other);
    }
}

#[test]
fn suspected_damped_and_draining_hosts_get_calls_only_without_a_healthy_sibling() {
    let suspect = |rig: &mut Rig| {
        rig.run(1, &[1]);
        rig.local.receive_heartbeat(&mut rig.senders[1]);
        rig.local.run(std::time::Duration::from_millis(750));
    };
    let damp = |rig: &mut Rig| {
        for incarnation in 2..5 {
            let mut restarted = RemoteHost::with(1, incarnation, contents(&OWN_LABELS, &[TARGET]));
            rig.local.receive_heartbeat(&mut restarted);
            rig.local.receive_inventory(restarted.inventory());
        }
    };
    let drain = |rig: &mut Rig| {
        rig.senders[0].set_state(HostState::Draining);
        rig.local.receive_heartbeat(&mut rig.senders[0]);
    };
    let degradations: [fn(&mut Rig); 3] = [suspect, damp, drain];
    for degrade in degradations {
        // The degraded host is near, and the healthy one distant.
        let hosts = [labelled(1, &OWN_LABELS), replica(2)];
        let mut rig = Rig::with_own(contents(&OWN_LABELS, &[]), &hosts);
        degrade(&mut rig);
        rig.refresh();
        let mut route = rig.route(Repeat::Never);
        assert_eq!(sent(route.next(rig.now())).host, id(2));
        route.outcome(Outcome::NoResponders, rig.now());
        assert_eq!(sent(route.next(rig.now())).host, id(1));
    }
}

#[test]
fn dead_hosts_get_no_calls() {
    let mut rig = Rig::new(&replicas(3));
    rig.run(4, &[1, 2]);
    let hosts: BTreeSet<_> = rig.candidates().hosts().collect();
    assert_eq!(hosts, [id(2), id(3)].into());
    rig.run(4, &[]);
    let nobody = rig.router.table().any(&component(TARGET)).is_none();
    assert!(nobody);
}

#[test]
fn only_ready_components_of_the_requested_revision_are_called() {
    let mut watched = Rig::new(&replicas(3));
    let mut has = |index: usize, hosted_components: &[(u64, Readiness)]| {
        let hosted_components = hosted_components.iter().map(|(revision, readiness)| {
            let mut hosted = hosted(TARGET, *revision);
            hosted.readiness = *readiness;
            hosted
        });
        let mut news = contents(&[], &[]);
        news.components = hosted_components.collect();
        let inventory = watched.senders[index].change(news);
        watched.local.receive_inventory(inventory);
    };
    has(0, &[(1, Readiness::Ready), (2, Readiness::Ready)]);
    has(1, &[(1, Readiness::Stopping), (2, Readiness::Ready)]);
    has(2, &[(1, Readiness::Failed), (2, Readiness::Preparing)]);
    watched.refresh();
    let table = watched.router.table();
    let exactly = |revision| {
        let candidates = table.exactly(&component(TARGET), Revision(revision))?;
        Some(candidates.hosts().collect::<Vec<_>>())
    };
    assert_eq!(exactly(1), Some(vec![id(1)]));
    assert_eq!(exactly(2), Some(vec![id(1), id(2)]));
    assert_eq!(exactly(3), None);
    let any = table.any(&component(TARGET)).expect("a host has it");
    assert_eq!(any.hosts().collect::<Vec<_>>(), [id(1), id(2)]);
    assert!(table.any(&component("other")).is_none());
}

#[test]
fn a_table_does_not_change_when_the_next_one_is_built() {
    let mut rig = Rig::new(&replicas(2));
    let before = rig.router.table();
    assert!(!rig.refresh(), "nothing has changed");
    let mut route = rig.route(Repeat::Never);
    rig.run(4, &[1]);
    let hosts = before.any(&component(TARGET)).expect("two").len();
    assert_eq!((hosts, rig.candidates().len()), (2, 1));
    // A call continues with the candidates that it began with.
    assert!(host_of(route.next(rig.now() + super::support::DEADLINE)).is_none());
}
