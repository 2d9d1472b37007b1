//! The command line. The arguments of a command are in the file of that command.

use clap::{Parser, Subcommand};

use crate::commands::{
    build::BuildCommand, call::Call, check::Check, completions::Completions, context::Context,
    deploy::Deploy, describe::Describe, doctor::Doctor, drain::Drain, drill::Drill, events::Events,
    gc::Gc, get::Get, hang::HangParent, inspect::Inspect, keyvalue::KeyValueCommand,
    label::LabelCommand, link::Link, logs::Logs, manual::Manual, new::New, status::Status,
    undeploy::Undeploy, up::Up,
};

/// The maximum width of help texts: longer lines are hard to read.
const HELP_COLUMNS_MAX: usize = 100;

const AFTER_HELP: &str = "\
Exit codes:
  0  success
  1  failure: rejected by the host, build failed, app not ready, or drain not finished
  2  invalid arguments, manifest, file or expression
  3  no host reachable, or token rejected
  4  the called component trapped or exceeded its deadline
  5  another process has the identity of the host (`weft up`)
  130  interrupted by Ctrl-C

A first app:
  weft new hello && cd hello              make a project
  weft build                              build its component
  weft up -f weft.yaml                    start a host on this machine, and deploy the app
  curl localhost:8080/greetings/Ada       call it

Commands connect to the host with the data directory, or as `weft help context` describes.";

/// Run WebAssembly components on a mesh of hosts and connect them by links.
#[derive(Debug, Parser)]
#[command(
    name = "weft",
    version,
    after_help = AFTER_HELP,
    max_term_width = HELP_COLUMNS_MAX
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(New),
    #[command(name = "build")]
    Build(BuildCommand),
    Up(Up),
    #[command(visible_alias = "apply")]
    Deploy(Deploy),
    Check(Check),
    #[command(visible_alias = "delete")]
    Undeploy(Undeploy),
    Get(Get),
    Describe(Describe),
    Status(Status),
    Call(Call),
    Inspect(Inspect),
    Link(Link),
    Logs(Logs),
    Events(Events),
    Drain(Drain),
    Label(LabelCommand),
    Gc(Gc),
    #[command(name = "keyvalue")]
    KeyValue(KeyValueCommand),
    Drill(Drill),
    Context(Context),
    Doctor(Doctor),
    Completions(Completions),
    Manual(Manual),
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
    fn an_invalid_component_name_is_refused_with_the_accepted_form() {
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
    fn the_hang_helper_parses_its_arguments_and_is_hidden() {
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
