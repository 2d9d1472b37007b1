//! The page of a component.

use serde::Serialize;
use weft_control::rows::{ComponentRow, LinkRow, PlacementRow, RouteRow};
use weft_control::{Client, EventRow, LogQuery};

use super::app::{links_text, routes_text};
use super::http_of;
use super::page::Page;
use super::recent::Recent;
use crate::all_hosts;
use crate::connection;
use crate::failure::{Failure, Kind};
use crate::get_columns::{duration, pins, size, table_with};
use crate::output::Report;
use crate::placement_table::hosts_table;
use crate::styled::{Style, Styled};
use crate::target::{AppTarget, ComponentTarget};
use crate::time::now_ms;
use crate::urls::ServedRoute;

/// Everything about a component.
#[derive(Debug, Serialize)]
pub(super) struct ComponentPage {
    placement: PlacementRow,
    /// A row for each host that runs it.
    copies: Vec<ComponentRow>,
    links: Vec<LinkRow>,
    routes: Vec<ServedRoute>,
    #[serde(flatten)]
    recent: Recent,
}

/// Fetches the page of a component.
///
/// # Errors
/// The component is missing, or no host answers.
pub(super) async fn fetch(
    client: &Client,
    target: &ComponentTarget,
) -> Result<ComponentPage, Failure> {
    let (app, name) = (target.app.as_str(), target.component.as_str());
    let either = AppTarget {
        app: target.app.clone(),
        component: Some(target.component.clone()),
    };
    connection::check_target(client, &either).await?;
    let placements = format!("placements?why=true&app={app}");
    let placements: Vec<PlacementRow> = client.rows(&placements).await?;
    let mut placements = placements.into_iter();
    let placement = placements.find(|row| row.app == app && row.component == name);
    let placement = placement.ok_or_else(|| {
        let message = format!("component `{target}` was removed in this moment");
        Failure::new(Kind::Failed, message).or_help("list components with `weft get placements`")
    })?;
    let hosts = all_hosts::alive(client).await?;
    let mut copies: Vec<ComponentRow> =
        all_hosts::rows_of_all(client, &hosts, "components").await?;
    copies.retain(|row| row.app == app && row.component == name);
    let mut links: Vec<LinkRow> = all_hosts::rows_of_all(client, &hosts, "links").await?;
    links.retain(|row| row.app == app && (row.from == name || row.to == name));
    let mut routes: Vec<RouteRow> = all_hosts::rows_of_all(client, &hosts, "routes").await?;
    routes.retain(|row| row.app == app && row.to == name);
    let routes = ServedRoute::all(routes, http_of(&hosts));
    let query = LogQuery {
        app: Some(target.app.clone()),
        component: Some(target.component.clone()),
        ..LogQuery::default()
    };
    // Events without a component are about all components of their app.
    let is_about = |event: &EventRow| {
        let component = event.component.as_deref();
        event.app.as_deref() == Some(app) && component.is_none_or(|found| found == name)
    };
    Ok(ComponentPage {
        placement,
        copies,
        links,
        routes,
        recent: Recent::fetch(client, hosts, query, is_about).await,
    })
}

impl Report for ComponentPage {
    fn text(&self) -> String {
        self.styled(None).to_string()
    }

    fn styled(&self, columns: Option<usize>) -> Styled {
        let PlacementRow {
            app,
            component,
            revision,
            wanted,
            placed,
            ready,
            why,
            digest,
            ..
        } = &self.placement;
        let mut page = Page::new("component", &format!("{app}/{component}"));
        page.styled_field(
            "ready",
            Style::of_readiness(*ready, *wanted),
            format!("{ready} of {wanted}, {placed} placed"),
        );
        page.field("revision", revision.to_string());
        page.field("digest", digest.clone().unwrap_or_default());
        if let Some(copy) = self.copies.first() {
            page.field("size", size(copy.bytes));
            page.field("instances", &copy.instances);
            page.field("limits", limits(copy));
        }
        page.field("pinned by", pins(&self.placement.pins));
        for reason in why {
            page.styled_field("reason", Style::Waiting, reason);
        }
        page.section("on hosts", self.copies_text(columns));
        if let Some(fits) = &self.placement.fits {
            page.section("placement", hosts_table(fits).styled(columns));
        }
        page.section("links", links_text(&self.links, columns));
        page.section("routes", routes_text(&self.routes));
        self.recent.add_to(&mut page);
        page.finish()
    }
}

impl ComponentPage {
    fn copies_text(&self, columns: Option<usize>) -> Styled {
        if self.copies.is_empty() {
            return Styled::default();
        }
        let headings = ["HOST", "FUSED WITH", "IN FLIGHT", "REQUESTS", "TRAPS"];
        table_with(&self.copies, &headings, now_ms()).styled(columns)
    }
}

/// The limits of a copy, in words.
fn limits(copy: &ComponentRow) -> String {
    let memory = size(copy.memory_bytes_max);
    let deadline = duration(copy.deadline_ms);
    let concurrency = copy.concurrency_max;
    format!("{memory} of memory, deadline {deadline}, {concurrency} requests at once")
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn the_page_of_a_component_explains_its_placement() {
        let fit = json!({
            "host": "north", "id": null, "status": "ready", "order": 1, "replicas": 1,
            "serves": true, "fits": true, "labels": [], "capacity": null, "free": null,
            "why": "placed",
        });
        let page = ComponentPage {
            placement: from_value(json!({
                "app": "shop", "component": "cart", "revision": 3, "wanted": 2, "placed": 1,
                "ready": 1, "hosts": ["north"], "why": ["no host has the label"],
                "pins": [{"store": "shop/db", "host": "north"}], "digest": "sha256:00ff",
                "fits": {"together": ["cart"], "weight": 1, "require": [], "prefer": [],
                         "spread": null, "hosts": [fit]},
            }))
            .unwrap(),
            copies: from_value(json!([{
                "host": "north", "app": "shop", "component": "cart", "digest": "sha256:00ff",
                "bytes": 2048, "instances": "per-request", "fused": ["cart", "orders"],
                "loaded": true, "in_flight": 1, "requests": 7, "traps": 0,
                "memory_bytes_max": 1_048_576, "deadline_ms": 5000, "concurrency_max": 10,
            }]))
            .unwrap(),
            links: Vec::new(),
            routes: Vec::new(),
            recent: Recent::default(),
        };
        let expected = "\
component shop/cart
  ready       1 of 2, 1 placed
  revision    3
  digest      sha256:00ff
  size        2.0 KiB
  instances   per-request
  limits      1.0 MiB of memory, deadline 5s, 10 requests at once
  pinned by   shop/db on north
  reason      no host has the label

on hosts
HOST   FUSED WITH  IN FLIGHT  REQUESTS  TRAPS
north  orders      1          7         0

placement
ORDER  HOST   STATUS  REPLICAS  SERVES  LABELS  FREE      REASON
1      north  ready   1         yes     -       no limit  placed
";
        assert_eq!(page.text(), expected);
    }
}
