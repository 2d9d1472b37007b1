//! The time of a plan for a large lattice: 1,000 hosts in three clouds and 10,000 components.
//!
//! `cargo bench -p weft-lattice-config` prints the median and the extremes of several runs on one
//! core for each kind of lattice. The bound is 100 ms, because a host plans again whenever a host
//! joins or leaves. An argument after `--` selects by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::hint::black_box;
use std::str::FromStr;
use std::time::{Duration, Instant};

use weft_lattice_config::App;
use weft_lattice_config::placement::{
    Demand, Desired, Host, HostState, Input, plan, standby_components,
};

const HOSTS: usize = 1000;
const COMPONENTS: usize = 10_000;
/// Enough for a median, within seconds in total.
const RUNS: usize = 15;

fn main() {
    let linked = |number| match number % 10 {
        0 => "replicas: 3, placement: {spread: cloud}",
        1..4 => "replicas: 2",
        _ => "replicas: 1",
    };
    measure("linked, ten in an app", &apps(10, linked), None);
    measure("single, one replica", &apps(1, |_| "replicas: 1"), None);
    measure(
        "single, three over clouds",
        &apps(1, |_| "replicas: 3, placement: {spread: cloud}"),
        None,
    );
    measure(
        "single, five over clouds",
        &apps(1, |_| "replicas: 5, placement: {spread: cloud}"),
        None,
    );
    let mixed = |number| match number % 10 {
        0 => "replicas: 6, placement: {spread: zone, one-per-host: true}",
        1 => "replicas: 2, placement: {require: {cloud: [c0, c1]}, weight: 3}",
        2 => "replicas: 2, placement: {prefer: {disk: d7}, weight: 2}",
        3 => "replicas: 3, placement: {anti-affinity: [c0, c1], spread: cloud}",
        _ => "replicas: 2",
    };
    measure("mixed, with room", &apps(10, mixed), Some(100));
    measure("mixed, nearly full", &apps(10, mixed), Some(32));
    measure("mixed, too little room", &apps(10, mixed), Some(20));
}

fn measure(name: &str, apps: &[App], capacity: Option<u64>) {
    // Cargo passes `--bench`.
    let mut filters = std::env::args().skip(1).filter(|it| !it.starts_with("--"));
    if filters.next().is_some_and(|filter| !name.contains(&filter)) {
        return;
    }
    let hosts: Vec<_> = (0..HOSTS).map(|number| host(number, capacity)).collect();
    let desired: Vec<_> = apps.iter().map(|app| Desired { app, since: 0 }).collect();
    let input = Input {
        apps: &desired,
        hosts: &hosts,
        demand: &Demand::new(),
        local_stores: &BTreeSet::new(),
        homes: &BTreeMap::new(),
    };
    let replicas: usize = plan(&input).assignments.values().map(Vec::len).sum();
    let unplaced = plan(&input).unplaced.len();
    let plans = (0..RUNS).map(|_| time(|| plan(&input)));
    report(
        name,
        plans.collect(),
        &format!("{replicas} replicas, {unplaced} components short"),
    );
    let (me, cloud) = (&hosts[7].id, parse("cloud"));
    let standbys = (0..RUNS / 3).map(|_| time(|| standby_components(&input, me, &cloud)));
    report("  standbys of one host", standbys.collect(), "");
}

fn time<T>(run: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(run());
    start.elapsed()
}

#[expect(clippy::print_stdout, reason = "the results go to standard output")]
fn report(name: &str, mut times: Vec<Duration>, remark: &str) {
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let (median, least, most) = (times[times.len() / 2], times[0], times[times.len() - 1]);
    println!(
        "{name:<28} {:>8.1} ms  ({:.1} to {:.1})  {remark}",
        ms(median),
        ms(least),
        ms(most)
    );
}

fn host(number: usize, capacity: Option<u64>) -> Host {
    let labels = [
        ("cloud", number % 3),
        ("zone", number % 9),
        ("disk", number % 20),
    ];
    let labels = labels.map(|(name, value)| {
        let initial = &name[..1];
        (parse(name), parse(&format!("{initial}{value}")))
    });
    Host {
        id: parse(&format!("host-{number}")),
        labels: labels.into(),
        capacity,
        state: HostState::Ready,
    }
}

/// Apps of this number of components, each linked to the previous one.
fn apps(components: usize, fields: impl Fn(usize) -> &'static str) -> Vec<App> {
    let mut text =
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {name: app}\nspec:\n".to_owned();
    text += "  components:\n";
    for component in 0..components {
        let fields = fields(component);
        text += &format!("  - {{name: c{component}, source: {{file: a}}, {fields}}}\n");
    }
    text += "  links: [";
    for component in 1..components {
        let (from, to) = (component - 1, component);
        text += &format!("{{from: c{from}, interface: 'a:b', to: c{to}}}, ");
    }
    text += "]\n";
    let app = App::from_yaml("app.yaml", &text).expect("a valid manifest");
    let named = |number: usize| {
        let mut app = app.clone();
        app.metadata.name = parse(&format!("app-{number}"));
        app
    };
    (0..COMPONENTS / components).map(named).collect()
}

fn parse<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("well formed")
}
