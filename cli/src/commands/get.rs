//! `weft get`: lists what a host has.

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
use crate::output::{self, Format, Report};
use crate::rows::Row;
use crate::table::Table;
use crate::target::AppTarget;
use crate::time::now_ms;

const AFTER_HELP: &str = "\
Examples:
  weft get apps
  weft get links shop
  weft get placements shop                where each component is to run, and why not elsewhere
  weft get inventory north                what one host says that it runs
  weft get components -o json | jq '.[] | select(.traps > 0)'";

/// List apps, components, links, providers, routes, placements, hosts or inventories
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Get {
    /// What to list
    #[arg(value_enum)]
    what: What,
    /// Only what belongs to this app; for hosts and inventory, only this host: its name or the
    /// beginning of its id
    #[arg(value_name = "APP|HOST", conflicts_with = "app")]
    name: Option<String>,
    /// Only what belongs to this app
    #[arg(long)]
    app: Option<AppName>,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// What is deployed, and whether it runs
    #[value(alias = "app")]
    Apps,
    /// The components of apps, their limits and how busy they are
    #[value(alias = "component")]
    Components,
    /// Who serves which import of which component, and how
    #[value(alias = "link")]
    Links,
    /// The capabilities that apps asked for
    #[value(alias = "provider")]
    Providers,
    /// Which HTTP requests go where
    #[value(alias = "route")]
    Routes,
    /// How many replicas of each component are wanted and where they are to run
    #[value(alias = "placement")]
    Placements,
    /// The hosts of the lattice
    #[value(alias = "host")]
    Hosts,
    /// What each host says that it runs
    Inventory,
}

impl Get {
    /// Runs the command.
    ///
    /// # Errors
    /// The host does not answer.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let mut host = None;
        if let Some(name) = self.name.take() {
            if self.what.is_by_host() {
                host = Some(named::<HostRef>(&name)?);
            } else {
                self.app = Some(named(&name)?);
            }
        }
        if self.what == What::Hosts && self.app.is_some() {
            return Err(Failure::new(
                Kind::Input,
                "`weft get hosts` has no `--app`: hosts belong to no app",
            )
            .or_help("`weft get components --app APP` lists what an app consists of"));
        }
        let client = connection::client(&self.host).await?;
        let host = match host {
            Some(host) => Some(one_host(&client, &host).await?),
            None => None,
        };
        match self.what {
            What::Apps => self.list::<AppRow>(&client).await,
            What::Components => self.list::<ComponentRow>(&client).await,
            What::Links => self.list::<LinkRow>(&client).await,
            What::Providers => self.list::<ProviderRow>(&client).await,
            What::Routes => self.list::<RouteRow>(&client).await,
            What::Placements => self.list::<PlacementRow>(&client).await,
            What::Hosts => self.show(&client, host.map(|host| vec![host])).await,
            What::Inventory => self.inventory(&client, host).await,
        }
    }

    async fn list<R: Row>(&self, client: &Client) -> Result<(), Failure> {
        self.show::<R>(client, None).await
    }

    /// What hosts say that they run; of one host, as it says itself, which knows why something failed.
    async fn inventory(&self, client: &Client, host: Option<HostRow>) -> Result<(), Failure> {
        let rows = match host {
            None => None,
            Some(host) => {
                let id = host.id.clone();
                let said = match &id {
                    Some(id) if !host.is_gone() => {
                        client.rows(&format!("hosts/{id}/inventory")).await?
                    }
                    _ => client.rows::<InventoryRow>("inventory").await?,
                };
                let of_host = said.into_iter().filter(|row| row.id == id);
                Some(of_host.collect())
            }
        };
        self.show(client, rows).await
    }

    /// Prints rows, those that are given or all there are.
    async fn show<R: Row>(&self, client: &Client, rows: Option<Vec<R>>) -> Result<(), Failure> {
        let mut rows = match rows {
            Some(rows) => rows,
            None => client.rows(self.what.plural()).await?,
        };
        let mut note = None;
        if let Some(app) = &self.app {
            rows.retain(|row| row.app() == Some(app.as_str()));
            if rows.is_empty() {
                note = Some(nothing_of(client, self.what, app).await);
            }
        } else if rows.is_empty() {
            note = Some(self.what.nothing().to_owned());
        }
        output::report(&Listing { rows, note }, self.output)?;
        Ok(())
    }
}

/// What was written as the name of something.
fn named<T: FromStr<Err: Error>>(name: &str) -> Result<T, Failure> {
    name.parse()
        .map_err(|error| Failure::from_error(Kind::Input, &error))
}

/// The host that is meant.
async fn one_host(client: &Client, wanted: &HostRef) -> Result<HostRow, Failure> {
    let hosts: Vec<HostRow> = client.rows("hosts").await?;
    let host = wanted.find(&hosts);
    let host =
        host.map_err(|error| Failure::from_error(Kind::Failed, &error).or_help(error.help()))?;
    Ok(host.clone())
}

/// Why an app has no rows.
async fn nothing_of(client: &Client, what: What, app: &AppName) -> String {
    let target = AppTarget {
        app: app.clone(),
        component: None,
    };
    match connection::what_is_there(client, &target).await {
        Some(instead) => format!("no app `{app}` is deployed; {instead}"),
        None => format!("app `{app}` has no {}", what.plural()),
    }
}

/// Rows of one kind.
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

impl What {
    /// Whether its rows are of hosts, so that one is asked for by its host.
    fn is_by_host(self) -> bool {
        matches!(self, What::Hosts | What::Inventory)
    }

    /// What the control protocol calls it.
    fn plural(self) -> &'static str {
        match self {
            What::Apps => "apps",
            What::Components => "components",
            What::Links => "links",
            What::Providers => "providers",
            What::Routes => "routes",
            What::Placements => "placements",
            What::Hosts => "hosts",
            What::Inventory => "inventory",
        }
    }

    /// What to say when there are none.
    fn nothing(self) -> &'static str {
        match self {
            What::Apps => "no app is deployed; deploy one with `weft deploy FILE`",
            What::Components => "no component is deployed; deploy an app with `weft deploy FILE`",
            What::Links => "there are no links; a manifest makes them under `spec.links`",
            What::Providers => {
                "there are no providers; a manifest asks for them under `spec.providers`"
            }
            What::Routes => "there are no routes; a manifest makes them under `spec.routes`",
            What::Placements => "nothing is to run; deploy an app with `weft deploy FILE`",
            What::Hosts => "there is no host; start one with `weft up`",
            What::Inventory => {
                "no host runs anything; `weft get placements` shows what is to run where"
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
    fn nothing_is_an_empty_array_and_a_sentence_that_says_what_to_do() {
        let note = Some(What::Apps.nothing().to_owned());
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
