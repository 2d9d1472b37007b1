//! Lattices for the placement tests: fixed and random ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::num::NonZeroU32;
use std::str::FromStr;

use proptest::prelude::*;
use serde_json::Map;
use weft_lattice_config::placement::{
    Assignments, ComponentId, Demand, Desired, Host, HostId, HostState, Input, Plan, StoreId, plan,
};
use weft_lattice_config::{
    ApiVersion, App, AppSpec, ComponentName, ComponentSpec, Instances, Kind, LabelValues, Limits,
    LinkSpec, Locality, Metadata, Placement, ProviderSpec, Source,
};

/// A type of provider that stores its data on its host.
pub(crate) const LOCAL_STORE: &str = "keyvalue-redb";

/// The input of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lattice {
    pub(crate) apps: Vec<App>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) demand: Demand,
    pub(crate) homes: BTreeMap<StoreId, HostId>,
}

impl Lattice {
    /// Creates a lattice whose apps were deployed in the order of the list.
    pub(crate) fn new(apps: Vec<App>, hosts: Vec<Host>) -> Lattice {
        Lattice {
            apps,
            hosts,
            ..Lattice::default()
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        self.with_input(plan)
    }

    pub(crate) fn with_input<T>(&self, run: impl FnOnce(&Input<'_>) -> T) -> T {
        let apps = self.apps.iter().zip(0..);
        let apps: Vec<_> = apps.map(|(app, since)| Desired { app, since }).collect();
        self.with_apps(&apps, run)
    }

    /// Plans with another age of the apps than their index in the list.
    pub(crate) fn plan_since(&self, since: impl Fn(&App) -> u64) -> Plan {
        let apps = self.apps.iter();
        let apps: Vec<_> = apps
            .map(|app| Desired {
                app,
                since: since(app),
            })
            .collect();
        self.with_apps(&apps, plan)
    }

    fn with_apps<T>(&self, apps: &[Desired<'_>], run: impl FnOnce(&Input<'_>) -> T) -> T {
        run(&Input {
            apps,
            hosts: &self.hosts,
            demand: &self.demand,
            local_stores: &BTreeSet::from([LOCAL_STORE.to_owned()]),
            homes: &self.homes,
        })
    }

    pub(crate) fn without(&self, host: &HostId) -> Lattice {
        let mut lattice = self.clone();
        lattice.hosts.retain(|it| it.id != *host);
        lattice
    }

    pub(crate) fn host(&self, id: &HostId) -> &Host {
        self.hosts
            .iter()
            .find(|host| host.id == *id)
            .expect("a host")
    }

    pub(crate) fn components(&self) -> impl Iterator<Item = (ComponentId, &App, &ComponentSpec)> {
        self.apps.iter().flat_map(|app| {
            let components = app.spec.components.iter();
            components.map(move |component| (id_of(app, &component.name), app, component))
        })
    }
}

pub(crate) fn parse<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("well formed")
}

pub(crate) fn id_of(app: &App, component: &ComponentName) -> ComponentId {
    ComponentId {
        app: app.metadata.name.clone(),
        component: component.clone(),
    }
}

pub(crate) fn count(hosts: &[HostId], host: &HostId) -> usize {
    hosts.iter().filter(|it| *it == host).count()
}

/// The hosts that run fewer replicas of any component after a change than before.
pub(crate) fn losers(before: &Assignments, after: &Assignments) -> BTreeSet<HostId> {
    let pairs = before
        .iter()
        .filter_map(|(id, hosts)| Some((hosts, after.get(id)?)));
    pairs
        .flat_map(|(before, after)| {
            let lost = before
                .iter()
                .filter(|host| count(before, host) > count(after, host));
            lost.cloned().collect::<Vec<_>>()
        })
        .collect()
}

// === fixed lattices ===

pub(crate) fn host(id: &str, labels: &[(&str, &str)]) -> Host {
    let labels = labels.iter();
    Host {
        id: parse(id),
        labels: labels
            .map(|(name, value)| (parse(name), parse(value)))
            .collect(),
        capacity: None,
        state: HostState::Ready,
    }
}

pub(crate) fn hosts(count: usize) -> Vec<Host> {
    (0..count)
        .map(|number| host(&format!("h{number}"), &[]))
        .collect()
}

pub(crate) fn app(name: &str, components: Vec<ComponentSpec>, links: &[(&str, &str)]) -> App {
    App {
        api_version: ApiVersion::V1Alpha1,
        kind: Kind::App,
        metadata: Metadata {
            name: parse(name),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        },
        spec: AppSpec {
            components,
            links: links.iter().map(|(from, to)| link(from, to)).collect(),
            ..AppSpec::default()
        },
    }
}

pub(crate) fn link(from: &str, to: &str) -> LinkSpec {
    LinkSpec {
        from: parse(from),
        interface: parse("a:b/c"),
        name: None,
        to: parse(to),
        locality: Locality::Auto,
        deadline: None,
        idempotent: false,
        config: Map::new(),
    }
}

pub(crate) fn component(name: &str, replicas: u32, placement: Placement) -> ComponentSpec {
    ComponentSpec {
        name: parse(name),
        source: Source::File("a.wasm".to_owned()),
        build: None,
        wit: None,
        env: BTreeMap::new(),
        instances: Instances::PerRequest,
        isolate: false,
        limits: Limits::default(),
        replicas: NonZeroU32::new(replicas).expect("not zero"),
        placement,
    }
}

pub(crate) fn anywhere() -> Placement {
    Placement::default()
}

pub(crate) fn store(name: &str) -> ProviderSpec {
    ProviderSpec {
        name: parse(name),
        kind: LOCAL_STORE.to_owned(),
        config: Map::new(),
    }
}

// === random lattices ===

/// The features that a random lattice may have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Features {
    pub(crate) capacity: bool,
    pub(crate) anti_affinity: bool,
    pub(crate) stores: bool,
    /// Draining and frozen hosts.
    pub(crate) states: bool,
}

pub(crate) const EVERYTHING: Features = Features {
    capacity: true,
    anti_affinity: true,
    stores: true,
    states: true,
};

pub(crate) fn lattices(features: Features) -> impl Strategy<Value = Lattice> {
    let hosts = prop_oneof![12 => 0_usize..10, 1 => 36_usize..42];
    let hosts = hosts.prop_flat_map(move |count| {
        (0..count)
            .map(|number| any_host(number, features))
            .collect::<Vec<_>>()
    });
    let apps = (0_usize..4).prop_flat_map(move |count| {
        (0..count)
            .map(|number| any_app(number, features))
            .collect::<Vec<_>>()
    });
    (hosts, apps, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        move |(hosts, apps, home, has_home)| {
            let mut lattice = Lattice::new(apps, hosts);
            let first = lattice.components().next().map(|(id, ..)| id);
            if let Some(id) = first {
                lattice
                    .demand
                    .insert(id, NonZeroU32::new(2).expect("not zero"));
            }
            if features.stores && has_home {
                // May be a host that is not in the lattice.
                let host = parse(&format!("h{}", home.index(lattice.hosts.len() + 1)));
                let store = StoreId {
                    app: parse("app-0"),
                    provider: parse("db"),
                };
                lattice.homes.insert(store, host);
            }
            lattice
        },
    )
}

fn any_host(number: usize, features: Features) -> impl Strategy<Value = Host> {
    let label = |name: &'static str, values: &'static [&'static str]| {
        let value = prop::option::weighted(0.9, prop::sample::select(values));
        value.prop_map(move |value| value.map(|value| (parse(name), parse(value))))
    };
    let labels = (
        label("cloud", &["aws", "gcp", "azure"]),
        label("disk", &["ssd", "hdd"]),
    );
    let capacity = prop::option::weighted(0.8, 0_u64..12);
    let state = prop_oneof![
        8 => Just(HostState::Ready),
        1 => Just(HostState::Draining),
        1 => prop::collection::btree_set((0..3_u8, 0..6_u8), 0..8).prop_map(|runs| {
            let ids = runs.into_iter().map(|(app, name)| parse(&format!("app-{app}/c{name}")));
            HostState::Frozen { runs: ids.collect() }
        }),
    ];
    (labels, capacity, state).prop_map(move |((cloud, disk), capacity, state)| Host {
        id: parse(&format!("h{number}")),
        labels: cloud.into_iter().chain(disk).collect(),
        capacity: capacity.filter(|_| features.capacity),
        state: if features.states {
            state
        } else {
            HostState::Ready
        },
    })
}

fn any_app(number: usize, features: Features) -> impl Strategy<Value = App> {
    let placements = prop::collection::vec((1_u32..6, any_placement(features)), 1..6);
    let ends = (0_usize..6, 0_usize..7, prop::bool::weighted(0.15));
    let links = prop::collection::vec(ends, 0..6);
    (placements, links).prop_map(move |(placements, links)| {
        let count = placements.len();
        let components = placements.into_iter().enumerate();
        let components = components.map(|(number, (replicas, mut placement))| {
            // Only existing components other than this one.
            let name = format!("c{number}");
            let others = placement.anti_affinity.iter();
            let others =
                others.filter(|other| (0..count).any(|it| other.as_str() == format!("c{it}")));
            let others = others.filter(|other| other.as_str() != name);
            placement.anti_affinity = others.cloned().collect();
            component(&name, replicas, placement)
        });
        let mut app = app(&format!("app-{number}"), components.collect(), &[]);
        if features.stores {
            app.spec.providers.push(store("db"));
        }
        let has_anti_affinity = |app: &App| {
            let mut components = app.spec.components.iter();
            components.any(|it| !it.placement.anti_affinity.is_empty())
        };
        for (from, to, is_fused) in links {
            let is_store = to == 6;
            if from >= count
                || from == to
                || (!is_store && to >= count)
                || (is_store && !features.stores)
            {
                continue;
            }
            let to = if is_store {
                "db".to_owned()
            } else {
                format!("c{to}")
            };
            let mut link = link(&format!("c{from}"), &to);
            // Anti-affinity between fused components is invalid in a manifest.
            if is_fused && !is_store && !has_anti_affinity(&app) {
                link.locality = Locality::Fused;
            }
            app.spec.links.push(link);
        }
        app
    })
}

fn any_placement(features: Features) -> impl Strategy<Value = Placement> {
    let values = |values: &'static [&'static str]| {
        let values = prop::sample::subsequence(values, 1..=values.len());
        values.prop_map(|values| LabelValues::AnyOf(values.into_iter().map(parse).collect()))
    };
    let clouds = || values(&["aws", "gcp", "azure"]);
    let disks = || values(&["ssd", "hdd", "tape"]);
    let others = prop::collection::vec(0_usize..6, 0..2);
    (
        prop::option::weighted(0.3, clouds()),
        prop::option::weighted(0.3, disks()),
        prop::option::weighted(0.4, prop::sample::select(vec!["cloud", "disk", "rack"])),
        any::<bool>(),
        others,
        1_u32..4,
    )
        .prop_map(
            move |(require, prefer, spread, one_per_host, others, weight)| {
                let others = if features.anti_affinity {
                    others
                } else {
                    Vec::new()
                };
                Placement {
                    require: require
                        .map(|values| (parse("cloud"), values))
                        .into_iter()
                        .collect(),
                    prefer: prefer
                        .map(|values| (parse("disk"), values))
                        .into_iter()
                        .collect(),
                    spread: spread.map(parse),
                    one_per_host,
                    anti_affinity: others.iter().map(|it| parse(&format!("c{it}"))).collect(),
                    weight: NonZeroU32::new(weight).expect("not zero"),
                }
            },
        )
}
