//! The faults of the network between hosts, applied to the in-process bus.

use std::collections::BTreeMap;
use std::time::Duration;

use weft_bus::local::{Faults, LocalNetwork};

use crate::scenario::{FaultKind, MessageFaults, Site};

/// The shortest delay of a message.
const DELAY_MIN: Duration = Duration::from_micros(200);

/// The shortest delay between two clouds: about that of a transatlantic line.
const DELAY_MIN_BETWEEN_CLOUDS: Duration = Duration::from_millis(40);

/// A host's name in the network.
pub(crate) fn host_name(host: usize) -> String {
    format!("h{host}")
}

/// The name in the network of a second process of a host's identity.
pub(crate) fn twin_name(host: usize) -> String {
    format!("t{host}")
}

/// The host of a name; `None` for the observer of the world and for second processes.
pub(crate) fn host_of(name: &str) -> Option<usize> {
    name.strip_prefix('h')?.parse().ok()
}

/// The host whose identity the process of a name has; `None` for the observer of the world.
pub(crate) fn identity_of(name: &str) -> Option<usize> {
    host_of(name).or_else(|| name.strip_prefix('t')?.parse().ok())
}

/// Applies the active faults. `isolated` hosts lose all messages without noticing it.
pub(crate) fn set_faults(
    network: &LocalNetwork,
    sites: &[Site],
    active: &[FaultKind],
    isolated: &[usize],
) {
    let mut message_faults = MessageFaults::NONE;
    for fault in active {
        if let FaultKind::MessageFaults(found) = fault {
            message_faults = *found;
        }
    }
    network.heal();
    for (from, sender) in sites.iter().enumerate() {
        for (to, receiver) in sites.iter().enumerate() {
            let is_lost = active.iter().any(|fault| loses(fault, from, to));
            let is_far = sender.cloud != receiver.cloud;
            let faults = faults(message_faults, is_far, is_lost);
            network.set_faults_between(&host_name(from), &host_name(to), faults);
        }
    }
    partition(network, sites.len(), active, isolated);
}

fn faults(message_faults: MessageFaults, is_far: bool, is_lost: bool) -> Faults {
    let percent = |percent: u32| f64::from(percent) / 100.0;
    let delay_min = if is_far {
        DELAY_MIN_BETWEEN_CLOUDS
    } else {
        DELAY_MIN
    };
    Faults {
        delay: delay_min..=delay_min + message_faults.delay_max,
        loss: if is_lost {
            1.0
        } else {
            percent(message_faults.loss_percent)
        },
        duplication: percent(message_faults.duplicate_percent),
        reordering: percent(message_faults.reorder_percent),
    }
}

/// True if a fault loses the messages of one host to another, and the bus does not report it.
fn loses(fault: &FaultKind, from: usize, to: usize) -> bool {
    match fault {
        FaultKind::OneWay { is_sender } => is_sender[from] && !is_sender[to],
        FaultKind::Partition {
            side,
            reports_no_responders: false,
        } => side[from] != side[to],
        _ => false,
    }
}

/// Applies the partitions that the bus reports: hosts are in one group if no partition separates
/// them.
fn partition(network: &LocalNetwork, hosts: usize, active: &[FaultKind], isolated: &[usize]) {
    let mut groups: BTreeMap<Vec<usize>, Vec<String>> = BTreeMap::new();
    for host in 0..hosts {
        let sides = active.iter().filter_map(|fault| match fault {
            FaultKind::Partition {
                side,
                reports_no_responders: true,
            } => Some(usize::from(side[host])),
            _ => None,
        });
        let mut group: Vec<_> = sides.collect();
        if isolated.contains(&host) {
            group.push(host + 2);
        }
        let names = groups.entry(group).or_default();
        names.extend([host_name(host), twin_name(host)]);
    }
    let groups: Vec<Vec<&str>> = groups
        .values()
        .map(|names| names.iter().map(String::as_str).collect())
        .collect();
    let groups: Vec<&[&str]> = groups.iter().map(Vec::as_slice).collect();
    network.partition(&groups);
}
