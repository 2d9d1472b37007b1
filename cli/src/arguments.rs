//! The command line. Each command's own arguments stand in its file.

use clap::{Parser, Subcommand};

use crate::commands::{
    call::Call, completions::Completions, deploy::Deploy, drain::Drain, drill::Drill,
    events::Events, get::Get, hang::HangParent, inspect::Inspect, label::LabelCommand, link::Link,
    logs::Logs, status::Status, undeploy::Undeploy, up::Up,
};

/// The widest help text: longer lines are hard to read.
const HELP_COLUMNS_MAX: usize = 100;

const AFTER_HELP: &str = "\
Exit codes:
  0  the command did what it was asked to
  1  it failed: the host refused, or a drain did not finish
  2  a mistake in the arguments, a manifest, a file or an expression
  3  no host answers there, or it does not accept the token
  4  the called component trapped or did not finish in time

A first app:
  weft up                                 start a host on this machine
  weft deploy shop.yaml                   deploy an app from another terminal
  weft get routes                         see where it answers";

/// A mesh for WebAssembly components: hosts run them, links join them.
#[derive(Debug, Parser)]
#[command(
    name = "weft",
    version,
    after_help = AFTER_HELP,
    max_term_width = HELP_COLUMNS_MAX,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(Up),
    Deploy(Deploy),
    Undeploy(Undeploy),
    Get(Get),
    Status(Status),
    Call(Call),
    Inspect(Inspect),
    Link(Link),
    Logs(Logs),
    Events(Events),
    Drain(Drain),
    Label(LabelCommand),
    Drill(Drill),
    Completions(Completions),
    HangParent(HangParent),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    fn refused(arguments: &[&str]) -> String {
        Arguments::try_parse_from(arguments)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_component_that_does_not_read_is_refused_with_the_accepted_form() {
        let message = refused(&["weft", "call", "shop", "f()"]);
        assert!(message.contains("`APP/COMPONENT`"), "{message}");
    }

    #[test]
    fn a_label_is_a_key_and_a_value() {
        let message = refused(&["weft", "up", "--label", "cloud"]);
        assert!(message.contains("`KEY=VALUE`"), "{message}");
        assert!(Arguments::try_parse_from(["weft", "up", "--label", "cloud=a"]).is_ok());
    }

    #[test]
    fn an_import_is_an_interface_or_a_plain_name() {
        let why = |interface| ["weft", "link", "why", "shop", "storefront", interface];
        for interface in ["shop:catalog", "shop:catalog/pricing@0.1.0", "left"] {
            assert!(Arguments::try_parse_from(why(interface)).is_ok());
        }
        let message = refused(&why("shop/pricing"));
        assert!(message.contains("`shop:catalog/pricing`"), "{message}");
        let message = refused(&why("shop:catalog/pricing@1"));
        assert!(message.contains("1.2.3"), "{message}");
    }

    #[test]
    fn what_lets_a_host_hang_is_started_by_its_arguments_and_not_offered() {
        use std::time::Duration;
        let arguments =
            HangParent::arguments(42, Duration::from_millis(250), Duration::from_secs(15));
        let arguments = [vec!["weft".to_owned()], arguments].concat();
        assert!(Arguments::try_parse_from(arguments).is_ok());
        let help = Arguments::command().render_long_help().to_string();
        assert!(!help.contains("hang-parent"), "{help}");
    }

    #[test]
    fn a_duration_needs_a_unit() {
        let message = refused(&["weft", "up", "--drain-deadline", "30"]);
        assert!(message.contains("`5s`"), "{message}");
    }
}
