//! The scenario of a world, generated from its seed: hosts, apps and their changes, faults, calls.

mod apps;
mod faults;

use std::collections::BTreeMap;
use std::time::Duration;

use weft_lattice_config::{App, AppName, NameError, placement};
use weft_membership::HostId;

pub(crate) use self::faults::{Fault, FaultKind, MessageFaults};
use crate::rng::{Purpose, Rng};

/// The most hosts of a world.
pub const HOSTS_MAX: usize = 100;

/// The time of the first deploys: the hosts have met by then.
const DEPLOYS_BEGIN: Duration = Duration::from_secs(3);

/// The earliest start of a fault: the first apps run by then.
const FAULTS_BEGIN: Duration = Duration::from_secs(7);

/// A host of the scenario, running or not.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) id: HostId,
    /// Its id, for placement.
    pub(crate) name: placement::HostId,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) capacity: Option<u64>,
    pub(crate) cloud: usize,
    /// The offset of its wall clock from the true time. No behaviour may depend on it.
    pub(crate) wall_ahead_ms: u64,
    /// The most calls it runs at once.
    pub(crate) limit: u32,
    pub(crate) starts_at: Duration,
}

/// A change of the desired state.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Deploy(Box<App>),
    Remove(AppName),
}

/// A scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) sites: Vec<Site>,
    pub(crate) changes: Vec<(Duration, Change)>,
    pub(crate) faults: Vec<Fault>,
    /// The end of all faults.
    pub(crate) faults_end_at: Duration,
    /// The longest pause between two calls.
    pub(crate) calls_every: Duration,
    /// The chance, in percent, that a host rejects a call as busy, while there are faults.
    pub(crate) busy_percent: u32,
}

impl Scenario {
    /// Generates the scenario of a seed, with at most `hosts_max` hosts.
    ///
    /// # Errors
    /// If a host's id is not valid for placement, which does not happen.
    pub(crate) fn from_seed(seed: u64, hosts_max: usize) -> Result<Self, NameError> {
        let rng = &mut Rng::new(seed, Purpose::Scenario);
        let hosts = hosts(rng).min(hosts_max.max(1));
        let faulty_secs = if hosts > 40 { 10..=20 } else { 10..=50 };
        let faults_end_at = FAULTS_BEGIN + Duration::from_secs(rng.in_range(faulty_secs) as u64);
        let sites = (0..hosts).map(|_| site(rng));
        let sites = sites.collect::<Result<Vec<_>, _>>()?;
        let faults = faults::generate(rng, &sites, FAULTS_BEGIN..faults_end_at);
        let changes = changes(rng, hosts, &faults, faults_end_at);
        Ok(Self {
            changes,
            faults,
            faults_end_at,
            calls_every: rng.millis(20..=200),
            busy_percent: [0, 0, 5, 20][rng.below(4)],
            sites,
        })
    }

    /// The number of a host.
    pub(crate) fn number(&self, id: HostId) -> Option<usize> {
        self.sites.iter().position(|site| site.id == id)
    }
}

/// Most worlds are small, because most bugs show between a few hosts; some are as large as
/// possible.
fn hosts(rng: &mut Rng) -> usize {
    match rng.below(200) {
        0..130 => rng.in_range(1..=6),
        130..188 => rng.in_range(7..=14),
        188..199 => rng.in_range(15..=40),
        _ => rng.in_range(41..=HOSTS_MAX),
    }
}

fn site(rng: &mut Rng) -> Result<Site, NameError> {
    const HOUR_MS: usize = 3_600_000;
    let mut key = [0; 32];
    for part in key.chunks_mut(8) {
        part.copy_from_slice(&rng.next_u64().to_le_bytes());
    }
    let cloud = rng.below(3);
    let zone = format!("z{}", rng.below(2));
    let labels = [
        ("cloud", ["east", "west", "north"][cloud]),
        ("region", "r"),
        ("zone", &zone),
        ("disk", if rng.percent(50) { "ssd" } else { "hdd" }),
    ];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let capacity = rng.percent(30).then(|| rng.in_range(4..=20) as u64);
    let id = HostId::from_key(key);
    Ok(Site {
        id,
        name: id.to_string().parse()?,
        labels: labels.into(),
        capacity,
        cloud,
        wall_ahead_ms: rng.below(HOUR_MS) as u64,
        limit: rng.in_range(24..=200) as u32,
        starts_at: rng.millis(0..=1_500),
    })
}

fn changes(
    rng: &mut Rng,
    hosts: usize,
    faults: &[Fault],
    faults_end_at: Duration,
) -> Vec<(Duration, Change)> {
    let count = rng.in_range(1..=(1 + hosts / 4).min(8));
    let names: Vec<AppName> = (0..count)
        .filter_map(|number| format!("app{number}").parse().ok())
        .collect();
    let mut changes = Vec::new();
    for name in &names {
        let at = DEPLOYS_BEGIN + rng.millis(0..=500);
        if let Some(app) = apps::generate(rng, name) {
            changes.push((at, Change::Deploy(Box::new(app))));
        }
    }
    // Some changes fall between faults, and some are the last event before the faults end.
    let count = rng.below(6);
    let mut times: Vec<_> = (0..count)
        .map(|_| rng.duration(FAULTS_BEGIN..=faults_end_at))
        .collect();
    // Some changes come just after the store returned with lost records.
    let is_loss =
        |fault: &&Fault| matches!(fault.kind, FaultKind::StoreEmpty | FaultKind::StoreOlder);
    for loss in faults.iter().filter(is_loss) {
        times.push(loss.ends + rng.millis(0..=80));
    }
    for at in times {
        let Some(name) = rng.pick(&names).cloned() else {
            continue;
        };
        if rng.percent(25) {
            changes.push((at, Change::Remove(name)));
        } else if let Some(app) = apps::generate(rng, &name) {
            changes.push((at, Change::Deploy(Box::new(app))));
        }
    }
    changes
}
