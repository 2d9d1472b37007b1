//! Explanations of placement: they agree with the plan, and say what would be of absent hosts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use weft_lattice_config::placement::{
    ComponentId, Explanation, Host, HostFit, HostId, HostState, explain,
};
use weft_lattice_config::{LabelValues, Placement};

use super::lattice::{
    EVERYTHING, Features, Lattice, anywhere, app, component, count, host, hosts, lattices, parse,
};

fn explained(lattice: &Lattice, absent: &[Host]) -> BTreeMap<ComponentId, Explanation> {
    lattice.with_input(|input| explain(input, absent, None))
}

fn fit<'e>(explanation: &'e Explanation, host: &str) -> &'e HostFit {
    let mut hosts = explanation.hosts.iter();
    hosts.find(|fit| fit.host.as_str() == host).expect("a host")
}

fn order(explanation: &Explanation) -> Vec<HostId> {
    let hosts = explanation.hosts.iter();
    hosts.map(|fit| fit.host.clone()).collect()
}

fn obstacle(explanation: &Explanation, host: &str) -> Option<String> {
    let obstacle = fit(explanation, host).obstacle.as_ref();
    obstacle.map(ToString::to_string)
}

fn one(lattice: &Lattice, absent: &[Host]) -> Explanation {
    let explained = explained(lattice, absent);
    explained.into_values().next().expect("one component")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_explanation_has_the_replicas_and_obstacles_of_the_plan(lattice in lattices(EVERYTHING)) {
        let (plan, explained) = (lattice.plan(), explained(&lattice, &[]));
        prop_assert_eq!(explained.keys().collect::<Vec<_>>(), plan.assignments.keys().collect::<Vec<_>>());
        for (id, explanation) in &explained {
            let placed = &plan.assignments[id];
            for fit in &explanation.hosts {
                prop_assert!(fit.takes_part);
                prop_assert_eq!(fit.replicas, count(placed, &fit.host));
            }
            prop_assert_eq!(explanation.hosts.len(), lattice.hosts.len(), "each host once");
            let Some(unplaced) = plan.unplaced.iter().find(|it| it.component == *id) else {
                prop_assert_eq!(placed.len(), explanation.wanted as usize);
                continue;
            };
            let reasons: BTreeSet<_> = unplaced.reasons.iter().map(|it| &it.cause).collect();
            let obstacles = explanation.hosts.iter().map(|fit| fit.obstacle.as_ref());
            let obstacles: Option<BTreeSet<_>> = obstacles.collect();
            prop_assert!(lattice.hosts.is_empty() || obstacles == Some(reasons), "{}", id);
        }
    }

    #[test]
    fn a_single_replica_is_on_the_first_host_of_the_order_that_takes_it(count in 1_usize..40) {
        let lattice = Lattice::new(
            vec![app("shop", vec![component("a", 1, anywhere())], &[])],
            hosts(count),
        );
        let explanation = one(&lattice, &[]);
        let placed = explanation.hosts.iter().position(|fit| fit.replicas == 1);
        prop_assert_eq!(placed, Some(0));
    }

    #[test]
    fn an_absent_host_has_the_place_that_it_would_have(
        lattice in lattices(Features { stores: false, ..EVERYTHING }),
        index in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!lattice.hosts.is_empty());
        let lost = lattice.hosts[index.index(lattice.hosts.len())].clone();
        let without = explained(&lattice.without(&lost.id), std::slice::from_ref(&lost));
        for (id, explanation) in explained(&lattice, &[]) {
            prop_assert_eq!(order(&explanation), order(&without[&id]), "{}", id);
            prop_assert!(!fit(&without[&id], lost.id.as_str()).takes_part);
        }
    }
}

fn in_zone(zone: &str) -> Placement {
    let values = LabelValues::One(parse(zone));
    Placement {
        require: [(parse("zone"), values)].into(),
        prefer: [(
            parse("disk"),
            LabelValues::AnyOf(vec![parse("ssd"), parse("nvme")]),
        )]
        .into(),
        ..anywhere()
    }
}

#[test]
fn each_host_has_its_labels_capacity_and_state_against_the_component() {
    let capacity = |host: Host, capacity| Host {
        capacity: Some(capacity),
        ..host
    };
    let here = [("zone", "a"), ("disk", "ssd")];
    let lattice = Lattice::new(
        vec![app("shop", vec![component("a", 1, in_zone("a"))], &[])],
        vec![
            capacity(host("big", &here), 300),
            capacity(host("slow", &[("zone", "a")]), 300),
            capacity(host("small", &here), 0),
            host("other", &[("zone", "b")]),
            Host {
                state: HostState::Draining,
                ..host("draining", &here)
            },
        ],
    );
    let dead = [
        host("dead-fit", &here),
        host("dead-other", &[("zone", "b")]),
        capacity(host("dead-small", &here), 0),
    ];
    let explanation = one(&lattice, &dead);
    let weight = explanation.weight;
    assert_eq!(
        (weight, explanation.wanted),
        (u64::from(anywhere().weight.get()), 1)
    );
    assert_eq!(explanation.require[0].0.as_str(), "zone");
    let big = fit(&explanation, "big");
    assert_eq!((big.replicas, big.free), (1, Some(300 - weight)));
    assert_eq!((big.capacity, &big.obstacle), (Some(300), &None));
    let slow = fit(&explanation, "slow");
    assert_eq!((slow.replicas, slow.unmet.len()), (0, 1));
    assert_eq!(obstacle(&explanation, "slow"), None);
    let small = format!("less free capacity than the weight of {weight}");
    let label = "label `zone` is not `a`".to_owned();
    for (host, expected) in [
        ("small", Some(&small)),
        ("other", Some(&label)),
        ("draining", Some(&"draining".to_owned())),
        ("dead-fit", None),
        ("dead-other", Some(&label)),
        ("dead-small", Some(&small)),
    ] {
        let found = obstacle(&explanation, host);
        assert_eq!(found.as_ref(), expected, "{host}");
        assert_eq!(
            fit(&explanation, host).takes_part,
            !host.starts_with("dead")
        );
    }
}

#[test]
fn only_the_components_of_the_app_are_explained() {
    let apps = ["bank", "shop"].map(|name| app(name, vec![component("a", 1, anywhere())], &[]));
    let lattice = Lattice::new(apps.into(), hosts(2));
    let explained = lattice.with_input(|input| explain(input, &[], Some(&parse("shop"))));
    let ids: Vec<_> = explained.keys().map(ToString::to_string).collect();
    assert_eq!(ids, ["shop/a"]);
}
