//! What is said before a lattice that others use is broken, and the name that has to be typed.

use std::io::{BufRead, Read, stdin};

use super::Fault;
use super::watcher::Running;
use crate::failure::{Failure, Kind};
use crate::output;

/// The most bytes of a line that are read: the name of a lattice is shorter.
const LINE_BYTES_MAX: u64 = 1024;

/// What is to be lost.
pub(super) struct Warning<'a> {
    pub(super) fault: Fault,
    pub(super) lattice: &'a str,
    /// All hosts, as people tell them apart.
    pub(super) hosts: &'a [String],
    pub(super) victims: &'a [usize],
    pub(super) running: &'a Running,
}

impl Warning<'_> {
    pub(super) fn text(&self) -> String {
        let Self { fault, lattice, .. } = self;
        let hosts = self.hosts.len();
        let mut lines = vec![format!(
            "{} on lattice `{lattice}` of {hosts} hosts, which is in use",
            fault.name()
        )];
        let what = match fault {
            Fault::StopHost => "hangs",
            Fault::KillHost | Fault::LoseCloud | Fault::KillNats => {
                "ends at once; whoever runs it has to start it again"
            }
        };
        for victim in self.victims {
            lines.push(format!("  host {} {what}", self.hosts[*victim]));
            lines.extend(self.running.get(victim).into_iter().flatten().map(|it| {
                let (app, component) = it;
                let elsewhere = self.elsewhere(it);
                match elsewhere.as_str() {
                    "" => format!("    {app}/{component} runs nowhere else"),
                    hosts => format!("    {app}/{component} also runs on {hosts}"),
                }
            }));
        }
        if *fault == Fault::LoseCloud {
            lines.push("  NATS servers of the cloud go on: `weft` does not run them".to_owned());
        }
        lines.join("\n")
    }

    /// The hosts that have a component and survive.
    fn elsewhere(&self, component: &(String, String)) -> String {
        let has = self
            .running
            .iter()
            .filter(|(host, runs)| !self.victims.contains(host) && runs.contains(component));
        let names = has.filter_map(|(host, _)| self.hosts.get(*host));
        names.cloned().collect::<Vec<_>>().join(", ")
    }
}

/// Asks for the name of the lattice on standard error, and reads it from standard input.
///
/// # Errors
/// If it is another one, or nothing is typed.
pub(super) async fn ask(lattice: &str) -> Result<(), Failure> {
    output::note(&format!(
        "type the name of the lattice, `{lattice}`, to go on:"
    ));
    // While nobody types, the bus goes on.
    let read = tokio::task::spawn_blocking(line).await;
    let typed = read.ok().and_then(Result::ok).unwrap_or_default();
    check(&typed, lattice)
}

/// Whether what was typed is the name of the lattice.
///
/// # Errors
/// If it is not.
pub(super) fn check(typed: &str, lattice: &str) -> Result<(), Failure> {
    let message = match typed.trim() {
        typed if typed == lattice => return Ok(()),
        "" => format!("the name of the lattice, `{lattice}`, was not typed: nothing was broken"),
        typed => {
            format!(
                "expected the name of the lattice, `{lattice}`, found `{typed}`: nothing was broken"
            )
        }
    };
    Err(Failure::new(Kind::Input, message)
        .or_help(format!("type it when asked, or give `--confirm {lattice}`")))
}

fn line() -> std::io::Result<String> {
    let mut line = String::new();
    stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn only_the_name_of_the_lattice_agrees() {
        for typed in ["prod", "prod\n", " prod \r\n"] {
            assert!(check(typed, "prod").is_ok(), "{typed:?}");
        }
        for typed in ["", "\n", "yes", "Prod", "pro", "prod prod"] {
            let refused = check(typed, "prod").unwrap_err();
            assert_eq!(refused.kind(), Kind::Input, "{typed:?}");
        }
    }

    #[test]
    fn who_is_asked_sees_what_is_lost_and_what_of_it_runs_nowhere_else() {
        let runs = |names: &[&str]| -> BTreeSet<_> {
            let names = names.iter();
            names
                .map(|name| ("shop".to_owned(), (*name).to_owned()))
                .collect()
        };
        let running = Running::from([
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
            "stop-host on lattice `prod` of 3 hosts, which is in use\n  \
               host `b2` hangs\n    \
                 shop/cart also runs on `a1`\n    \
                 shop/orders also runs on `c3`"
        );
        let cloud = text(Fault::LoseCloud, &[1, 2]);
        assert!(cloud.contains("shop/orders runs nowhere else"), "{cloud}");
        assert!(cloud.contains("NATS servers of the cloud go on"), "{cloud}");
    }
}
