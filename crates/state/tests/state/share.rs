//! A host's share of an app while components move.

use std::collections::{BTreeMap, BTreeSet};

use weft_lattice_config::placement::{self, Assignments};
use weft_membership::Moment;
use weft_membership::message::{ComponentId, Contents, HostState, Load};
use weft_membership::message::{HostedComponent, Message, Readiness, Revision};
use weft_membership::{BusStatus, HostId, Identity, Membership, SETTLE_AFTER_START, TICK_EVERY};
use weft_state::desired::share;
use weft_state::store::Deployed;

const ME: u8 = 0;
const OTHER: u8 = 1;

/// The components of the app; the second one requires a label that this host lacks.
const COMPONENTS: [&str; 3] = ["cart", "ledger", "mail"];

struct Case {
    name: &'static str,
    runs_here: &'static [&'static str],
    /// The components that are ready on the other host, with their revisions.
    ready_there: &'static [(&'static str, u64)],
    /// The components planned on the other host; the others have no host.
    planned_there: &'static [&'static str],
    planned_here: &'static [&'static str],
    expected: &'static [&'static str],
}

#[test]
fn a_moving_component_stays_until_it_is_ready_on_its_new_host() {
    let cases = [
        Case {
            name: "planned here: runs here",
            runs_here: &[],
            ready_there: &[],
            planned_there: &[],
            planned_here: &["cart"],
            expected: &["cart"],
        },
        Case {
            name: "not ready there: stays",
            runs_here: &["cart"],
            ready_there: &[],
            planned_there: &["cart"],
            planned_here: &[],
            expected: &["cart"],
        },
        Case {
            name: "ready there at an earlier revision: stays",
            runs_here: &["cart"],
            ready_there: &[("cart", 1)],
            planned_there: &["cart"],
            planned_here: &[],
            expected: &["cart"],
        },
        Case {
            name: "ready there: leaves",
            runs_here: &["cart"],
            ready_there: &[("cart", 2)],
            planned_there: &["cart"],
            planned_here: &[],
            expected: &[],
        },
        Case {
            name: "without a host: stays",
            runs_here: &["mail"],
            ready_there: &[],
            planned_there: &[],
            planned_here: &[],
            expected: &["mail"],
        },
        Case {
            name: "requires a label that this host lacks, not ready there: stays",
            runs_here: &["ledger"],
            ready_there: &[],
            planned_there: &["ledger"],
            planned_here: &[],
            expected: &["ledger"],
        },
        Case {
            name: "requires a label that no host has: stays",
            runs_here: &["ledger"],
            ready_there: &[],
            planned_there: &[],
            planned_here: &[],
            expected: &["ledger"],
        },
        Case {
            name: "requires a label that this host lacks, ready there: leaves",
            runs_here: &["ledger"],
            ready_there: &[("ledger", 2)],
            planned_there: &["ledger"],
            planned_here: &[],
            expected: &[],
        },
        Case {
            name: "one of two components planned there, not ready: stays",
            runs_here: &["mail"],
            ready_there: &[],
            planned_there: &["cart", "mail"],
            planned_here: &[],
            expected: &["mail"],
        },
    ];
    for case in cases {
        let runs: BTreeSet<_> = names(case.runs_here).collect();
        let membership = membership(case.ready_there);
        let mut assignments = Assignments::new();
        for name in COMPONENTS {
            let here = case.planned_here.contains(&name).then(|| id(ME));
            let there = case.planned_there.contains(&name).then(|| id(OTHER));
            let hosts = here.into_iter().chain(there).collect();
            assignments.insert(format!("shop/{name}").parse().unwrap(), hosts);
        }
        let share = share(&deployed(), &id(ME), &assignments, &runs, membership.view());
        let expected: BTreeSet<_> = names(case.expected).collect();
        assert_eq!(share, expected, "{}", case.name);
    }
}

fn names(names: &[&str]) -> impl Iterator<Item = weft_lattice_config::ComponentName> {
    names.iter().map(|name| name.parse().unwrap())
}

fn id(key: u8) -> placement::HostId {
    host(key).to_string().parse().unwrap()
}

fn host(key: u8) -> HostId {
    HostId::from_key([key; 32])
}

/// The app at its second revision.
fn deployed() -> Deployed {
    let components = COMPONENTS.map(|name| {
        let digest = format!("sha256:{}", "0".repeat(64));
        let mut component = serde_json::json!({ "name": name, "source": { "digest": digest } });
        if name == "ledger" {
            component["placement"] = serde_json::json!({ "require": { "vault": "yes" } });
        }
        component
    });
    let app = serde_json::json!({
        "apiVersion": "weft.dev/v1alpha1",
        "kind": "App",
        "metadata": { "name": "shop" },
        "spec": { "components": components },
    });
    Deployed {
        revision: 2,
        changed_at_ms: 0,
        app: serde_json::from_value(app).unwrap(),
        claimed_at_ms: BTreeMap::new(),
        previous: BTreeSet::new(),
    }
}

/// The view of this host, with another host that has these components ready.
fn membership(ready_there: &[(&str, u64)]) -> Membership {
    let identity = |key| Identity {
        lattice: "demo".to_owned(),
        host: host(key),
        incarnation: 1,
    };
    let components = ready_there.iter().map(|(name, revision)| HostedComponent {
        component: ComponentId {
            app: "shop".parse().unwrap(),
            component: name.parse().unwrap(),
        },
        revision: Revision(*revision),
        readiness: Readiness::Ready,
    });
    let contents = Contents {
        components: components.collect(),
        ..Contents::default()
    };
    let mut own = Membership::new(identity(ME), Contents::default()).unwrap();
    let mut other = Membership::new(identity(OTHER), contents).unwrap();
    other.set_state(HostState::Ready);
    own.on_bus(Moment::START, BusStatus::Connected);
    let heartbeat = Message::Heartbeat(other.heartbeat(0, Load::default()));
    let inventory = Message::Inventory(other.inventory());
    for message in [heartbeat, inventory] {
        let bytes = message.encode("demo").unwrap();
        own.on_bytes(Moment::START, &bytes).unwrap();
    }
    // Ticks as often as due: otherwise the host would take itself for hung.
    let mut now = Moment::START;
    while now < Moment::START + SETTLE_AFTER_START {
        now = now + TICK_EVERY;
        own.tick(now);
    }
    own
}
