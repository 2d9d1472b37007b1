//! The standby components of a host: fetched and compiled ahead, so that the host can run them at
//! once when another host is lost.

use std::collections::BTreeSet;

use super::Input;
use super::hosts::HostNumber;
use super::id::{ComponentId, HostId};
use super::placer::{AllowedHosts, Placer};
use crate::label::{LabelName, LabelValue};

/// Returns the components that `me` does not run, but would run if any single host left, or all
/// hosts with the same value of `label`, the label of clouds.
///
/// For a value of the label, this is the plan without those hosts. For a single host, of which
/// there may be a thousand, each component is placed again on its own: if capacity is short, the
/// moves of other components are ignored.
#[must_use]
pub fn standby_components(
    input: &Input<'_>,
    me: &HostId,
    label: &LabelName,
) -> BTreeSet<ComponentId> {
    let mut placer = Placer::new(input, input.hosts.iter());
    placer.place_all();
    let Some(number) = placer.hosts.number(me) else {
        return BTreeSet::new();
    };
    let runs = runs(&placer, number);
    let mut standbys = if_a_host_left(&mut placer, number);
    // A store that the plan creates exists by the time a cloud is lost.
    let homes = placer.into_plan().homes;
    let input = Input {
        homes: &homes,
        ..*input
    };
    for value in values(&input, me, label) {
        let stays = |labels: &crate::label::Labels| labels.get(label) != Some(value);
        let hosts = input.hosts.iter().filter(|host| stays(&host.labels));
        let mut placer = Placer::new(&input, hosts);
        placer.place_all();
        if let Some(me) = placer.hosts.number(me) {
            standbys.extend(self::runs(&placer, me));
        }
    }
    standbys.difference(&runs).cloned().collect()
}

/// The label values of other hosts that `me` does not have.
fn values<'a>(input: &Input<'a>, me: &HostId, label: &LabelName) -> BTreeSet<&'a LabelValue> {
    let of_hosts = |is_mine: bool| {
        let hosts = input.hosts.iter();
        let hosts = hosts.filter(move |host| (host.id == *me) == is_mine);
        hosts.filter_map(|host| host.labels.get(label))
    };
    let mine: BTreeSet<_> = of_hosts(true).collect();
    of_hosts(false)
        .filter(|value| !mine.contains(value))
        .collect()
}

fn runs(placer: &Placer<'_>, host: HostNumber) -> BTreeSet<ComponentId> {
    let units = placer.units.all.iter().zip(&placer.placed);
    units
        .filter(|(_, placed)| placed.contains(&host))
        .flat_map(|(unit, _)| unit.ids())
        .collect()
}

fn if_a_host_left(placer: &mut Placer<'_>, me: HostNumber) -> BTreeSet<ComponentId> {
    let mut standbys = BTreeSet::new();
    for number in 0..placer.units.all.len() {
        // A unit with a store stays on the host of the store.
        if placer.allowed_hosts(number) != AllowedHosts::Any || placer.placed[number].contains(&me)
        {
            continue;
        }
        let hosts: BTreeSet<_> = placer.placed[number].iter().copied().collect();
        let would_run = hosts
            .into_iter()
            .any(|lost| placer.without(number, lost).contains(&me));
        if would_run {
            standbys.extend(placer.units.all[number].ids());
        }
    }
    standbys
}
