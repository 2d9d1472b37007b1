//! What a host should fetch and compile ahead, so that it can run it at once when another is lost.

use std::collections::BTreeSet;

use super::Input;
use super::hosts::HostNumber;
use super::id::{ComponentId, HostId};
use super::placer::{AllowedHosts, Placer};
use crate::label::{LabelName, LabelValue};

/// The components that `me` does not run, and would if any one host left, or all hosts with any one value
/// of `label`, which is the one of clouds.
///
/// For a value of the label this is the plan without those hosts. For single hosts, of which there may be a
/// thousand, each component is placed anew by itself: where capacity is short, what else would have to move
/// is not followed.
#[must_use]
pub fn ahead(input: &Input<'_>, me: &HostId, label: &LabelName) -> BTreeSet<ComponentId> {
    let mut placer = Placer::new(input, input.hosts.iter());
    placer.place_all();
    let Some(number) = placer.hosts.number(me) else {
        return BTreeSet::new();
    };
    let runs = runs(&placer, number);
    let mut ahead = if_a_host_left(&mut placer, number);
    // A store that is made by the plan is there when a cloud is lost.
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
            ahead.extend(self::runs(&placer, me));
        }
    }
    ahead.difference(&runs).cloned().collect()
}

/// The values of other hosts, each once.
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
    let mut ahead = BTreeSet::new();
    for number in 0..placer.units.all.len() {
        // What is bound to a store stays where the store is.
        if placer.allowed_hosts(number) != AllowedHosts::Any || placer.placed[number].contains(&me)
        {
            continue;
        }
        let hosts: BTreeSet<_> = placer.placed[number].iter().copied().collect();
        let would_run = hosts
            .into_iter()
            .any(|lost| placer.without(number, lost).contains(&me));
        if would_run {
            ahead.extend(placer.units.all[number].ids());
        }
    }
    ahead
}
