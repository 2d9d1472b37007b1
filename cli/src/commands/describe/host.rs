//! The page of a host.

use serde::Serialize;
use weft_control::rows::{HostRow, InventoryRow};
use weft_control::{Client, EventRow, HostRef, LogQuery};

use super::page::Page;
use super::recent::Recent;
use crate::all_hosts;
use crate::failure::Failure;
use crate::get_columns::{labels, table_with};
use crate::output::Report;
use crate::styled::{Style, Styled};
use crate::time::{now_ms, span};

/// Everything about a host.
#[derive(Debug, Serialize)]
pub(super) struct HostPage {
    host: HostRow,
    inventory: Vec<InventoryRow>,
    #[serde(flatten)]
    recent: Recent,
}

/// Fetches the page of a host.
///
/// # Errors
/// No host or several hosts have the name, or no host answers.
pub(super) async fn fetch(client: &Client, reference: &HostRef) -> Result<HostPage, Failure> {
    let mut hosts = vec![all_hosts::find(client, reference).await?];
    all_hosts::add_details(client, &mut hosts).await;
    let host = hosts.swap_remove(0);
    let inventory = all_hosts::inventory_of(client, client, &host).await?;
    let is_about = |event: &EventRow| event.host.as_ref() == Some(&host.host);
    let live = match host.is_gone() {
        true => Vec::new(),
        false => vec![host.clone()],
    };
    let recent = Recent::fetch(client, live, LogQuery::default(), is_about).await;
    Ok(HostPage {
        host,
        inventory,
        recent,
    })
}

impl Report for HostPage {
    fn text(&self) -> String {
        self.styled(None).to_string()
    }

    fn styled(&self, columns: Option<usize>) -> Styled {
        let HostRow {
            host,
            lattice,
            id,
            status,
            version,
            http,
            admin,
            uptime_s,
            running,
            notes,
            ..
        } = &self.host;
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut page = Page::new("host", host);
        page.styled_field("status", Style::of_state(status), status);
        page.field("lattice", optional(lattice));
        page.field("id", optional(id));
        page.field("version", version);
        page.field("labels", labels(&self.host.labels));
        page.field("http", optional(http));
        page.field("admin", optional(admin));
        page.field("uptime", uptime_s.map(span).unwrap_or_default());
        let compiled = self.host.compilations;
        let compiled = compiled.map(|count| format!("{count} since its start"));
        page.field("compiled", compiled.unwrap_or_default());
        page.field("in flight", running.to_string());
        for note in notes {
            page.styled_field("note", Style::Waiting, note);
        }
        if !self.inventory.is_empty() {
            let headings = ["APP", "COMPONENT", "REVISION", "READINESS", "REASON"];
            let table = table_with(&self.inventory, &headings, now_ms());
            page.section("components", table.styled(columns));
        }
        self.recent.add_to(&mut page);
        page.finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn the_page_of_a_host_has_its_notes_and_components() {
        let page = HostPage {
            host: from_value(json!({
                "host": "north", "lattice": "prod", "id": "hq7k3m2x", "status": "draining",
                "version": "0.1.0", "labels": {"cloud": "a"}, "http": "127.0.0.1:8080",
                "admin": null, "uptime_s": 7200, "apps": 1, "components": 1,
                "pool_instances_max": 10, "running": 2, "notes": ["the disk is full"],
            }))
            .unwrap(),
            inventory: from_value(json!([{
                "host": "north", "id": "hq7k3m2x", "app": "shop", "component": "cart",
                "revision": 3, "readiness": "failed", "reason": "no memory",
            }]))
            .unwrap(),
            recent: Recent::default(),
        };
        let expected = "\
host north
  status      draining
  lattice     prod
  id          hq7k3m2x
  version     0.1.0
  labels      cloud=a
  http        127.0.0.1:8080
  uptime      2h
  in flight   2
  note        the disk is full

components
APP   COMPONENT  REVISION  READINESS  REASON
shop  cart       3         failed     no memory
";
        assert_eq!(page.text(), expected);
    }
}
