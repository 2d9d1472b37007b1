//! The page of an app.

use serde::Serialize;
use weft_control::rows::{AppRow, LinkRow, ProviderRow, RouteRow};
use weft_control::{Client, EventRow, LogQuery, StatusReport};

use super::http_of;
use super::page::Page;
use super::recent::Recent;
use crate::all_hosts;
use crate::commands::status::components_text;
use crate::connection;
use crate::failure::{Failure, Kind};
use crate::get_columns::{ago, labels, table_with};
use crate::output::Report;
use crate::styled::{Style, Styled};
use crate::target::AppTarget;
use crate::time::now_ms;
use crate::urls::ServedRoute;

/// Everything about an app.
#[derive(Debug, Serialize)]
pub(super) struct AppPage {
    app: AppRow,
    status: StatusReport,
    links: Vec<LinkRow>,
    routes: Vec<ServedRoute>,
    providers: Vec<ProviderRow>,
    #[serde(flatten)]
    recent: Recent,
}

/// Fetches the page of an app.
///
/// # Errors
/// The app is missing, or no host answers.
pub(super) async fn fetch(client: &Client, target: &AppTarget) -> Result<AppPage, Failure> {
    connection::check_target(client, target).await?;
    let name = target.app.as_str();
    let status = match client.status(&target.app).await {
        Ok(status) => status,
        Err(error) => return Err(connection::explain(client, target, error).await),
    };
    let apps: Vec<AppRow> = client.rows("apps").await?;
    let app = apps.into_iter().find(|row| row.app == name);
    let app = app.ok_or_else(|| {
        let message = format!("app `{name}` was removed in this moment");
        Failure::new(Kind::Failed, message).or_help("list apps with `weft get apps`")
    })?;
    let hosts = all_hosts::alive(client).await?;
    let is_of_app = |app: &str| app == name;
    let mut links: Vec<LinkRow> = all_hosts::rows_of_all(client, &hosts, "links").await?;
    links.retain(|row| is_of_app(&row.app));
    let mut routes: Vec<RouteRow> = all_hosts::rows_of_all(client, &hosts, "routes").await?;
    routes.retain(|row| is_of_app(&row.app));
    let mut providers: Vec<ProviderRow> = client.rows("providers").await?;
    providers.retain(|row| is_of_app(&row.app));
    let routes = ServedRoute::all(routes, http_of(&hosts));
    let query = LogQuery {
        app: Some(target.app.clone()),
        ..LogQuery::default()
    };
    let is_about = |event: &EventRow| event.app.as_deref() == Some(name);
    Ok(AppPage {
        app,
        status,
        links,
        routes,
        providers,
        recent: Recent::fetch(client, hosts, query, is_about).await,
    })
}

impl Report for AppPage {
    fn text(&self) -> String {
        self.styled(None).to_string()
    }

    fn styled(&self, columns: Option<usize>) -> Styled {
        let AppPage {
            app,
            status,
            links,
            routes,
            providers,
            recent,
        } = self;
        let now_ms = now_ms();
        let mut page = Page::new("app", &app.app);
        page.styled_field("status", Style::of_state(&app.status), &app.status);
        page.field("ready", format!("{} of {}", app.ready, app.wanted));
        page.field("revision", revision(status.revision, app));
        page.field("changed", ago(app.changed_at_ms, now_ms));
        page.field("labels", labels(&app.labels));
        page.field("paused", status.held.clone().unwrap_or_default());
        let lost_routes = status.reason.clone().unwrap_or_default();
        page.styled_field("reason", Style::Bad, lost_routes);
        page.section("components", components_text(&status.components, columns));
        page.section("links", links_text(links, columns));
        page.section("routes", routes_text(routes));
        if !providers.is_empty() {
            let headings = ["PROVIDER", "TYPE", "LINKS", "SERVES"];
            let table = table_with(providers, &headings, now_ms);
            page.section("providers", table.styled(columns));
        }
        recent.add_to(&mut page);
        page.finish()
    }
}

/// The desired revision, and the one that serves if that is another.
fn revision(desired: u64, app: &AppRow) -> String {
    match app.revision {
        serving if serving == desired => desired.to_string(),
        serving => format!("{desired} (revision {serving} serves)"),
    }
}

/// The table of links of one app; empty if there are none.
pub(super) fn links_text(links: &[LinkRow], columns: Option<usize>) -> Styled {
    if links.is_empty() {
        return Styled::default();
    }
    let headings = ["FROM", "INTERFACE", "NAME", "TO", "HOST", "MODE"];
    table_with(links, &headings, now_ms()).styled(columns)
}

/// The routes, a line each.
pub(super) fn routes_text(routes: &[ServedRoute]) -> Styled {
    let lines = routes.iter().map(|route| route.line() + "\n");
    Styled::plain(lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn the_page_of_an_app_has_everything_about_it() {
        let now_ms = now_ms();
        let why = "south: revision 3 does not start: no memory";
        let page = AppPage {
            app: from_value(json!({
                "app": "shop", "revision": 2, "status": "behind", "wanted": 2, "ready": 1,
                "reason": why, "components": 1, "links": 1, "routes": 1,
                "changed_at_ms": now_ms - 300_500, "labels": {"team": "web"},
            }))
            .unwrap(),
            status: from_value(json!({
                "app": "shop", "revision": 3, "ready": false, "held": null,
                "components": [{
                    "app": "shop", "component": "cart", "revision": 3, "wanted": 2, "placed": 2,
                    "ready": 1, "hosts": ["north", "south"], "why": [why], "pins": [],
                    "revisions": [{"revision": 3, "ready": 1, "failed": 1, "other": 0}],
                }],
            }))
            .unwrap(),
            links: from_value(json!([{
                "app": "shop", "from": "cart", "interface": "wasi:keyvalue", "name": "stock",
                "to": "db", "mode": "host", "host": "north",
            }]))
            .unwrap(),
            routes: ServedRoute::all(
                from_value(json!([
                    {"app": "shop", "host": "*", "path": "/", "to": "cart", "protocol": ""},
                ]))
                .unwrap(),
                Some("127.0.0.1:8080"),
            ),
            providers: from_value(json!([
                {"app": "shop", "provider": "db", "type": "keyvalue-redb", "serves": ["wasi:keyvalue"],
                 "links": 1},
            ]))
            .unwrap(),
            recent: Recent::example("shop"),
        };
        let expected = "\
app shop
  status      behind
  ready       1 of 2
  revision    3 (revision 2 serves)
  changed     5m ago
  labels      team=web

components
COMPONENT  READY  HOSTS        REVISIONS
cart       1/2    north,south  3: 1 ready, 1 failed
cart: south: revision 3 does not start: no memory

links
FROM  INTERFACE      NAME   TO  HOST   MODE
cart  wasi:keyvalue  stock  db  north  host

routes
http://127.0.0.1:8080/ → cart

providers
PROVIDER  TYPE           LINKS  SERVES
db        keyvalue-redb  1      wasi:keyvalue

events
2026-01-01T00:00:00.000Z app-failed      shop does not start

warnings and errors in the log
2026-01-01T00:00:00.000Z WARN  north shop/cart stderr: low on stock
";
        assert_eq!(page.text(), expected);
        let json = serde_json::to_value(&page).unwrap();
        assert_eq!(json["events"][0]["kind"], "app-failed");
        assert_eq!(json["routes"][0]["url"], "http://127.0.0.1:8080/");
    }
}
