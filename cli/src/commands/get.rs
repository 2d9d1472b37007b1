//! `weft get`: lists resources of a lattice.

use std::collections::BTreeSet;
use std::error::Error;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::Serialize;
use weft_control::rows::{
    AppRow, ComponentRow, HostRow, InventoryRow, LinkRow, PlacementRow, ProviderRow, RouteRow,
};
use weft_control::{Client, ClientError, HostRef};
use weft_lattice_config::AppName;

use crate::all_hosts::{self, OneHost};
use crate::completion;
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::get_columns::Row;
use crate::listing::{Form, Listing, News};
use crate::output::{self, Format, Reader, Report};
use crate::placement_table::Explained;
use crate::row_joins::OfEachHost;
use crate::selector::Selector;
use crate::target::AppTarget;
use crate::watch;

const AFTER_HELP: &str = "\
Examples:
  weft get apps
  weft get apps -l team=web               apps whose manifest has this label
  weft get apps --watch                   the apps again with each change
  weft get app shop -o yaml > shop.yaml   a manifest of what is deployed, for `weft deploy`
  weft get links shop
  weft get placements shop                hosts of each component, and what blocks missing replicas
  weft get placements shop --why          the standing of every host towards each component
  weft get components --host north        components of one host
  weft get inventory north                components that one host runs
  weft get hosts -l cloud=a -o name | xargs -n1 weft drain
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
    #[arg(long, add = completion::app())]
    app: Option<AppName>,
    /// For placements, explain where each component runs: labels, order and capacity of all hosts
    #[arg(long)]
    why: bool,
    /// List only resources of apps with these labels in their manifest, and for hosts and inventory
    /// only hosts with them: KEY=VALUE, KEY!=VALUE, KEY or !KEY, separated by commas
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<Selector>,
    /// Print again with each change, until interrupted
    #[arg(short, long, conflicts_with = "why")]
    watch: bool,
    #[command(flatten)]
    one_host: OneHost,
    /// Print in this format; `wide` has all columns, `name` one name on each line, `yaml` is the
    /// manifest of an app
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: GetFormat,
    #[command(flatten)]
    host: HostOptions,
}

/// The output formats of this command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum GetFormat {
    // Plain comments, as in `Format`.
    #[default]
    Text,
    Wide,
    Name,
    Json,
    Yaml,
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
        let client = &client;
        match (self.resource, host.as_ref()) {
            (Resource::Apps, _) if self.output == GetFormat::Yaml => self.manifest(client).await,
            (Resource::Apps, _) => self.show::<AppRow>(client, Self::list).await,
            (Resource::Components, _) => self.show::<ComponentRow>(client, Self::list_all).await,
            (Resource::Links, _) => self.show::<LinkRow>(client, Self::list_all).await,
            (Resource::Providers, _) => self.show::<ProviderRow>(client, Self::list).await,
            (Resource::Routes, _) => self.show::<RouteRow>(client, Self::list_all).await,
            (Resource::Placements, _) if self.why => self.explain_placements(client).await,
            (Resource::Placements, _) => self.show::<PlacementRow>(client, Self::list).await,
            (Resource::Hosts, host) => {
                let hosts = async |get: &Self, client: &Client| get.hosts(client, host).await;
                self.show::<HostRow>(client, hosts).await
            }
            (Resource::Inventory, host) => {
                let rows = async |get: &Self, client: &Client| get.inventory(client, host).await;
                self.show::<InventoryRow>(client, rows).await
            }
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
        if self.why && !matches!(self.output, GetFormat::Text | GetFormat::Json) {
            return rejected(
                "`--why` prints text or JSON",
                "use `-o text` or `-o json`, or omit `--why`",
            );
        }
        if self.output == GetFormat::Yaml {
            self.check_manifest_options()?;
        }
        Ok(())
    }

    /// Rejects options that do not apply to the manifest of an app.
    fn check_manifest_options(&self) -> Result<(), Failure> {
        let (message, help) = if self.resource != Resource::Apps || self.app.is_none() {
            (
                "`-o yaml` prints the manifest of one app",
                "name the app, as in `weft get app shop -o yaml`; for rows use `-o json`",
            )
        } else if self.watch || self.selector.is_some() {
            (
                "`-o yaml` takes neither `--watch` nor `--selector`",
                "use `-o json` for rows",
            )
        } else {
            return Ok(());
        };
        Err(Failure::new(Kind::Input, message).or_help(help))
    }

    /// Prints the manifest of the app, as it is deployed.
    async fn manifest(&self, client: &Client) -> Result<(), Failure> {
        let Some(app) = &self.app else { return Ok(()) };
        let asked = self.one_host.client(client).await?;
        let record = match asked.app(app).await {
            Ok(record) => record,
            Err(ClientError::Refused { body, .. }) if all_hosts::is_unknown(&body) => {
                return Err(other_release("the host does not offer manifests"));
            }
            Err(error) => {
                let (app, component) = (app.clone(), None);
                let target = AppTarget { app, component };
                return Err(connection::explain(client, &target, error).await);
            }
        };
        let yaml = record.app.to_yaml().map_err(|error| {
            Failure::new(Kind::Failed, "cannot write the manifest").caused_by(&error)
        })?;
        output::report(&ManifestText(yaml), Format::Text).map(drop)
    }

    // === rows ===

    /// The rows that every host has: those of the selected host, or of the one of the command.
    async fn list<R: Row>(&self, client: &Client) -> Result<Vec<R>, Failure> {
        let rows = self.one_host.client(client).await?;
        Ok(rows.rows(self.resource.plural()).await?)
    }

    /// The rows of all hosts, each of which has its own.
    async fn list_all<R: Row + OfEachHost>(&self, client: &Client) -> Result<Vec<R>, Failure> {
        let hosts = self.one_host.rows(client).await?;
        all_hosts::rows_of_all(client, &hosts, self.resource.plural()).await
    }

    /// All hosts, or one, with the details that only each host itself has.
    async fn hosts(
        &self,
        client: &Client,
        reference: Option<&HostRef>,
    ) -> Result<Vec<HostRow>, Failure> {
        let asked = self.one_host.client(client).await?;
        let mut rows: Vec<HostRow> = asked.rows("hosts").await?;
        if let Some(reference) = reference {
            let host = reference.find(&rows).cloned();
            let host = host
                .map_err(|error| Failure::from_error(Kind::Failed, &error).or_help(error.help()))?;
            rows = vec![host];
        }
        all_hosts::add_details(client, &mut rows).await;
        Ok(rows)
    }

    /// The inventory of all hosts, or of one. A live host is queried itself, because only its own
    /// report has the whole reasons of failures.
    async fn inventory(
        &self,
        client: &Client,
        reference: Option<&HostRef>,
    ) -> Result<Vec<InventoryRow>, Failure> {
        let asked = self.one_host.client(client).await?;
        let Some(reference) = reference else {
            return Ok(asked.rows("inventory").await?);
        };
        let host = all_hosts::find(&asked, reference).await?;
        all_hosts::inventory_of(client, &asked, &host).await
    }

    /// Prints the placements with the standing of every host.
    async fn explain_placements(&self, client: &Client) -> Result<(), Failure> {
        if let Some(app) = &self.app {
            self.check_app(client, app).await?;
        }
        let app = self.app.as_ref();
        let app = app.map_or_else(String::new, |app| format!("&app={app}"));
        let asked = self.one_host.client(client).await?;
        let mut rows: Vec<PlacementRow> = asked.rows(&format!("placements?why=true{app}")).await?;
        if rows.iter().any(|row| row.fits.is_none()) {
            return Err(other_release("the host does not explain placements"));
        }
        if let Some(selector) = &self.selector {
            self.select(client, selector, &mut rows).await?;
        }
        let note = rows
            .is_empty()
            .then(|| self.resource.empty_note().to_owned());
        output::report(&Explained { rows, note }, self.format()).map(drop)
    }

    // === printing ===

    /// Prints the rows of `fetch`, once or with each change.
    async fn show<R: Row>(
        &self,
        client: &Client,
        fetch: impl AsyncFn(&Self, &Client) -> Result<Vec<R>, Failure>,
    ) -> Result<(), Failure> {
        if !self.watch {
            let listing = self.listing(client, fetch(self, client).await?).await?;
            return output::report(&listing, self.format()).map(drop);
        }
        let mut connection = Some(client.clone());
        // After a failure the command connects anew, over the bus perhaps to another host.
        let poll = async || {
            let client = match connection.take() {
                Some(client) => client,
                None => connection::client(&self.host).await?,
            };
            let listing = self.listing(&client, fetch(self, &client).await?).await?;
            connection = Some(client);
            Ok(listing)
        };
        let mut news = News::default();
        watch::until_interrupted(poll, |listing| {
            let is_first = news.is_first();
            match (news.are_in(&listing), self.format()) {
                (false, _) => Ok(Reader::Open),
                (true, Format::Json) => output::line(&listing, Format::Json),
                (true, Format::Text) => {
                    if !is_first && self.output != GetFormat::Name {
                        output::blank_line()?;
                    }
                    output::report(&listing, Format::Text)
                }
            }
        })
        .await
    }

    /// The rows that the options select, and the reason if there are none.
    async fn listing<R: Row>(
        &self,
        client: &Client,
        mut rows: Vec<R>,
    ) -> Result<Listing<R>, Failure> {
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
        if let Some(selector) = &self.selector
            && !rows.is_empty()
        {
            self.select(client, selector, &mut rows).await?;
            note = rows.is_empty().then(|| {
                let what = self.resource.plural();
                let labelled = if self.resource.is_by_host() {
                    "host"
                } else {
                    "app"
                };
                format!("no {what}: no {labelled} of them has labels as in `{selector}`")
            });
        }
        let form = match self.output {
            GetFormat::Wide => Form::Wide,
            GetFormat::Name => Form::Names,
            GetFormat::Text | GetFormat::Json | GetFormat::Yaml => Form::Table,
        };
        Ok(Listing { rows, form, note })
    }

    /// Retains the rows whose host or app has the labels.
    async fn select<R: Row>(
        &self,
        client: &Client,
        selector: &Selector,
        rows: &mut Vec<R>,
    ) -> Result<(), Failure> {
        if self.resource.is_by_host() {
            let hosts: Vec<HostRow> = client.rows("hosts").await?;
            let selected = hosts.iter().filter(|host| selector.matches(&host.labels));
            let selected: BTreeSet<_> = selected.filter_map(Row::host_key).collect();
            rows.retain(|row| row.host_key().is_some_and(|key| selected.contains(key)));
        } else {
            let apps: Vec<AppRow> = client.rows("apps").await?;
            let selected = apps.iter().filter(|app| selector.matches(&app.labels));
            let selected: BTreeSet<_> = selected.filter_map(Row::app).collect();
            rows.retain(|row| row.app().is_some_and(|app| selected.contains(app)));
        }
        Ok(())
    }

    /// The format of values that are printed as rows.
    fn format(&self) -> Format {
        match self.output {
            GetFormat::Json => Format::Json,
            GetFormat::Text | GetFormat::Wide | GetFormat::Name | GetFormat::Yaml => Format::Text,
        }
    }

    async fn check_app(&self, client: &Client, app: &AppName) -> Result<(), Failure> {
        let target = AppTarget {
            app: app.clone(),
            component: None,
        };
        connection::check_target(client, &target).await
    }
}

/// The failure of a request that the host does not know.
fn other_release(lacks: &str) -> Failure {
    let message = format!("{lacks}: it runs another release of weft");
    let help = "`weft get hosts -o wide` has the releases; select another host with `--host`";
    Failure::new(Kind::Failed, message).or_help(help)
}

fn parse<T: FromStr<Err: Error>>(name: &str) -> Result<T, Failure> {
    name.parse()
        .map_err(|error| Failure::from_error(Kind::Input, &error))
}

/// The manifest of an app.
#[derive(Debug, Serialize)]
struct ManifestText(String);

impl Report for ManifestText {
    fn text(&self) -> String {
        self.0.clone()
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

    #[test]
    fn an_empty_result_is_an_empty_array_and_a_note_with_the_next_step() {
        let note = Some(Resource::Apps.empty_note().to_owned());
        let listing = Listing::<AppRow> {
            rows: Vec::new(),
            form: Form::Table,
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
