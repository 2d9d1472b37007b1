//! `weft drain`: has a host give its work to others.

use clap::Args;
use serde::Serialize;
use weft_control::operating::Staying;
use weft_control::{DrainReport, DrainRequest, HostRef};

use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Report};
use crate::polling::{self, AtMost};

const AFTER_HELP: &str = "\
Examples:
  weft drain north --wait                 move what runs on a host elsewhere, and wait until it has
  weft drain north --undo                 let it take work again

The host goes on running, takes calls only if no other host has the component, and keeps what no
other host may run, such as components linked to a store on its disk. A host that is told to end
(SIGTERM) drains by itself. A host that is started again is not drained any more.";

/// Have a host give its work to others
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Drain {
    /// The host: its name, or the beginning of its id
    #[arg(value_name = "HOST")]
    host: HostRef,
    /// Let the host take work again
    #[arg(long, conflicts_with_all = ["wait", "timeout"])]
    undo: bool,
    /// Wait until nothing runs there any more
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    at_most: AtMost,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    options: HostOptions,
}

/// How far a host is.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(DrainReport);

impl Drain {
    /// Runs the command.
    ///
    /// # Errors
    /// The host is not there, or something still runs there when the time is over.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.options).await?;
        let request = DrainRequest { undo: self.undo };
        let mut report = client.drain(&self.host, request).await?;
        if self.wait {
            let look = async || Ok(client.drained(&self.host).await?);
            report = polling::until(self.at_most.get(), look, DrainReport::is_done).await?;
        }
        let (is_done, name) = (report.is_done(), report.host.clone());
        output::report(&Shown(report), self.output)?;
        if self.wait && !is_done {
            let message = format!("`{name}` is not drained after {:?}", self.at_most.get());
            return Err(Failure::new(Kind::Failed, message).or_help(
                "`weft get placements` says where its components are to run, and what is in the way",
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
            ("draining", true) => format!("{host}: drained, nothing runs there"),
            _ => format!("{host}: {status}"),
        }];
        if status == "draining" {
            let leaving = leaving.iter();
            lines.extend(leaving.map(|component| format!("  {component} goes to other hosts")));
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
    fn people_see_what_is_left_and_why() {
        assert_eq!(
            report("draining", &[], &[]),
            "north: drained, nothing runs there"
        );
        assert_eq!(report("ready", &["shop/cart"], &[]), "north: ready");
        let expected = "north: draining\n  shop/cart goes to other hosts\n  \
                        shop/orders stays: 1 host: about to leave";
        assert_eq!(
            report("draining", &["shop/cart"], &["shop/orders"]),
            expected
        );
    }
}
