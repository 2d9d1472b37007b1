//! Placement of small lattices: the chosen hosts and the reasons for missing replicas.

use std::fs;
use std::num::NonZeroU32;

use weft_lattice_config::placement::{
    COMPONENTS_MAX, ComponentId, Host, HostId, HostState, StoreId, Unplaced,
};
use weft_lattice_config::{App, LabelValues, Locality, Placement};

use super::lattice::{Lattice, anywhere, app, component, count, host, hosts, link, parse, store};
use crate::golden;

fn in_clouds(hosts_each: usize) -> Vec<Host> {
    let clouds = ["aws", "gcp", "azure"].into_iter();
    let hosts = clouds.flat_map(|cloud| (0..hosts_each).map(move |it| (cloud, it)));
    hosts
        .map(|(cloud, it)| host(&format!("{cloud}-{it}"), &[("cloud", cloud)]))
        .collect()
}

fn required(name: &str, value: &str) -> Placement {
    let values = LabelValues::One(parse(value));
    Placement {
        require: [(parse(name), values)].into(),
        ..anywhere()
    }
}

fn one_app(placement: Placement, replicas: u32, hosts: Vec<Host>) -> Lattice {
    Lattice::new(
        vec![app("shop", vec![component("a", replicas, placement)], &[])],
        hosts,
    )
}

fn why(unplaced: &Unplaced) -> Vec<String> {
    unplaced.reasons.iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_has_one_of_everything_in_each_cloud() {
    let text = fs::read_to_string(golden::folder("examples/spread.yaml")).unwrap();
    let app = App::from_yaml("spread.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    let idempotent = app.spec.links.iter().filter(|link| link.idempotent).count();
    assert_eq!(idempotent, 2);
    let plan = Lattice::new(vec![app], in_clouds(2)).plan();
    assert_eq!((plan.assignments.len(), plan.unplaced.len()), (3, 0));
    let storefront = &plan.assignments[&parse::<ComponentId>("shop/storefront")];
    let clouds: Vec<_> = storefront
        .iter()
        .map(|it| it.as_str().split('-').next())
        .collect();
    assert_eq!(clouds, [Some("aws"), Some("azure"), Some("gcp")]);
    for hosts in plan.assignments.values() {
        assert_eq!(hosts, storefront, "linked components share hosts");
    }
}

#[test]
fn the_shop_of_a_lattice_is_whole_on_each_of_two_hosts() {
    let text = fs::read_to_string(golden::folder("examples/shop-lattice.yaml")).unwrap();
    let app =
        App::from_yaml("shop-lattice.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    let zones = ["a", "b"].map(|zone| host(zone, &[("zone", zone)]));
    let plan = Lattice::new(vec![app], zones.into()).plan();
    assert_eq!((plan.assignments.len(), plan.unplaced.len()), (3, 0));
    for hosts in plan.assignments.values() {
        assert_eq!(hosts.len(), 2);
    }
}

#[test]
fn replicas_share_hosts_only_when_there_are_too_few() {
    let lattice = one_app(anywhere(), 5, hosts(3));
    let plan = lattice.plan();
    let hosts = &plan.assignments[&parse::<ComponentId>("shop/a")];
    let mut counts: Vec<_> = lattice
        .hosts
        .iter()
        .map(|it| count(hosts, &it.id))
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 2]);
}

#[test]
fn preferred_hosts_come_first_and_others_are_better_than_none() {
    let values = LabelValues::One(parse("ssd"));
    let placement = Placement {
        prefer: [(parse("disk"), values)].into(),
        ..anywhere()
    };
    let mut all = hosts(50);
    all.push(host("fast", &[("disk", "ssd")]));
    all.push(host("slow", &[("disk", "hdd")]));
    for (replicas, others) in [(1, 0), (3, 2)] {
        let plan = one_app(placement.clone(), replicas, all.clone()).plan();
        let hosts = &plan.assignments[&parse::<ComponentId>("shop/a")];
        assert!(hosts.contains(&parse("fast")), "{hosts:?}");
        assert_eq!(hosts.len(), 1 + others);
    }
}

#[test]
fn demand_adds_replicas_and_never_takes_any() {
    for (demand, replicas) in [(1, 2), (2, 2), (3, 3), (4_000_000_000, 1000)] {
        let mut lattice = one_app(anywhere(), 2, hosts(3));
        lattice
            .demand
            .insert(parse("shop/a"), NonZeroU32::new(demand).unwrap());
        let plan = lattice.plan();
        assert_eq!(
            plan.assignments[&parse::<ComponentId>("shop/a")].len(),
            replicas
        );
    }
}

#[test]
fn the_first_replica_of_everything_comes_before_the_second_of_anything() {
    let greedy = app("greedy", vec![component("a", 5, anywhere())], &[]);
    let modest = app("modest", vec![component("a", 1, anywhere())], &[]);
    let mut all = hosts(2);
    for host in &mut all {
        host.capacity = Some(2);
    }
    let plan = Lattice::new(vec![greedy, modest], all).plan();
    let placed = |id: &str| plan.assignments[&parse::<ComponentId>(id)].len();
    assert_eq!((placed("greedy/a"), placed("modest/a")), (3, 1));
    let [unplaced] = &plan.unplaced[..] else {
        panic!("{plan:?}")
    };
    assert_eq!((unplaced.wanted, unplaced.placed), (5, 3));
    assert_eq!(
        why(unplaced),
        ["2 hosts: less free capacity than the weight of 1"]
    );
}

#[test]
fn an_unplaced_replica_has_a_reason_for_every_host() {
    let mut all = in_clouds(1);
    all[0].state = HostState::Draining;
    all[1].state = HostState::Frozen { runs: [].into() };
    let on_azure = Placement {
        anti_affinity: vec![parse("b")],
        ..required("cloud", "azure")
    };
    let components = vec![
        component("a", 1, on_azure),
        component(
            "b",
            2,
            Placement {
                one_per_host: true,
                ..anywhere()
            },
        ),
        component("c", 1, required("cloud", "hetzner")),
    ];
    let plan = Lattice::new(vec![app("shop", components, &[])], all).plan();
    let reasons = plan
        .unplaced
        .iter()
        .map(|it| (it.component.to_string(), why(it)));
    let expected = [
        (
            "shop/b",
            vec![
                "1 host: draining",
                "1 host: placement is paused until the connection to the bus is stable",
                "1 host: `a` is placed there (`anti-affinity`)",
            ],
        ),
        ("shop/c", vec!["3 hosts: label `cloud` is not `hetzner`"]),
    ];
    let expected = expected.map(|(id, lines)| {
        (
            id.to_owned(),
            lines.into_iter().map(str::to_owned).collect::<Vec<_>>(),
        )
    });
    assert_eq!(reasons.collect::<Vec<_>>(), expected);
}

#[test]
fn without_a_host_nothing_is_placed() {
    let plan = one_app(anywhere(), 1, Vec::new()).plan();
    assert_eq!(why(&plan.unplaced[0]), ["the lattice has no live host"]);
    assert_eq!(plan.assignments[&parse::<ComponentId>("shop/a")], []);
}

/// Three linked components; the last one has a host-local store.
fn with_a_store(hosts: Vec<Host>) -> Lattice {
    let components = ["a", "b", "c"].map(|name| component(name, 2, anywhere()));
    let mut shop = app(
        "shop",
        components.to_vec(),
        &[("a", "b"), ("b", "c"), ("c", "db")],
    );
    shop.spec.providers.push(store("db"));
    Lattice::new(vec![shop], hosts)
}

#[test]
fn a_component_is_pinned_to_the_host_of_its_store_and_the_linked_ones_come_along() {
    let id: StoreId = parse("shop/db");
    let mut lattice = with_a_store(hosts(20));
    let first = lattice.plan();
    let chosen = first.homes[&id].clone();
    let pinned = parse::<ComponentId>("shop/c");
    assert_eq!(first.assignments[&pinned], [chosen.clone(), chosen.clone()]);
    for home in lattice.hosts.clone() {
        lattice.homes.insert(id.clone(), home.id.clone());
        let plan = lattice.plan();
        assert_eq!(
            plan.assignments[&pinned],
            [home.id.clone(), home.id.clone()]
        );
        let a = &plan.assignments[&parse::<ComponentId>("shop/a")];
        assert!(a.contains(&home.id), "{a:?}");
        let [pin] = &plan.pins[&pinned][..] else {
            panic!("one pin")
        };
        assert_eq!((&pin.store, &pin.host), (&id, &home.id));
        assert_eq!(plan.pins.len(), 1);
    }
}

#[test]
fn a_component_whose_store_is_on_a_dead_host_is_not_placed_elsewhere() {
    let mut lattice = with_a_store(hosts(2));
    lattice.homes.insert(parse("shop/db"), parse("elsewhere"));
    let plan = lattice.plan();
    assert_eq!(plan.unplaced.len(), 1);
    let expected = "2 hosts: the linked store `shop/db` is on host `elsewhere`, which is not alive";
    assert_eq!(why(&plan.unplaced[0]), [expected]);
    assert_eq!(
        plan.homes[&parse::<StoreId>("shop/db")],
        parse::<HostId>("elsewhere")
    );
}

#[test]
fn a_store_on_a_host_that_drains_is_not_made_anew_elsewhere() {
    let mut lattice = with_a_store(hosts(2));
    lattice.homes.insert(parse("shop/db"), parse("h1"));
    lattice.hosts[1].state = HostState::Draining;
    let plan = lattice.plan();
    let expected = [
        "1 host: draining",
        "1 host: the linked store `shop/db` is on host `h1`",
    ];
    let mut reasons = why(&plan.unplaced[0]);
    reasons.sort();
    assert_eq!(reasons, expected);
}

#[test]
fn fused_components_are_placed_as_one_with_what_any_of_them_requires() {
    let components = vec![
        component("a", 1, required("cloud", "gcp")),
        component(
            "b",
            2,
            Placement {
                weight: NonZeroU32::new(3).unwrap(),
                ..anywhere()
            },
        ),
    ];
    let mut shop = app("shop", components, &[]);
    shop.spec.links.push(weft_lattice_config::LinkSpec {
        locality: Locality::Fused,
        ..link("a", "b")
    });
    let mut all = in_clouds(2);
    for host in &mut all {
        host.capacity = Some(if host.id.as_str() == "gcp-0" { 7 } else { 4 });
    }
    let plan = Lattice::new(vec![shop], all).plan();
    let hosts = &plan.assignments[&parse::<ComponentId>("shop/a")];
    assert_eq!(*hosts, [parse("gcp-0"), parse("gcp-1")]);
    assert_eq!(*hosts, plan.assignments[&parse::<ComponentId>("shop/b")]);
}

#[test]
fn two_hosts_with_one_id_are_one_whichever_is_listed_first() {
    let (mut small, mut large) = (host("h1", &[]), host("h1", &[("disk", "ssd")]));
    (small.capacity, large.capacity) = (Some(1), Some(2));
    let plan = |hosts| one_app(anywhere(), 3, hosts).plan();
    assert_eq!(
        plan(vec![small.clone(), large.clone()]),
        plan(vec![large, small])
    );
}

#[test]
fn a_plan_is_data_for_other_programs() {
    let mut lattice = with_a_store(hosts(1));
    lattice.hosts[0].capacity = Some(5);
    let json = serde_json::to_value(lattice.plan()).unwrap();
    assert_eq!(
        json["assignments"]["shop/c"],
        serde_json::json!(["h0", "h0"])
    );
    assert_eq!(json["homes"]["shop/db"], "h0");
    assert_eq!(json["pins"]["shop/c"][0]["host"], "h0");
    let reason = &json["unplaced"][0]["reasons"][0];
    assert_eq!(
        *reason,
        serde_json::json!({"cause": "capacity", "weight": 1, "hosts": 1})
    );
}

#[test]
fn ids_are_read_as_they_are_written() {
    for text in ["shop/orders", "a/b"] {
        assert_eq!(parse::<ComponentId>(text).to_string(), text);
    }
    for text in [
        "",
        "shop",
        "shop/",
        "/orders",
        "shop/orders/x",
        "Shop/orders",
        "../etc",
    ] {
        assert!(text.parse::<ComponentId>().is_err(), "{text}");
        assert!(text.parse::<StoreId>().is_err(), "{text}");
    }
    for text in ["", "a b", "a.b", "*", ">", "a/b", &"a".repeat(65)] {
        assert!(text.parse::<HostId>().is_err(), "{text}");
    }
    assert_eq!(parse::<HostId>("NB3_x-9").as_str(), "NB3_x-9");
}

#[test]
fn a_host_gets_no_more_components_than_it_can_announce() {
    let names = (0..COMPONENTS_MAX + 1).map(|number| format!("c{number:04}"));
    let components = names.map(|name| component(&name, 1, anywhere()));
    let apps = vec![app("shop", components.collect(), &[])];
    let one = Lattice::new(apps.clone(), hosts(1)).plan();
    let placed = one.assignments.values().filter(|hosts| !hosts.is_empty());
    assert_eq!(placed.count(), COMPONENTS_MAX);
    let [unplaced] = &one.unplaced[..] else {
        panic!("{:?}", one.unplaced)
    };
    let expected = "1 host: the limit of 4000 components is reached";
    assert_eq!(why(unplaced), [expected]);
    let two = Lattice::new(apps, hosts(2)).plan();
    assert_eq!(
        (two.assignments.len(), two.unplaced.len()),
        (COMPONENTS_MAX + 1, 0)
    );
    // Replicas on one host are one component of it.
    let several = app("shop", vec![component("a", 3, anywhere())], &[]);
    let plan = Lattice::new(vec![several], hosts(1)).plan();
    assert_eq!(plan.unplaced.len(), 0);
}
