//! `weft get`: lists resources of a lattice.

use std::error::Error;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::Serialize;
use weft_control::rows::{
    AppRow, ComponentRow, HostRow, InventoryRow, LinkRow, PlacementRow, ProviderRow, RouteRow,
};
use weft_control::{Client, HostRef};
use weft_lattice_config::AppName;

use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::get_columns::Row;
use crate::output::{self, Format, Report};
use crate::table::Table;
use crate::target::AppTarget;
use crate::time::now_ms;

const AFTER_HELP: &str = "\
Examples:
  weft get apps
  weft get links shop
  weft get placements shop                hosts of each component, and what blocks missing replicas
  weft get inventory north                components that one host runs
  weft get components -o json | jq '.[] | select(.traps > 0)'";

/// List apps, components, links, providers, routes, placements, hosts or inventories
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Get {
    /// Resources to list
    #[arg(value_enum)]
    resource: Resource,
    /// List only resources of this app; for hosts and inventory, only the host with this name or id
    /// prefix
    #[arg(value_name = "APP|HOST", conflicts_with = "app")]
    name: Option<String>,
    /// List only resources of this app
    #[arg(long)]
    app: Option<AppName>,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The resources of a lattice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Resource {
    /// Deployed apps and their status
    #[value(alias = "app")]
    Apps,
    /// Components of apps, their limits and load
    #[value(alias = "component")]
    Components,
    /// Links: the importing component, the target and the mode
    #[value(alias = "link")]
    Links,
    /// Providers of apps
    #[value(alias = "provider")]
    Providers,
    /// HTTP routes and their components
    #[value(alias = "route")]
    Routes,
    /// Desired and ready replicas of each component, and their hosts
    #[value(alias = "placement")]
    Placements,
    /// Hosts of the lattice
    #[value(alias = "host")]
    Hosts,
    /// Components on each host, as reported by the host
    Inventory,
}

impl Get {
    /// Runs the command.
    ///
    /// # Errors
    /// The host is not reachable, or the named host is missing.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let mut host = None;
        if let Some(name) = self.name.take() {
            if self.resource.is_by_host() {
                host = Some(parse::<HostRef>(&name)?);
            } else {
                self.app = Some(parse(&name)?);
            }
        }
        if self.resource == Resource::Hosts && self.app.is_some() {
            return Err(Failure::new(
                Kind::Input,
                "`--app` does not apply to `weft get hosts`: hosts do not belong to an app",
            )
            .or_help("list the components of an app with `weft get components --app APP`"));
        }
        let client = connection::client(&self.host).await?;
        let host = match host {
            Some(host) => Some(one_host(&client, &host).await?),
            None => None,
        };
        match self.resource {
            Resource::Apps => self.list::<AppRow>(&client).await,
            Resource::Components => self.list::<ComponentRow>(&client).await,
            Resource::Links => self.list::<LinkRow>(&client).await,
            Resource::Providers => self.list::<ProviderRow>(&client).await,
            Resource::Routes => self.list::<RouteRow>(&client).await,
            Resource::Placements => self.list::<PlacementRow>(&client).await,
            Resource::Hosts => self.show(&client, host.map(|host| vec![host])).await,
            Resource::Inventory => self.inventory(&client, host).await,
        }
    }

    async fn list<R: Row>(&self, client: &Client) -> Result<(), Failure> {
        self.show::<R>(client, None).await
    }

    /// Prints the inventory of all hosts, or of one. A live host is queried itself, because only
    /// its own report has the reasons of failures.
    async fn inventory(&self, client: &Client, host: Option<HostRow>) -> Result<(), Failure> {
        let rows = match host {
            None => None,
            Some(host) => {
                let id = host.id.clone();
                let inventory = match &id {
                    Some(id) if !host.is_gone() => {
                        client.rows(&format!("hosts/{id}/inventory")).await?
                    }
                    _ => client.rows::<InventoryRow>("inventory").await?,
                };
                let of_host = inventory.into_iter().filter(|row| row.id == id);
                Some(of_host.collect())
            }
        };
        self.show(client, rows).await
    }

    /// Prints the given rows, or requests all rows of the resource.
    async fn show<R: Row>(&self, client: &Client, rows: Option<Vec<R>>) -> Result<(), Failure> {
        let mut rows = match rows {
            Some(rows) => rows,
            None => client.rows(self.resource.plural()).await?,
        };
        let mut note = None;
        if let Some(app) = &self.app {
            rows.retain(|row| row.app() == Some(app.as_str()));
            if rows.is_empty() {
                note = Some(empty_app_note(client, self.resource, app).await);
            }
        } else if rows.is_empty() {
            note = Some(self.resource.empty_note().to_owned());
        }
        output::report(&Listing { rows, note }, self.output)?;
        Ok(())
    }
}

fn parse<T: FromStr<Err: Error>>(name: &str) -> Result<T, Failure> {
    name.parse()
        .map_err(|error| Failure::from_error(Kind::Input, &error))
}

/// Resolves the name or the beginning of an id of a host.
async fn one_host(client: &Client, reference: &HostRef) -> Result<HostRow, Failure> {
    let hosts: Vec<HostRow> = client.rows("hosts").await?;
    let host = reference.find(&hosts);
    let host =
        host.map_err(|error| Failure::from_error(Kind::Failed, &error).or_help(error.help()))?;
    Ok(host.clone())
}

/// The reason for the empty result of an app.
async fn empty_app_note(client: &Client, resource: Resource, app: &AppName) -> String {
    let target = AppTarget {
        app: app.clone(),
        component: None,
    };
    match connection::missing_target_help(client, &target).await {
        Some(help) => format!("no app `{app}` is deployed; {help}"),
        None => format!("app `{app}` has no {}", resource.plural()),
    }
}

/// The rows of one resource.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Listing<R> {
    rows: Vec<R>,
    #[serde(skip)]
    note: Option<String>,
}

impl<R: Row> Report for Listing<R> {
    fn text(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let now_ms = now_ms();
        let mut table = Table::new(R::HEADINGS);
        for row in &self.rows {
            table.row(row.cells(now_ms));
        }
        table.to_string()
    }

    fn note(&self) -> Option<String> {
        self.note.clone()
    }
}

impl Resource {
    /// True if the name argument selects a host.
    fn is_by_host(self) -> bool {
        matches!(self, Resource::Hosts | Resource::Inventory)
    }

    /// The name in the control protocol.
    fn plural(self) -> &'static str {
        match self {
            Resource::Apps => "apps",
            Resource::Components => "components",
            Resource::Links => "links",
            Resource::Providers => "providers",
            Resource::Routes => "routes",
            Resource::Placements => "placements",
            Resource::Hosts => "hosts",
            Resource::Inventory => "inventory",
        }
    }

    /// The note for an empty result, with the next step.
    fn empty_note(self) -> &'static str {
        match self {
            Resource::Apps => "no app is deployed; deploy one with `weft deploy FILE`",
            Resource::Components => {
                "no component is deployed; deploy an app with `weft deploy FILE`"
            }
            Resource::Links => {
                "no link is deployed; declare links in a manifest under `spec.links`"
            }
            Resource::Providers => {
                "no provider is deployed; declare providers in a manifest under `spec.providers`"
            }
            Resource::Routes => {
                "no route is deployed; declare routes in a manifest under `spec.routes`"
            }
            Resource::Placements => {
                "no component is deployed; deploy an app with `weft deploy FILE`"
            }
            Resource::Hosts => "no host is running; start one with `weft up`",
            Resource::Inventory => {
                "no host runs a component; `weft get placements` lists the desired placements"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(from: &str) -> LinkRow {
        LinkRow {
            app: "shop".to_owned(),
            from: from.to_owned(),
            interface: "shop:pricing/quotes@0.1.0".to_owned(),
            name: None,
            to: "pricing".to_owned(),
            mode: "fused".to_owned(),
            locality: Some("auto".to_owned()),
        }
    }

    #[test]
    fn rows_are_a_table_for_people() {
        let listing = Listing {
            rows: vec![link("storefront"), link("cart")],
            note: None,
        };
        let expected = "\
APP   FROM        INTERFACE                  NAME  TO       MODE   LOCALITY
shop  storefront  shop:pricing/quotes@0.1.0  -     pricing  fused  auto
shop  cart        shop:pricing/quotes@0.1.0  -     pricing  fused  auto
";
        assert_eq!(listing.text(), expected);
    }

    #[test]
    fn rows_are_an_array_of_flat_objects_for_programs() {
        let listing = Listing {
            rows: vec![link("cart")],
            note: None,
        };
        let expected = serde_json::json!([{
            "app": "shop", "from": "cart", "interface": "shop:pricing/quotes@0.1.0",
            "name": null, "to": "pricing", "mode": "fused",
            "locality": "auto",
        }]);
        assert_eq!(serde_json::to_value(&listing).unwrap(), expected);
    }

    #[test]
    fn an_empty_result_is_an_empty_array_and_a_note_with_the_next_step() {
        let note = Some(Resource::Apps.empty_note().to_owned());
        let listing = Listing::<AppRow> {
            rows: Vec::new(),
            note,
        };
        assert_eq!(listing.text(), "");
        assert_eq!(serde_json::to_string_pretty(&listing).unwrap(), "[]");
        assert!(
            listing
                .note()
                .is_some_and(|note| note.contains("weft deploy"))
        );
    }
}
