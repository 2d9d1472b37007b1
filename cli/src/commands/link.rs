//! `weft link why`: explains the mode of a link.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde::Serialize;
use weft_control::links::ImportQuery;
use weft_control::rows::{HostRow, HttpOperation, InventoryRow, LinkFunction, LinkWhyRow};
use weft_control::{Client, GatherError, Gathered, LinkQuery, SilentHost};
use weft_lattice_config::{AppName, ComponentName, LinkName};

use crate::all_hosts::{self, OneHost};
use crate::completion;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
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
  weft link why shop orders wasi:keyvalue --name orders -o json

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
    #[arg(add = completion::app())]
    app: AppName,
    /// Importing component
    from: ComponentName,
    /// Imported interface, or plain name of the import
    interface: ImportQuery,
    /// Select the link of this name, if several links are for one interface
    #[arg(long)]
    name: Option<LinkName>,
    #[command(flatten)]
    one_host: OneHost,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The explanations of the hosts that run the importing component.
#[derive(Debug, Serialize)]
struct Explained {
    /// The explanation of the first host.
    #[serde(flatten)]
    first: LinkWhyRow,
    /// The explanations of all hosts.
    hosts: Vec<LinkWhyRow>,
}

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
        let target = AppTarget {
            app: query.app.clone(),
            component: Some(query.from.clone()),
        };
        let hosts = match self.one_host.row(&client).await? {
            Some(host) => vec![host],
            None => hosts_of(&client, &target).await?,
        };
        let ask = |_: &HostRow, host: Client| {
            let query = query.clone();
            async move { host.link_why(&query).await }
        };
        let Gathered { answers, silent } = client.gather(hosts, ask).await;
        let Some(explained) = Explained::new(answers) else {
            return Err(unexplained(&client, &target, silent).await);
        };
        all_hosts::warn(&silent);
        output::report(&explained, self.output).map(drop)
    }
}

/// The hosts that run a component; the host of the command if none does, for its error.
async fn hosts_of(client: &Client, target: &AppTarget) -> Result<Vec<HostRow>, Failure> {
    let inventory: Vec<InventoryRow> = client.rows("inventory").await?;
    let component = target.component.as_ref().map(ComponentName::as_str);
    let runs: BTreeSet<_> = inventory
        .iter()
        .filter(|row| row.app == target.app.as_str() && Some(row.component.as_str()) == component)
        .filter(|row| row.readiness == "ready")
        .map(|row| row.id.clone())
        .collect();
    let mut hosts = all_hosts::alive(client).await?;
    let asked = hosts.first().cloned();
    hosts.retain(|host| runs.contains(&host.id));
    if hosts.is_empty() {
        hosts.extend(asked);
    }
    Ok(hosts)
}

/// The failure of the first host if none explains the link.
async fn unexplained(client: &Client, target: &AppTarget, silent: Vec<SilentHost>) -> Failure {
    let first = silent.into_iter().next();
    match first {
        Some(SilentHost {
            error: GatherError::Client(error),
            ..
        }) => connection::explain(client, target, error).await,
        Some(silent) => all_hosts::failure(silent),
        None => Failure::new(Kind::Failed, format!("no host runs `{target}`")).or_help(format!(
            "`weft get placements {} --why` shows why",
            target.app
        )),
    }
}

impl Explained {
    /// The explanations by the names of hosts; `None` without any.
    fn new(answers: Vec<(HostRow, LinkWhyRow)>) -> Option<Self> {
        let hosts = answers.into_iter().map(|(host, row)| LinkWhyRow {
            host: Some(host.host),
            ..row
        });
        let mut hosts: Vec<_> = hosts.collect();
        hosts.sort_by(|left, right| left.host.cmp(&right.host));
        let first = hosts.first()?.clone();
        Some(Self { first, hosts })
    }

    /// Hosts with the same explanation together.
    fn groups(&self) -> Vec<(Vec<&str>, LinkWhyRow)> {
        let mut groups: Vec<(Vec<&str>, LinkWhyRow)> = Vec::new();
        for row in &self.hosts {
            let name = row.host.as_deref().unwrap_or_default();
            let explanation = LinkWhyRow {
                host: None,
                ..row.clone()
            };
            match groups.iter_mut().find(|(_, known)| *known == explanation) {
                Some((names, _)) => names.push(name),
                None => groups.push((vec![name], explanation)),
            }
        }
        groups
    }
}

impl Report for Explained {
    fn text(&self) -> String {
        let groups = self.groups();
        let texts = groups.iter().map(|(hosts, row)| text(hosts, row));
        texts.collect::<Vec<_>>().join("\n\n")
    }
}

fn text(hosts: &[&str], row: &LinkWhyRow) -> String {
    let named = row.name.as_ref();
    let named = named.map_or(String::new(), |name| format!(" named {name}"));
    let mut lines = vec![
        format!(
            "{}: {} → {} ({}{named})",
            row.app, row.from, row.to, row.interface
        ),
        format!("mode: {} (on {})", row.mode, hosts.join(", ")),
    ];
    let is_route = row.functions.iter().any(|function| function.http.is_some());
    let reason_of = match row.mode.as_str() {
        "local" if !is_route => "why not fused",
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
    lines.extend(function_lines(&row.functions));
    lines.join("\n")
}

/// A line with the paths of all functions, or one for each operation of a route.
fn function_lines(functions: &[LinkFunction]) -> Vec<String> {
    let mut lines = Vec::new();
    let paths = functions.iter().filter(|function| function.http.is_none());
    let paths = paths.map(|function| format!("{}: {}", function.function, function.path));
    let paths = paths.collect::<Vec<_>>().join("; ");
    if !paths.is_empty() {
        lines.push(format!("functions: {paths}"));
    }
    let operations = functions.iter().filter_map(|function| {
        let http = function.http.as_ref()?;
        Some(operation_line(&function.function, http))
    });
    let operations: Vec<_> = operations.collect();
    if !operations.is_empty() {
        lines.push("functions:".to_owned());
        lines.extend(operations);
    }
    lines
}

fn operation_line(function: &str, http: &HttpOperation) -> String {
    let statuses: Vec<_> = http.statuses.iter().map(u16::to_string).collect();
    let repeated = match http.idempotent {
        true => "idempotent",
        false => "not idempotent",
    };
    let (method, path) = (&http.method, &http.path);
    format!(
        "  {method} {path} → {function}: {}; {repeated}",
        statuses.join(", ")
    )
}

#[cfg(test)]
mod tests {
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
            host: Some("north".to_owned()),
        }
    }

    fn explained(rows: Vec<LinkWhyRow>) -> Explained {
        Explained {
            first: rows[0].clone(),
            hosts: rows,
        }
    }

    #[test]
    fn a_local_link_is_explained_with_the_paths_of_its_calls() {
        let function = |function: &str, path: &str| LinkFunction {
            function: function.to_owned(),
            path: path.to_owned(),
            http: None,
        };
        let explained = explained(vec![LinkWhyRow {
            functions: vec![function("quote", "stub"), function("price", "direct")],
            why: vec!["component `pricing` is isolated (`isolate`)".to_owned()],
            deadline_ms: Some(500),
            ..row("local")
        }]);
        let expected = "\
shop: storefront → pricing (shop:catalog/pricing@0.1.0)
mode: local (on north)
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
mode: fused (on north)
why: no faster mode exists
locality: auto";
        assert_eq!(explained(vec![row("fused")]).text(), expected);
    }

    #[test]
    fn hosts_with_one_explanation_are_together_and_others_are_apart() {
        let on = |host: &str, mode: &str| LinkWhyRow {
            host: Some(host.to_owned()),
            locality: None,
            ..row(mode)
        };
        let explained = explained(vec![
            on("north", "fused"),
            on("south", "remote"),
            on("west", "fused"),
        ]);
        let text = explained.text();
        let modes: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("mode"))
            .collect();
        assert_eq!(
            modes,
            ["mode: fused (on north, west)", "mode: remote (on south)"]
        );
        let json = serde_json::to_value(&explained).unwrap();
        assert_eq!(json["mode"], "fused");
        assert_eq!(json["hosts"][1]["mode"], "remote");
    }

    #[test]
    fn a_route_is_explained_with_its_operations() {
        let function = |function: &str, method: &str, path: &str, statuses: &[u16]| LinkFunction {
            function: function.to_owned(),
            path: "http".to_owned(),
            http: Some(HttpOperation {
                method: method.to_owned(),
                path: path.to_owned(),
                statuses: statuses.to_vec(),
                idempotent: method == "GET",
            }),
        };
        let explained = explained(vec![LinkWhyRow {
            from: "http".to_owned(),
            locality: None,
            functions: vec![
                function("place", "POST", "/api/orders", &[201, 400, 409]),
                function("get", "GET", "/api/orders/{id}", &[200, 404]),
            ],
            why: vec!["each request is a call".to_owned()],
            ..row("local")
        }]);
        let expected = "\
shop: http → pricing (shop:catalog/pricing@0.1.0)
mode: local (on north)
why: each request is a call
functions:
  POST /api/orders → place: 201, 400, 409; not idempotent
  GET /api/orders/{id} → get: 200, 404; idempotent";
        assert_eq!(explained.text(), expected);
    }

    #[test]
    fn a_link_to_a_provider_has_mode_host() {
        let explained = explained(vec![LinkWhyRow {
            from: "orders".to_owned(),
            interface: "wasi:keyvalue".to_owned(),
            name: Some("stock".to_owned()),
            to: "db".to_owned(),
            locality: None,
            why: vec!["`db` is a provider".to_owned()],
            ..row("host")
        }]);
        let expected = "\
shop: orders → db (wasi:keyvalue named stock)
mode: host (on north)
why: `db` is a provider";
        assert_eq!(explained.text(), expected);
    }
}
