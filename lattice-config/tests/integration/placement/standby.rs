//! The standby components of a host, for the loss of other hosts.

use std::collections::BTreeSet;

use proptest::prelude::*;
use weft_lattice_config::LabelValue;
use weft_lattice_config::placement::{ComponentId, HostId, standby_components};

use super::lattice::{Features, Lattice, anywhere, app, component, host, lattices, parse};

const NO_CONFLICTS: Features = Features {
    capacity: false,
    anti_affinity: false,
    stores: true,
    states: true,
};

fn standbys_of(lattice: &Lattice, me: &HostId) -> BTreeSet<ComponentId> {
    lattice.with_input(|input| standby_components(input, me, &parse("cloud")))
}

/// The same, computed by plans without each host and each cloud.
fn expected(lattice: &Lattice, me: &HostId) -> BTreeSet<ComponentId> {
    let share = |lattice: &Lattice| {
        lattice
            .plan()
            .share_of(me)
            .into_keys()
            .collect::<BTreeSet<_>>()
    };
    let mut after = lattice.clone();
    after.homes.extend(lattice.plan().homes);
    let cloud = |host: &HostId| lattice.host(host).labels.get("cloud");
    let clouds: BTreeSet<Option<&LabelValue>> =
        lattice.hosts.iter().map(|it| cloud(&it.id)).collect();
    let mut lost: Vec<BTreeSet<HostId>> = lattice
        .hosts
        .iter()
        .map(|it| BTreeSet::from([it.id.clone()]))
        .collect();
    lost.extend(clouds.into_iter().filter(Option::is_some).map(|lost| {
        let hosts = lattice.hosts.iter().map(|it| &it.id);
        hosts.filter(|host| cloud(host) == lost).cloned().collect()
    }));
    let lost = lost.into_iter().filter(|lost| !lost.contains(me));
    let mut expected: BTreeSet<ComponentId> = lost
        .flat_map(|lost| {
            let mut after = after.clone();
            after.hosts.retain(|host| !lost.contains(&host.id));
            share(&after)
        })
        .collect();
    for id in share(lattice) {
        expected.remove(&id);
    }
    expected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn standby_components_are_those_a_host_would_run_if_a_host_or_a_cloud_left(
        lattice in lattices(NO_CONFLICTS),
        me in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!lattice.hosts.is_empty());
        let me = &me.get(&lattice.hosts).id;
        prop_assert_eq!(standbys_of(&lattice, me), expected(&lattice, me));
    }

    #[test]
    fn a_running_component_is_not_a_standby(
        lattice in lattices(super::lattice::EVERYTHING),
        me in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!lattice.hosts.is_empty());
        let me = &me.get(&lattice.hosts).id;
        let ahead = standbys_of(&lattice, me);
        prop_assert!(lattice.plan().share_of(me).keys().all(|id| !ahead.contains(id)));
    }
}

#[test]
fn the_only_other_host_has_all_standbys_and_an_unknown_host_none() {
    let apps = vec![app(
        "shop",
        vec![component("a", 1, anywhere()), component("b", 1, anywhere())],
        &[],
    )];
    let lattice = Lattice::new(apps, vec![host("h1", &[]), host("h2", &[])]);
    let (one, two) = (
        standbys_of(&lattice, &parse("h1")),
        standbys_of(&lattice, &parse("h2")),
    );
    assert_eq!((one.len() + two.len(), one.is_disjoint(&two)), (2, true));
    assert_eq!(standbys_of(&lattice, &parse("h3")), BTreeSet::new());
}
