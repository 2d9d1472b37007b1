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

use crate::all_hosts::{self, OneHost};
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::get_columns::Row;
use crate::output::{self, Format, Report};
use crate::placement_table::Explained;
use crate::row_joins::{self, OfEachHost};
use crate::table::Table;
use crate::target::AppTarget;
use crate::time::now_ms;

const AFTER_HELP: &str = "\
Examples:
  weft get apps
  weft get links shop
  weft get placements shop                hosts of each component, and what blocks missing replicas
  weft get placements shop --why          the standing of every host towards each component
  weft get components --host north        components of one host
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
    /// For placements, explain where each component runs: labels, order and capacity of all hosts
    #[arg(long)]
    why: bool,
    #[command(flatten)]
    one_host: OneHost,
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
        self.check_options()?;
        let client = connection::client(&self.host).await?;
        match (self.resource, host) {
            (Resource::Apps, _) => self.list::<AppRow>(&client).await,
            (Resource::Components, _) => self.list_all::<ComponentRow>(&client).await,
            (Resource::Links, _) => self.list_all::<LinkRow>(&client).await,
            (Resource::Providers, _) => self.list::<ProviderRow>(&client).await,
            (Resource::Routes, _) => self.list_all::<RouteRow>(&client).await,
            (Resource::Placements, _) if self.why => self.explain_placements(&client).await,
            (Resource::Placements, _) => self.list::<PlacementRow>(&client).await,
            (Resource::Hosts, host) => self.hosts(&client, host).await,
            (Resource::Inventory, host) => self.inventory(&client, host).await,
        }
    }

    /// Rejects options that do not apply to the resource.
    fn check_options(&self) -> Result<(), Failure> {
        let rejected = |message: &str, help: &str| {
            Err(Failure::new(Kind::Input, message.to_owned()).or_help(help.to_owned()))
        };
        if self.resource == Resource::Hosts && self.app.is_some() {
            return rejected(
                "`--app` does not apply to `weft get hosts`: hosts do not belong to an app",
                "list the components of an app with `weft get components --app APP`",
            );
        }
        if self.why && self.resource != Resource::Placements {
            return rejected(
                "`--why` applies only to `weft get placements`",
                "for the mode of a link use `weft link why`",
            );
        }
        Ok(())
    }

    /// Prints the rows that every host has: those of the selected host, or of the one of the
    /// command.
    async fn list<R: Row>(&self, client: &Client) -> Result<(), Failure> {
        let rows = self.one_host.client(client).await?;
        let rows = rows.rows(self.resource.plural()).await?;
        self.show::<R>(client, rows).await
    }

    /// Prints the rows of all hosts, each of which has its own.
    async fn list_all<R: Row + OfEachHost>(&self, client: &Client) -> Result<(), Failure> {
        let hosts = self.one_host.rows(client).await?;
        let what = self.resource.plural();
        let request = |_: &HostRow, host: Client| async move { host.rows(what).await };
        let answers = all_hosts::gather(client, hosts, request).await?;
        self.show(client, R::join(answers)).await
    }

    /// Prints all hosts, or one, with the details that only each host itself has.
    async fn hosts(&self, client: &Client, reference: Option<HostRef>) -> Result<(), Failure> {
        let asked = self.one_host.client(client).await?;
        let mut rows: Vec<HostRow> = asked.rows("hosts").await?;
        if let Some(reference) = reference {
            let host = reference.find(&rows).cloned();
            let host = host
                .map_err(|error| Failure::from_error(Kind::Failed, &error).or_help(error.help()))?;
            rows = vec![host];
        }
        let others = rows
            .iter()
            .filter(|row| !row.is_gone() && row.admin.is_none());
        let others: Vec<_> = others.cloned().collect();
        if !others.is_empty() {
            let request = |_: &HostRow, host: Client| async move { host.rows("hosts").await };
            let own = all_hosts::gather_details(client, others, request).await;
            row_joins::add_own(&mut rows, own);
        }
        self.show(client, rows).await
    }

    /// Prints the inventory of all hosts, or of one. A live host is queried itself, because only
    /// its own report has the whole reasons of failures.
    async fn inventory(&self, client: &Client, reference: Option<HostRef>) -> Result<(), Failure> {
        let asked = self.one_host.client(client).await?;
        let rows = match reference {
            None => asked.rows("inventory").await?,
            Some(reference) => {
                let host = all_hosts::find(&asked, &reference).await?;
                let source = match host.is_gone() {
                    true => asked,
                    false => client.for_row(&host)?,
                };
                let mut rows: Vec<InventoryRow> = source.rows("inventory").await?;
                rows.retain(|row| row.id == host.id);
                rows
            }
        };
        self.show(client, rows).await
    }

    /// Prints the placements with the standing of every host.
    async fn explain_placements(&self, client: &Client) -> Result<(), Failure> {
        if let Some(app) = &self.app {
            self.check_app(client, app).await?;
        }
        let app = self.app.as_ref();
        let app = app.map_or_else(String::new, |app| format!("&app={app}"));
        let asked = self.one_host.client(client).await?;
        let rows: Vec<PlacementRow> = asked.rows(&format!("placements?why=true{app}")).await?;
        if rows.iter().any(|row| row.fits.is_none()) {
            let message = "the host does not explain placements: it runs another release of weft";
            return Err(Failure::new(Kind::Failed, message)
                .or_help("`weft get hosts` has the releases; select another host with `--host`"));
        }
        let note = rows
            .is_empty()
            .then(|| self.resource.empty_note().to_owned());
        output::report(&Explained { rows, note }, self.output)?;
        Ok(())
    }

    /// Prints rows, or only those of the app.
    async fn show<R: Row>(&self, client: &Client, mut rows: Vec<R>) -> Result<(), Failure> {
        let mut note = None;
        if let Some(app) = &self.app {
            rows.retain(|row| row.app() == Some(app.as_str()));
            if rows.is_empty() {
                self.check_app(client, app).await?;
                note = Some(format!("app `{app}` has no {}", self.resource.plural()));
            }
        } else if rows.is_empty() {
            note = Some(self.resource.empty_note().to_owned());
        }
        output::report(&Listing { rows, note }, self.output)?;
        Ok(())
    }

    async fn check_app(&self, client: &Client, app: &AppName) -> Result<(), Failure> {
        let target = AppTarget {
            app: app.clone(),
            component: None,
        };
        connection::check_target(client, &target).await
    }
}

fn parse<T: FromStr<Err: Error>>(name: &str) -> Result<T, Failure> {
    name.parse()
        .map_err(|error| Failure::from_error(Kind::Input, &error))
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
            host: Some("north".to_owned()),
        }
    }

    #[test]
    fn rows_are_a_table_for_people() {
        let listing = Listing {
            rows: vec![link("storefront"), link("cart")],
            note: None,
        };
        let expected = "\
APP   FROM        INTERFACE                  NAME  TO       HOST   MODE   LOCALITY
shop  storefront  shop:pricing/quotes@0.1.0  -     pricing  north  fused  auto
shop  cart        shop:pricing/quotes@0.1.0  -     pricing  north  fused  auto
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
            "locality": "auto", "host": "north",
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
