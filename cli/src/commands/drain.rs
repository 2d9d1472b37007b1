//! `weft drain`: drains a host.

use clap::Args;
use serde::Serialize;
use weft_control::operating::Staying;
use weft_control::{DrainReport, DrainRequest, HostRef};

use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Report};
use crate::progress::Progress;
use crate::wait::{self, WaitTimeout};

const AFTER_HELP: &str = "\
Examples:
  weft drain north --wait                 move all components to other hosts, and wait until done
  weft drain north --undo                 let the host take work again

A drained host keeps running. It takes calls only if no other host has the component, and keeps
components that no other host may run, such as those linked to a store on its disk. SIGTERM drains
a host before it ends. A restart undoes the drain.";

/// Drain a host: move its components to other hosts
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Drain {
    /// Name or id prefix of the host
    #[arg(value_name = "HOST")]
    host: HostRef,
    /// Undo the drain: let the host take work again
    #[arg(long, conflicts_with_all = ["wait", "timeout"])]
    undo: bool,
    /// Wait until the host is drained
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    timeout: WaitTimeout,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    options: HostOptions,
}

/// The progress of a drain.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(DrainReport);

impl Drain {
    /// Runs the command.
    ///
    /// # Errors
    /// The host is missing, or not drained when the timeout expires.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.options).await?;
        let request = DrainRequest { undo: self.undo };
        let mut report = client.drain(&self.host, request).await?;
        if self.wait {
            let _line = Progress::start(&format!("{}: finishing its requests", self.host));
            let poll = async || Ok(client.drained(&self.host).await?);
            report = wait::until(self.timeout.get(), poll, DrainReport::is_done).await?;
        }
        let (is_done, name) = (report.is_done(), report.host.clone());
        output::report(&Shown(report), self.output)?;
        if self.wait && !is_done {
            let message = format!(
                "host `{name}` is not drained after {:?}",
                self.timeout.get()
            );
            return Err(Failure::new(Kind::Failed, message).or_help(
                "`weft get placements` shows the hosts of its components, and what blocks a move",
            ));
        }
        Ok(())
    }
}

impl Report for Shown {
    fn text(&self) -> String {
        let DrainReport {
            host,
            status,
            leaving,
            staying,
            ..
        } = &self.0;
        let mut lines = vec![match (status.as_str(), self.0.is_done()) {
            ("draining", true) => format!("{host}: drained, no components left"),
            _ => format!("{host}: {status}"),
        }];
        if status == "draining" {
            let leaving = leaving.iter();
            lines.extend(leaving.map(|component| format!("  {component} moves to other hosts")));
            lines.extend(staying.iter().map(|Staying { component, why }| {
                format!("  {component} stays: {}", why.join("; "))
            }));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: &str, leaving: &[&str], staying: &[&str]) -> String {
        let stay = |component: &&str| Staying {
            component: (*component).to_owned(),
            why: vec!["1 host: about to leave".to_owned()],
        };
        Shown(DrainReport {
            host: "north".to_owned(),
            id: "habc".to_owned(),
            status: status.to_owned(),
            leaving: leaving.iter().map(|&it| it.to_owned()).collect(),
            staying: staying.iter().map(stay).collect(),
        })
        .text()
    }

    #[test]
    fn the_text_lists_the_remaining_components_with_reasons() {
        assert_eq!(
            report("draining", &[], &[]),
            "north: drained, no components left"
        );
        assert_eq!(report("ready", &["shop/cart"], &[]), "north: ready");
        let expected = "north: draining\n  shop/cart moves to other hosts\n  \
                        shop/orders stays: 1 host: about to leave";
        assert_eq!(
            report("draining", &["shop/cart"], &["shop/orders"]),
            expected
        );
    }
}
