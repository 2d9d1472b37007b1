//! Components that no host may run: none of the lattice has the labels that they require. Waiting
//! for a host does not help their callers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use weft_lattice_config::placement::{Cause, ComponentId, Plan, Reason, Unplaced};
use weft_lattice_config::{App, ComponentSpec};
use weft_membership::View;
use weft_state::desired;

/// The time for which a host that is not available counts as one that may return: longer than a
/// restart and its discovery by others take.
const RETURN_EXPECTED_FOR: Duration = Duration::from_secs(30);

/// The components that no host may run, with the reasons.
pub(super) type Unplaceable = BTreeMap<ComponentId, String>;

/// The components that no host may run, now and later.
pub(super) type UnplaceableWatch = watch::Receiver<Arc<Unplaceable>>;

/// Finds the components that no host may run.
#[derive(Debug, Default)]
pub(super) struct UnplaceableFinder {
    /// Components that only hosts could run that are not available, with the time since when.
    expected: BTreeMap<ComponentId, Instant>,
}

impl UnplaceableFinder {
    /// True if time changes the result.
    pub(super) fn is_waiting(&self) -> bool {
        !self.expected.is_empty()
    }

    /// The components of a plan that no host may run. `app` finds a desired app by its name.
    pub(super) fn find<'a>(
        &mut self,
        plan: &Plan,
        app: impl Fn(&ComponentId) -> Option<&'a App>,
        view: &View,
        now: Instant,
    ) -> Unplaceable {
        let mut expected = BTreeMap::new();
        let mut found = Unplaceable::new();
        for unplaced in plan.unplaced.iter().filter(|it| is_by_label(it)) {
            let id = &unplaced.component;
            let components = app(id).into_iter().flat_map(|app| &app.spec.components);
            let mut component = components.filter(|component| component.name == id.component);
            let may_return = component.any(|component| may_return(component, view));
            let since = self.expected.get(id).copied().unwrap_or(now);
            if may_return && now.saturating_duration_since(since) < RETURN_EXPECTED_FOR {
                expected.insert(id.clone(), since);
            } else {
                found.insert(id.clone(), reason(&unplaced.reasons));
            }
        }
        self.expected = expected;
        found
    }
}

/// True if a component has no host, and labels are what it lacks. Everything else may change
/// without an operator, as when a host returns and brings its capacity or store.
fn is_by_label(unplaced: &Unplaced) -> bool {
    let is_fixed = |reason: &Reason| {
        matches!(
            reason.cause,
            Cause::Label { .. } | Cause::StoreElsewhere { .. }
        )
    };
    let mut reasons = unplaced.reasons.iter();
    unplaced.placed == 0
        && reasons.clone().all(is_fixed)
        && reasons.any(|reason| matches!(reason.cause, Cause::Label { .. }))
}

/// True if a host that takes no part in placement now could run the component, or the labels of a
/// host are not known yet.
fn may_return(component: &ComponentSpec, view: &View) -> bool {
    let mut hosts = view.hosts();
    hosts.any(|host| {
        let is_away = !host.is_placeable() && !host.is_draining();
        host.contents.is_none() || (is_away && desired::has_required_labels(host, component))
    })
}

/// The missing labels, for callers and clients.
fn reason(reasons: &[Reason]) -> String {
    let labels = reasons.iter();
    let labels = labels.filter(|reason| matches!(reason.cause, Cause::Label { .. }));
    let labels: Vec<_> = labels.map(ToString::to_string).collect();
    labels.join("; ")
}

#[cfg(test)]
mod tests {
    use weft_membership::message::{Contents, Labels};

    use super::*;
    use crate::test_support::{OTHER, TestMembership, app_on, host};

    fn reason_of(cause: &str) -> Reason {
        let cause = match cause {
            "label" => Cause::Label {
                name: "host".parse().unwrap(),
                values: vec!["c".parse().unwrap()],
            },
            "elsewhere" => Cause::StoreElsewhere {
                store: "shop/db".parse().unwrap(),
                home: "h1".parse().unwrap(),
            },
            "draining" => Cause::Draining,
            "capacity" => Cause::Capacity { weight: 1 },
            _ => Cause::NoHosts,
        };
        Reason { cause, hosts: 2 }
    }

    fn plan(placed: u32, causes: &[&str]) -> Plan {
        Plan {
            unplaced: vec![Unplaced {
                component: "shop/cart".parse().unwrap(),
                wanted: 2,
                placed,
                reasons: causes.iter().map(|cause| reason_of(cause)).collect(),
            }],
            ..Plan::default()
        }
    }

    fn find(finder: &mut UnplaceableFinder, plan: &Plan, view: &View, now: Instant) -> Vec<String> {
        let shop = app_on("c", "shop", 1);
        let found = finder.find(plan, |_| Some(&shop), view, now);
        found.into_values().collect()
    }

    #[test]
    fn a_component_without_a_host_for_want_of_a_label_is_unplaceable() {
        let view = TestMembership::new().own.view().clone();
        let label = &["2 hosts: label `host` is not `c`"][..];
        for (placed, causes, expected) in [
            (0, &["label"][..], label),
            (0, &["elsewhere", "label"], label),
            (1, &["label"], &[]),
            (0, &["label", "draining"], &[]),
            (0, &["label", "capacity"], &[]),
            (0, &["elsewhere"], &[]),
            (0, &["none"], &[]),
        ] {
            let plan = plan(placed, causes);
            let mut finder = UnplaceableFinder::default();
            let found = find(&mut finder, &plan, &view, Instant::now());
            assert_eq!(found, expected, "{placed} {causes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_component_whose_only_host_is_away_is_unplaceable_after_a_while() {
        for (label, is_fit) in [("c", true), ("d", false)] {
            let mut other = host(OTHER, 1);
            let mut labels = Labels::default();
            labels.set("host", label).unwrap();
            let contents = Contents {
                labels,
                ..Contents::default()
            };
            other.set_contents(contents).unwrap();
            let mut own = TestMembership::new();
            own.advance(Duration::from_secs(3), std::slice::from_mut(&mut other));
            own.receive_inventory(&other);
            own.advance(Duration::from_secs(5), &mut []);
            let (view, plan) = (own.own.view().clone(), plan(0, &["label"]));
            assert!(!view.host(OTHER).unwrap().is_alive());
            let (mut finder, now) = (UnplaceableFinder::default(), Instant::now());
            let first = find(&mut finder, &plan, &view, now);
            assert_eq!(first.is_empty(), is_fit, "{label}");
            assert_eq!(finder.is_waiting(), is_fit, "{label}");
            let later = now + RETURN_EXPECTED_FOR;
            let later = find(&mut finder, &plan, &view, later);
            assert_eq!(later.len(), 1, "{label}");
            assert!(!finder.is_waiting(), "{label}");
        }
    }
}
