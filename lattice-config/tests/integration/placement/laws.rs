//! Properties of every plan.

use std::collections::BTreeSet;

use proptest::prelude::*;
use weft_lattice_config::placement::{Cause, HostState};
use weft_lattice_config::{App, Placement};

use super::lattice::{EVERYTHING, Features, anywhere, app, component, count, hosts, lattices};
use super::lattice::{Lattice, losers};
use super::oracle::{by_value, load, units};

const NO_LIMITS: Features = Features {
    capacity: false,
    anti_affinity: false,
    stores: false,
    states: true,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn equal_inputs_give_equal_plans(lattice in lattices(EVERYTHING)) {
        prop_assert_eq!(lattice.plan(), lattice.clone().plan());
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(
        (lattice, shuffled) in lattices(EVERYTHING).prop_flat_map(shuffled),
    ) {
        let since = |app: &App| lattice.apps.iter().position(|it| it.metadata == app.metadata);
        prop_assert_eq!(lattice.plan(), shuffled.plan_since(|app| since(app).unwrap() as u64));
    }

    #[test]
    fn every_component_is_in_the_plan_with_as_many_replicas_as_desired_or_a_reason(
        lattice in lattices(EVERYTHING),
    ) {
        let plan = lattice.plan();
        prop_assert_eq!(plan.assignments.len(), lattice.components().count());
        for unit in units(&lattice) {
            for id in unit.ids() {
                let (placed, desired) = (plan.assignments[&id].len(), unit.replicas(&lattice));
                let unplaced = plan.unplaced.iter().find(|it| it.component == id);
                prop_assert!(placed <= desired);
                prop_assert_eq!(placed < desired, unplaced.is_some());
                let Some(unplaced) = unplaced else { continue };
                prop_assert_eq!((unplaced.placed as usize, unplaced.wanted as usize), (placed, desired));
                let hosts: usize = unplaced.reasons.iter().map(|reason| reason.hosts).sum();
                prop_assert_eq!(hosts, lattice.hosts.len(), "each host has one reason");
                prop_assert!(!unplaced.reasons.is_empty());
            }
        }
    }

    #[test]
    fn replicas_are_satisfied_where_only_labels_and_hosts_limit_them(lattice in lattices(NO_LIMITS)) {
        let plan = lattice.plan();
        for unit in units(&lattice) {
            let able = lattice.hosts.iter().filter(|host| unit.may_run_on(host)).count();
            let desired = unit.replicas(&lattice);
            let expected = match (able, unit.is_one_per_host()) {
                (0, _) => 0,
                (_, true) => desired.min(able),
                (_, false) => desired,
            };
            prop_assert_eq!(plan.assignments[&unit.id()].len(), expected);
        }
    }

    #[test]
    fn an_unplaced_replica_fits_on_no_host(lattice in lattices(EVERYTHING)) {
        let plan = lattice.plan();
        for unit in units(&lattice) {
            if plan.assignments[&unit.id()].len() < unit.replicas(&lattice) {
                for host in &lattice.hosts {
                    let fits = unit.fits_too(&lattice, &plan, host);
                    prop_assert!(!fits, "{} on {}", unit.id(), host.id);
                }
            }
        }
    }

    #[test]
    fn required_labels_and_the_states_of_hosts_are_never_broken(lattice in lattices(EVERYTHING)) {
        let plan = lattice.plan();
        for unit in units(&lattice) {
            for host in &plan.assignments[&unit.id()] {
                prop_assert!(unit.may_run_on(lattice.host(host)), "{} on {host}", unit.id());
            }
        }
    }

    #[test]
    fn one_per_host_is_never_broken(lattice in lattices(EVERYTHING)) {
        let plan = lattice.plan();
        for unit in units(&lattice).iter().filter(|unit| unit.is_one_per_host()) {
            let hosts = &plan.assignments[&unit.id()];
            prop_assert_eq!(hosts.iter().collect::<BTreeSet<_>>().len(), hosts.len());
        }
    }

    #[test]
    fn replicas_share_a_host_only_where_no_other_host_has_fewer(lattice in lattices(NO_LIMITS)) {
        let plan = lattice.plan();
        for unit in units(&lattice) {
            let placed = &plan.assignments[&unit.id()];
            let able = lattice.hosts.iter().filter(|host| unit.may_run_on(host));
            // Among hosts with the same value of the spread label, which takes precedence.
            let mut counts = std::collections::BTreeMap::<_, BTreeSet<usize>>::new();
            for host in able {
                counts.entry(unit.spread_value(&host.labels)).or_default().insert(count(placed, &host.id));
            }
            for counts in counts.values() {
                prop_assert!(counts.last().unwrap() - counts.first().unwrap() <= 1, "{counts:?}");
            }
        }
    }

    #[test]
    fn components_that_keep_apart_never_meet(lattice in lattices(EVERYTHING)) {
        let plan = lattice.plan();
        for unit in units(&lattice) {
            for other in unit.apart() {
                let mut hosts = plan.assignments[&unit.id()].iter();
                prop_assert!(!hosts.any(|host| plan.assignments[&other].contains(host)));
            }
        }
    }

    #[test]
    fn capacity_is_never_exceeded(lattice in lattices(EVERYTHING)) {
        let plan = lattice.plan();
        for host in &lattice.hosts {
            let load = load(&lattice, &plan, &host.id);
            prop_assert!(host.capacity.is_none_or(|capacity| load <= capacity));
        }
    }

    #[test]
    fn replicas_are_balanced_over_the_values_that_can_take_them(lattice in lattices(EVERYTHING)) {
        let plan = lattice.plan();
        for unit in units(&lattice).iter().filter(|unit| unit.stores().is_empty()) {
            let counts = by_value(unit, &lattice, &plan);
            let most = counts.values().max().copied().unwrap_or_default();
            for (value, count) in counts {
                let mut hosts = lattice.hosts.iter();
                let can_take = hosts.any(|host| {
                    unit.spread_value(&host.labels) == Some(value) && unit.fits_too(&lattice, &plan, host)
                });
                prop_assert!(!can_take || most <= count + 1, "{} {value:?}", unit.id());
            }
        }
    }

    #[test]
    fn fused_components_are_always_together(lattice in lattices(EVERYTHING)) {
        let plan = lattice.plan();
        for unit in units(&lattice) {
            for id in unit.ids() {
                prop_assert_eq!(&plan.assignments[&id], &plan.assignments[&unit.id()]);
            }
        }
    }

    #[test]
    fn linked_components_land_together_when_nothing_speaks_against_it(
        replicas in prop::collection::vec(1_u32..5, 2..8),
        links in prop::collection::vec(any::<prop::sample::Index>(), 8),
        spread in prop::option::of(Just("zone")),
        host_count in 5_usize..50,
    ) {
        let placement = Placement { spread: spread.map(super::lattice::parse), ..anywhere() };
        let components = replicas.iter().enumerate();
        let components = components.map(|(number, it)| component(&format!("c{number}"), *it, placement.clone()));
        // A random tree: each component is linked to an earlier one.
        let links: Vec<_> = (1..replicas.len())
            .map(|number| (format!("c{number}"), format!("c{}", links[number].index(number))))
            .collect();
        let links: Vec<_> = links.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        let lattice = Lattice::new(vec![app("shop", components.collect(), &links)], hosts(host_count));
        let plan = lattice.plan();
        let most = plan.assignments.values().max_by_key(|hosts| hosts.len()).unwrap();
        for hosts in plan.assignments.values() {
            prop_assert!(hosts.iter().all(|host| most.contains(host)), "{:?}", plan.assignments);
        }
    }

    #[test]
    fn when_a_host_leaves_only_what_ran_there_moves(
        lattice in lattices(NO_LIMITS),
        host in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!lattice.hosts.is_empty());
        let lost = &host.get(&lattice.hosts).id;
        let (before, after) = (lattice.plan(), lattice.without(lost).plan());
        let losers = losers(&before.assignments, &after.assignments);
        prop_assert!(losers.iter().all(|host| host == lost), "{losers:?} besides {lost}");
    }

    #[test]
    fn when_a_host_joins_things_move_to_it_alone(
        lattice in lattices(NO_LIMITS),
        host in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!lattice.hosts.is_empty());
        let new = &host.get(&lattice.hosts).id;
        let (before, after) = (lattice.without(new).plan(), lattice.plan());
        // Features the plans swapped, the losers are the hosts that gained replicas.
        let gainers = losers(&after.assignments, &before.assignments);
        prop_assert!(gainers.iter().all(|host| host == new), "{gainers:?} besides {new}");
    }

    #[test]
    fn an_app_that_is_added_moves_nothing_of_another_where_there_is_room(
        lattice in lattices(Features { stores: true, anti_affinity: true, ..NO_LIMITS }),
    ) {
        prop_assume!(!lattice.apps.is_empty());
        let after = lattice.plan();
        let mut before = lattice.clone();
        let newest = before.apps.pop().unwrap();
        for (id, hosts) in before.plan().assignments {
            prop_assert!(id.app != newest.metadata.name);
            prop_assert_eq!(&hosts, &after.assignments[&id]);
        }
    }

    #[test]
    fn the_newest_app_never_takes_the_place_of_what_has_an_equal_claim(
        weights in prop::collection::vec((1_u32..4, 1_u32..4), 1..20),
        capacities in prop::collection::vec(0_u64..12, 1..6),
    ) {
        let apps = weights.iter().enumerate().map(|(number, (weight, _))| {
            let weight = std::num::NonZeroU32::new(*weight).unwrap();
            let placement = Placement { weight, ..anywhere() };
            app(&format!("app-{}", weights[number].1 * 100 + number as u32), vec![component("c", 1, placement)], &[])
        });
        let mut hosts = hosts(capacities.len());
        for (host, capacity) in hosts.iter_mut().zip(&capacities) {
            host.capacity = Some(*capacity);
        }
        let lattice = Lattice::new(apps.collect(), hosts);
        let after = lattice.plan();
        let mut before = lattice.clone();
        before.apps.pop();
        for (id, hosts) in before.plan().assignments {
            prop_assert_eq!(&hosts, &after.assignments[&id]);
        }
    }

    #[test]
    fn a_draining_host_is_planned_as_if_it_had_left(
        lattice in lattices(EVERYTHING),
        host in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!lattice.hosts.is_empty());
        let number = host.index(lattice.hosts.len());
        let id = lattice.hosts[number].id.clone();
        let mut draining = lattice.clone();
        draining.hosts[number].state = HostState::Draining;
        let (drained, without) = (draining.plan(), lattice.without(&id).plan());
        prop_assert_eq!(&drained.assignments, &without.assignments);
        prop_assert!(drained.share_of(&id).is_empty());
    }

    #[test]
    fn a_host_that_freezes_with_its_share_changes_nothing(
        lattice in lattices(EVERYTHING),
        host in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!lattice.hosts.is_empty());
        let number = host.index(lattice.hosts.len());
        prop_assume!(lattice.hosts[number].state == HostState::Ready);
        let before = lattice.plan();
        let mut frozen = lattice.clone();
        let runs = before.share_of(&lattice.hosts[number].id).into_keys().collect();
        frozen.hosts[number].state = HostState::Frozen { runs };
        prop_assert_eq!(before.assignments, frozen.plan().assignments);
    }

    #[test]
    fn a_component_stays_on_the_host_of_its_store(
        lattice in lattices(EVERYTHING),
        host in any::<prop::sample::Index>(),
    ) {
        let before = lattice.plan();
        for unit in units(&lattice) {
            for store in unit.stores() {
                let hosts = &before.assignments[&unit.id()];
                prop_assert!(hosts.iter().all(|host| before.homes.get(&store) == Some(host)));
                let known = lattice.homes.get(&store);
                prop_assert!(known.is_none_or(|home| before.homes.get(&store) == Some(home)));
                let pins = before.pins.get(&unit.id());
                let is_pinned = pins.is_some_and(|pins| pins.iter().any(|pin| pin.store == store));
                prop_assert_eq!(before.homes.contains_key(&store), is_pinned);
            }
        }
        prop_assume!(!lattice.hosts.is_empty());
        let mut after = lattice.without(&host.get(&lattice.hosts).id);
        after.homes = before.homes.clone();
        let after = after.plan();
        for (store, home) in &before.homes {
            prop_assert_eq!(after.homes.get(store), Some(home));
        }
        for (id, pins) in &before.pins {
            for host in &after.assignments[id] {
                prop_assert!(pins.iter().all(|pin| pin.host == *host));
            }
        }
    }

    #[test]
    fn creating_the_stores_of_a_plan_moves_nothing(lattice in lattices(EVERYTHING)) {
        let before = lattice.plan();
        let mut after = lattice.clone();
        after.homes = before.homes.clone();
        prop_assert_eq!(before, after.plan());
    }

    #[test]
    fn every_reason_is_true(lattice in lattices(EVERYTHING)) {
        let plan = lattice.plan();
        let has = |cause: &dyn Fn(&Cause) -> bool| {
            let mut reasons = plan.unplaced.iter().flat_map(|it| &it.reasons);
            reasons.any(|reason| cause(&reason.cause))
        };
        let is_capacity = |cause: &Cause| matches!(cause, Cause::Capacity { .. });
        let limited = lattice.hosts.iter().any(|host| host.capacity.is_some());
        prop_assert!(!has(&is_capacity) || limited);
        prop_assert!(!has(&|cause| *cause == Cause::NoHosts) || lattice.hosts.is_empty());
        let drains = lattice.hosts.iter().any(|host| host.state == HostState::Draining);
        prop_assert!(!has(&|cause| *cause == Cause::Draining) || drains);
    }
}

fn shuffled(lattice: Lattice) -> impl Strategy<Value = (Lattice, Lattice)> {
    let hosts = Just(lattice.hosts.clone()).prop_shuffle();
    let apps = Just(lattice.apps.clone()).prop_shuffle();
    (hosts, apps, any::<bool>()).prop_map(move |(hosts, mut apps, turn)| {
        for app in apps.iter_mut().filter(|_| turn) {
            app.spec.components.reverse();
            app.spec.links.reverse();
            app.spec.providers.reverse();
        }
        let shuffled = Lattice {
            hosts,
            apps,
            ..lattice.clone()
        };
        (lattice.clone(), shuffled)
    })
}
