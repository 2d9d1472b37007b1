//! `weft link why`: explains the mode of a link.

use clap::{Args, Subcommand};
use serde::Serialize;
use weft_control::LinkQuery;
use weft_control::links::ImportQuery;
use weft_control::rows::LinkWhyRow;
use weft_lattice_config::{AppName, ComponentName, LinkName};

use crate::connection;
use crate::environment::HostOptions;
use crate::failure::Failure;
use crate::get_columns::duration;
use crate::output::{self, Format, Report};
use crate::target::AppTarget;

const AFTER_HELP: &str = "\
Examples:
  weft link why shop storefront shop:catalog/pricing

`weft get links` lists all links with their modes.";

const AFTER_HELP_WHY: &str = "\
Examples:
  weft link why shop storefront shop:catalog/pricing
  weft link why shop orders wasi:keyvalue --name stock -o json

The version of the interface is optional. An import with a plain name (WIT's `import left: …`) is
selected by that name.";

/// Explain a link
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(crate) struct Link {
    #[command(subcommand)]
    command: LinkCommand,
}

/// The commands about links.
#[derive(Debug, Subcommand)]
enum LinkCommand {
    Why(Why),
}

/// Explain the mode of a link, and why no faster mode applies
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP_WHY)]
struct Why {
    /// App of the link
    app: AppName,
    /// Importing component
    from: ComponentName,
    /// Imported interface, or plain name of the import
    interface: ImportQuery,
    /// Select the link of this name, if several links are for one interface
    #[arg(long)]
    name: Option<LinkName>,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The explanation from the host.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Explained(LinkWhyRow);

impl Link {
    /// Runs the command.
    ///
    /// # Errors
    /// The link is missing, or the host is not reachable.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.command {
            LinkCommand::Why(why) => why.run().await,
        }
    }
}

impl Why {
    async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.host).await?;
        let query = LinkQuery {
            app: self.app,
            from: self.from,
            import: self.interface,
            name: self.name,
        };
        match client.link_why(&query).await {
            Ok(row) => output::report(&Explained(row), self.output).map(drop),
            Err(error) => {
                let target = AppTarget {
                    app: query.app,
                    component: Some(query.from),
                };
                Err(connection::explain(&client, &target, error).await)
            }
        }
    }
}

impl Report for Explained {
    fn text(&self) -> String {
        let row = &self.0;
        let named = row.name.as_ref();
        let named = named.map_or(String::new(), |name| format!(" named {name}"));
        let mut lines = vec![
            format!(
                "{}: {} → {} ({}{named})",
                row.app, row.from, row.to, row.interface
            ),
            format!("mode: {}", row.mode),
        ];
        let reason_of = match row.mode.as_str() {
            "local" => "why not fused",
            _ => "why",
        };
        lines.extend(row.why.iter().map(|why| format!("{reason_of}: {why}")));
        if row.why.is_empty() {
            lines.push("why: no faster mode exists".to_owned());
        }
        if let Some(locality) = &row.locality {
            lines.push(format!("locality: {locality}"));
        }
        if let Some(deadline_ms) = row.deadline_ms {
            lines.push(format!("deadline: {}", duration(deadline_ms)));
        }
        if !row.functions.is_empty() {
            let paths = row
                .functions
                .iter()
                .map(|function| format!("{}: {}", function.function, function.path));
            let paths = paths.collect::<Vec<_>>().join("; ");
            lines.push(format!("functions: {paths}"));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use weft_control::rows::LinkFunction;

    use super::*;

    fn row(mode: &str) -> LinkWhyRow {
        LinkWhyRow {
            app: "shop".to_owned(),
            from: "storefront".to_owned(),
            interface: "shop:catalog/pricing@0.1.0".to_owned(),
            name: None,
            to: "pricing".to_owned(),
            mode: mode.to_owned(),
            locality: Some("auto".to_owned()),
            functions: Vec::new(),
            why: Vec::new(),
            deadline_ms: None,
        }
    }

    #[test]
    fn a_local_link_is_explained_with_the_paths_of_its_calls() {
        let function = |function: &str, path: &str| LinkFunction {
            function: function.to_owned(),
            path: path.to_owned(),
        };
        let explained = Explained(LinkWhyRow {
            functions: vec![function("quote", "stub"), function("price", "direct")],
            why: vec!["component `pricing` is isolated (`isolate`)".to_owned()],
            deadline_ms: Some(500),
            ..row("local")
        });
        let expected = "\
shop: storefront → pricing (shop:catalog/pricing@0.1.0)
mode: local
why not fused: component `pricing` is isolated (`isolate`)
locality: auto
deadline: 500ms
functions: quote: stub; price: direct";
        assert_eq!(explained.text(), expected);
    }

    #[test]
    fn a_fused_link_has_no_faster_mode() {
        let expected = "\
shop: storefront → pricing (shop:catalog/pricing@0.1.0)
mode: fused
why: no faster mode exists
locality: auto";
        assert_eq!(Explained(row("fused")).text(), expected);
    }

    #[test]
    fn a_link_to_a_provider_has_mode_host() {
        let explained = Explained(LinkWhyRow {
            from: "orders".to_owned(),
            interface: "wasi:keyvalue".to_owned(),
            name: Some("stock".to_owned()),
            to: "db".to_owned(),
            locality: None,
            why: vec!["`db` is a provider".to_owned()],
            ..row("host")
        });
        let expected = "\
shop: orders → db (wasi:keyvalue named stock)
mode: host
why: `db` is a provider";
        assert_eq!(explained.text(), expected);
    }
}
