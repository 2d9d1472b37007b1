//! The warning before a fault is injected into a live lattice, and its confirmation by name.

use super::Fault;
use super::observer::ComponentsByHost;
use crate::failure::{Failure, Kind};
use crate::{consent, output};

/// A planned fault and its effects.
pub(super) struct Warning<'a> {
    pub(super) fault: Fault,
    pub(super) lattice: &'a str,
    /// The display names of all hosts.
    pub(super) hosts: &'a [String],
    pub(super) victims: &'a [usize],
    pub(super) running: &'a ComponentsByHost,
}

impl Warning<'_> {
    pub(super) fn text(&self) -> String {
        let Self { fault, lattice, .. } = self;
        let hosts = self.hosts.len();
        let mut lines = vec![format!(
            "{} on live lattice `{lattice}` of {hosts} hosts",
            fault.name()
        )];
        let effect = match fault {
            Fault::StopHost => "is suspended",
            Fault::KillHost | Fault::LoseCloud | Fault::KillNats => {
                "is killed; its operator must restart it"
            }
        };
        for victim in self.victims {
            lines.push(format!("  host {} {effect}", self.hosts[*victim]));
            lines.extend(self.running.get(victim).into_iter().flatten().map(|it| {
                let (app, component) = it;
                let elsewhere = self.elsewhere(it);
                match elsewhere.as_str() {
                    "" => format!("    {app}/{component} has no other replica"),
                    hosts => format!("    {app}/{component} also runs on {hosts}"),
                }
            }));
        }
        if *fault == Fault::LoseCloud {
            lines.push(
                "  NATS servers of the cloud keep running: weft does not manage them".to_owned(),
            );
        }
        lines.join("\n")
    }

    /// The surviving hosts that run a component.
    fn elsewhere(&self, component: &(String, String)) -> String {
        let has = self
            .running
            .iter()
            .filter(|(host, runs)| !self.victims.contains(host) && runs.contains(component));
        let names = has.filter_map(|(host, _)| self.hosts.get(*host));
        names.cloned().collect::<Vec<_>>().join(", ")
    }
}

/// Prompts for the name of the lattice on standard error, and reads it from standard input.
///
/// # Errors
/// The name is missing or different.
pub(super) async fn prompt(lattice: &str) -> Result<(), Failure> {
    output::note(&format!("type the lattice name, `{lattice}`, to continue:"));
    check(&consent::line().await, lattice)
}

/// Checks the typed name of the lattice.
///
/// # Errors
/// The name is missing or different.
pub(super) fn check(typed: &str, lattice: &str) -> Result<(), Failure> {
    let message = match typed.trim() {
        typed if typed == lattice => return Ok(()),
        "" => format!("lattice name `{lattice}` was not typed: no fault was injected"),
        typed => {
            format!("expected lattice name `{lattice}`, found `{typed}`: no fault was injected")
        }
    };
    Err(Failure::new(Kind::Input, message).or_help(format!(
        "type the name at the prompt, or give `--confirm {lattice}`"
    )))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn only_the_name_of_the_lattice_confirms_a_drill() {
        for typed in ["prod", "prod\n", " prod \r\n"] {
            assert!(check(typed, "prod").is_ok(), "{typed:?}");
        }
        for typed in ["", "\n", "yes", "Prod", "pro", "prod prod"] {
            let refused = check(typed, "prod").unwrap_err();
            assert_eq!(refused.kind(), Kind::Input, "{typed:?}");
        }
    }

    #[test]
    fn the_warning_lists_lost_components_and_their_other_replicas() {
        let runs = |names: &[&str]| -> BTreeSet<_> {
            let names = names.iter();
            names
                .map(|name| ("shop".to_owned(), (*name).to_owned()))
                .collect()
        };
        let running = ComponentsByHost::from([
            (0, runs(&["cart"])),
            (1, runs(&["cart", "orders"])),
            (2, runs(&["orders"])),
        ]);
        let hosts = ["`a1`", "`b2`", "`c3`"].map(str::to_owned);
        let text = |fault, victims: &[usize]| {
            Warning {
                fault,
                lattice: "prod",
                hosts: &hosts,
                victims,
                running: &running,
            }
            .text()
        };
        assert_eq!(
            text(Fault::StopHost, &[1]),
            "stop-host on live lattice `prod` of 3 hosts\n  \
            host `b2` is suspended\n    \
                 shop/cart also runs on `a1`\n    \
                 shop/orders also runs on `c3`"
        );
        let cloud = text(Fault::LoseCloud, &[1, 2]);
        assert!(
            cloud.contains("shop/orders has no other replica"),
            "{cloud}"
        );
        assert!(
            cloud.contains("NATS servers of the cloud keep running"),
            "{cloud}"
        );
    }
}
