//! Compares the picker, which checks few hosts, with a search over all hosts for every replica.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::hash::{component_seed, host_seed, rank};
use super::*;

#[derive(Clone, Debug)]
struct Case {
    hosts: Vec<Host>,
    app: App,
}

fn cases() -> impl Strategy<Value = Case> {
    let host = (
        0..4_usize,
        0..12_usize,
        prop::option::weighted(0.3, 0..3_u64),
    );
    let fields = (1..40_u32, 0..3_usize, any::<bool>(), any::<bool>());
    (prop::collection::vec(host, 0..130), fields).prop_map(|(hosts, fields)| {
        let hosts = hosts.into_iter().enumerate().map(|(number, (zone, disk, capacity))| Host {
            id: format!("h{number}").parse().unwrap(),
            labels: [("zone", format!("z{zone}")), ("disk", format!("d{disk}"))]
                .into_iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect(),
            capacity,
            state: HostState::Ready,
        });
        let (replicas, spread, one_per_host, prefers) = fields;
        let spread = ["", "spread: zone, ", "spread: disk, "][spread];
        let prefer = if prefers { "prefer: {disk: d3, zone: [z0, z1]}, " } else { "" };
        let text = format!(
            "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: shop}}\nspec:\n  components:\n\
             \x20 - {{name: a, source: {{file: a}}, replicas: {replicas}, \
             placement: {{{spread}{prefer}one-per-host: {one_per_host}}}}}\n"
        );
        let app = App::from_yaml("shop.yaml", &text).unwrap();
        Case { hosts: hosts.collect(), app }
    })
}

/// The hosts of the replicas, each chosen by minimal cost over all hosts.
fn by_full_search(case: &Case) -> Vec<HostId> {
    let component = &case.app.spec.components[0];
    let placement = &component.placement;
    let seed = component_seed(&case.app.metadata.name, &component.name);
    let mut placed: Vec<&Host> = Vec::new();
    for _ in 0..component.replicas.get() {
        let on = |host: &Host| placed.iter().filter(|it| it.id == host.id).count();
        let fits = |host: &&Host| {
            host.capacity
                .is_none_or(|capacity| on(host) < capacity as usize)
                && !(placement.one_per_host && on(host) > 0)
        };
        let cost = |host: &&Host| {
            let value = |host: &Host| placement.spread.as_ref().map(|it| host.labels[it].clone());
            let same_value = placed.iter().filter(|it| value(it) == value(host)).count();
            let same_value = if placement.spread.is_some() {
                same_value
            } else {
                0
            };
            let mut unmet = 0;
            for (name, values) in &placement.prefer {
                unmet += usize::from(!values.as_slice().contains(&host.labels[name]));
            }
            (same_value, on(host), unmet, rank(seed, host_seed(&host.id)))
        };
        let Some(best) = case.hosts.iter().filter(fits).min_by_key(cost) else {
            break;
        };
        placed.push(best);
    }
    let mut ids: Vec<_> = placed.into_iter().map(|host| host.id.clone()).collect();
    ids.sort();
    ids
}

proptest! {
    #[test]
    fn the_picker_finds_what_looking_at_every_host_finds(case in cases()) {
        let plan = plan(&Input {
            apps: &[Desired { app: &case.app, since: 0 }],
            hosts: &case.hosts,
            demand: &Demand::new(),
            local_stores: &BTreeSet::new(),
            homes: &BTreeMap::new(),
        });
        let hosts = plan.assignments.values().next().unwrap();
        prop_assert_eq!(hosts, &by_full_search(&case));
    }
}
