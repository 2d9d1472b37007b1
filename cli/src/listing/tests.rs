use serde_json::json;
use unicode_width::UnicodeWidthStr;
use weft_control::rows::{
    AppRow, ComponentRow, HostRow, InventoryRow, LinkRow, PlacementRow, ProviderRow, RouteRow,
};

use super::*;
use crate::styled::Colour;

/// The time of the tables of this test.
const NOW_MS: u64 = 1_767_225_600_000;

const REASON: &str = "orders 0/1: no host has the label `cloud` with the value `nimbus`: \
                      north has `a`, south has `b`, west has `c`";

fn rows<R: Row>(rows: Value) -> Listing<R> {
    Listing {
        rows: serde_json::from_value(rows).unwrap(),
        form: Form::Table,
        note: None,
    }
}

fn apps() -> Listing<AppRow> {
    let app = |name: &str, status: &str, ready: u32, reason: Option<&str>| {
        json!({
            "app": name, "revision": 12, "status": status, "wanted": 7, "ready": ready,
            "reason": reason, "components": 5, "links": 9, "routes": 2,
            "changed_at_ms": NOW_MS - 300_000, "labels": {"team": "web", "tier": "1"},
        })
    };
    let blog = app("blog", "ready", 7, None);
    rows(json!([blog, app("shop", "waiting", 6, Some(REASON))]))
}

fn components() -> Listing<ComponentRow> {
    let component = |name: &str, host: &str| {
        json!({
            "host": host, "app": "shop", "component": name, "digest": "sha256:0123456789abcdef",
            "bytes": 88_371, "instances": "per-request",
            "fused": [name, "catalog", "pricing", "inventory", "recommendations"],
            "loaded": true, "in_flight": 12, "requests": 1_234_567, "traps": 3,
            "memory_bytes_max": 268_435_456, "deadline_ms": 30_000, "concurrency_max": 1000,
        })
    };
    let hosts = ["north", "south", "west"];
    rows(hosts.map(|host| component("storefront", host)).into())
}

fn links() -> Listing<LinkRow> {
    let link = |interface: &str, name: Option<&str>, to: &str, host: &str| {
        json!({
            "app": "shop", "from": "storefront", "interface": interface, "name": name, "to": to,
            "mode": "remote", "locality": "auto", "host": host,
        })
    };
    rows(json!([
        link("shop:catalog/pricing@0.1.0", None, "pricing", "north"),
        link("shop:catalog/pricing@0.1.0", None, "pricing", "south"),
        link(
            "wasi:keyvalue/store@0.2.0-draft",
            Some("stock"),
            "stock-db",
            "west"
        ),
    ]))
}

fn providers() -> Listing<ProviderRow> {
    let serves =
        ["store", "atomics", "batch"].map(|name| format!("wasi:keyvalue/{name}@0.2.0-draft"));
    rows(json!([
        {"app": "shop", "provider": "stock-db", "type": "keyvalue-nats", "serves": serves, "links": 2},
        {"app": "shop", "provider": "log", "type": "logging-tracing",
         "serves": ["wasi:logging/logging@0.1.0-draft"], "links": 5},
    ]))
}

fn routes() -> Listing<RouteRow> {
    rows(json!([
        {"app": "shop", "host": "*", "path": "/", "to": "storefront", "protocol": "wasi:http@0.2"},
        {"app": "shop", "host": "admin.shop.example.com", "path": "/v1/reports/monthly",
         "to": "administration", "protocol": "wasi:http@0.3"},
    ]))
}

fn placements() -> Listing<PlacementRow> {
    let placement = |name: &str, ready: u32, why: &[&str]| {
        json!({
            "app": "shop", "component": name, "revision": 12, "wanted": 3, "placed": 3,
            "ready": ready, "hosts": ["north", "south", "west"], "why": why,
            "pins": [{"store": "shop/stock-db", "host": "north"}], "serving": ["north"],
        })
    };
    rows(json!([
        placement("storefront", 3, &[]),
        placement("orders", 0, &[REASON])
    ]))
}

fn hosts() -> Listing<HostRow> {
    let host = |name: &str, cloud: &str, status: &str| {
        json!({
            "host": name, "lattice": "prod", "id": "hq7k3m2x9v8w4z5y6", "status": status,
            "version": "0.1.0", "http": "10.20.30.40:8080", "admin": "127.0.0.1:7411",
            "labels": {"cloud": cloud, "zone": format!("{cloud}-west-1"), "arch": "arm64"},
            "uptime_s": 345_600, "apps": 2, "components": 9, "pool_instances_max": 1000,
        })
    };
    let mut west = host("west", "c", "suspected");
    west["notes"] = json!(["the desired-state bucket is unavailable: it serves its copy"]);
    rows(json!([
        host("north", "a", "ready"),
        host("south", "b", "ready"),
        west
    ]))
}

fn inventory() -> Listing<InventoryRow> {
    let row = |host: &str, readiness: &str, reason: Option<&str>| {
        json!({
            "host": host, "id": "hq7k3m2x9v8w4z5y6", "app": "shop", "component": "storefront",
            "revision": 12, "readiness": readiness, "reason": reason,
        })
    };
    rows(json!([
        row("north", "ready", None),
        row("south", "failed", Some(REASON))
    ]))
}

/// Checks that a table fits 80 columns, loses no column, and is whole without a terminal.
fn check<R: Row>(listing: &Listing<R>, headings: &[&str]) {
    let text = listing.table(Some(80), NOW_MS).to_string();
    let notes: usize = listing.rows.iter().map(|row| row.footnotes().len()).sum();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 1 + listing.rows.len() + notes, "{text}");
    for line in &lines[..=listing.rows.len()] {
        assert!(line.width() <= 80, "{} columns:\n{text}", line.width());
    }
    let found: Vec<_> = lines[0].split("  ").map(str::trim).collect();
    let found: Vec<_> = found
        .into_iter()
        .filter(|heading| !heading.is_empty())
        .collect();
    assert_eq!(found, headings);
    let piped = listing.table(None, NOW_MS).to_string();
    assert!(!piped.contains('…'), "{piped}");
}

#[test]
fn every_resource_fits_80_columns() {
    check(
        &apps(),
        &["APP", "REVISION", "STATUS", "READY", "CHANGED", "REASON"],
    );
    check(
        &components(),
        &[
            "APP",
            "COMPONENT",
            "HOST",
            "FUSED WITH",
            "IN FLIGHT",
            "REQUESTS",
            "TRAPS",
        ],
    );
    check(
        &links(),
        &["APP", "FROM", "INTERFACE", "NAME", "TO", "HOST", "MODE"],
    );
    check(
        &providers(),
        &["APP", "PROVIDER", "TYPE", "LINKS", "SERVES"],
    );
    check(&routes(), &["APP", "HOST", "PATH", "TO", "PROTOCOL"]);
    check(
        &placements(),
        &["APP", "COMPONENT", "READY", "HOSTS", "REASON"],
    );
    check(
        &hosts(),
        &[
            "HOST",
            "STATUS",
            "HTTP",
            "UPTIME",
            "APPS",
            "COMPONENTS",
            "LABELS",
        ],
    );
    check(
        &inventory(),
        &[
            "HOST",
            "APP",
            "COMPONENT",
            "REVISION",
            "READINESS",
            "REASON",
        ],
    );
}

#[test]
fn names_are_readable_at_80_columns_and_reasons_lose_their_end() {
    let links = links().table(Some(80), NOW_MS).to_string();
    assert_eq!(links.matches(" shop:catalog/pricing@0.1.0 ").count(), 2);
    assert!(
        links.contains(" wasi:keyvalue/s…re@0.2.0-draft "),
        "{links}"
    );
    let apps = apps().table(Some(80), NOW_MS).to_string();
    assert!(apps.contains("orders 0/1: no host has the"), "{apps}");
    assert!(apps.ends_with("…\n"), "{apps}");
}

#[test]
fn the_wide_form_has_every_column_in_full() {
    let apps = Listing {
        form: Form::Wide,
        ..apps()
    };
    let text = apps.styled(Some(80)).to_string();
    assert!(text.contains(REASON), "{text}");
    assert!(text.contains("team=web,tier=1"), "{text}");
    for heading in ["COMPONENTS", "LINKS", "ROUTES", "LABELS"] {
        assert!(text.contains(heading), "{text}");
    }
}

#[test]
fn notes_of_a_host_are_whole_below_the_table() {
    let text = hosts().table(Some(80), NOW_MS).to_string();
    let note = "west: the desired-state bucket is unavailable: it serves its copy";
    assert_eq!(text.lines().last(), Some(note));
}

#[test]
fn states_are_coloured_on_a_terminal() {
    let text = apps().table(Some(80), NOW_MS).render(Colour::On);
    for part in ["\u{1b}[1mAPP", "\u{1b}[32mready", "\u{1b}[33mwaiting"] {
        assert!(text.contains(part), "{text:?}");
    }
    let text = inventory().table(None, NOW_MS).render(Colour::Off);
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn names_are_distinct_and_one_on_each_line() {
    let names = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(names(apps().names()), ["blog", "shop"]);
    assert_eq!(names(components().names()), ["shop/storefront"]);
    assert_eq!(names(hosts().names()), ["north", "south", "west"]);
    assert_eq!(
        names(routes().names()),
        ["*/", "admin.shop.example.com/v1/reports/monthly"]
    );
}

#[test]
fn rows_are_an_array_of_flat_objects_for_programs() {
    let expected = json!([{
        "app": "shop", "from": "cart", "interface": "shop:pricing/quotes@0.1.0",
        "name": null, "to": "pricing", "mode": "fused",
        "locality": "auto", "host": "north",
    }]);
    let listing = rows::<LinkRow>(expected.clone());
    assert_eq!(serde_json::to_value(&listing).unwrap(), expected);
}

#[test]
fn a_change_is_news_and_an_uptime_is_not() {
    let mut news = News::default();
    let mut listing = hosts();
    assert!(news.is_first() && news.are_in(&listing));
    listing.rows[0].uptime_s = Some(7);
    assert!(!news.are_in(&listing));
    listing.rows[0].status = "draining".to_owned();
    assert!(news.are_in(&listing));
    assert!(!news.are_in(&listing));
}
