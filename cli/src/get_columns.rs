//! The columns of the tables that `weft get` prints.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use weft_control::rows::{
    AppRow, ComponentRow, HostRow, InventoryRow, LinkRow, PinRow, PlacementRow, ProviderRow,
    RouteRow,
};
use weft_lattice_config::ByteSize;

use crate::styled::Style;
use crate::table::{Cell, Cut, Table};
use crate::time::span;

/// Number of digits of a digest in a table: enough to be unique in any lattice.
const DIGEST_DIGITS: usize = 12;

/// Number of characters of a host id in a table: enough to be unique in any lattice.
const ID_CHARACTERS: usize = 9;

/// A row of a table.
pub(crate) trait Row: Serialize + DeserializeOwned + 'static {
    /// The columns of the table.
    const COLUMNS: &'static [Column<Self>];

    /// The app of the row; `None` for the row of a host.
    fn app(&self) -> Option<&str>;

    /// The host of a row of a host, by its id or, without a lattice, by its name.
    fn host_key(&self) -> Option<&str> {
        None
    }

    /// The name for other commands.
    fn name(&self) -> String;

    /// Sentences about the row that are too long for a column, for below the table.
    fn footnotes(&self) -> &[String] {
        &[]
    }
}

/// A column of a table.
pub(crate) struct Column<R> {
    heading: &'static str,
    cut: Cut,
    /// False for a column of `-o wide` alone.
    is_default: bool,
    /// The cell of a row at a time, in milliseconds since the Unix epoch.
    cell: fn(&R, u64) -> Cell,
}

impl<R> Column<R> {
    const fn new(heading: &'static str, cell: fn(&R, u64) -> Cell) -> Self {
        Self {
            heading,
            cut: Cut::Middle,
            is_default: true,
            cell,
        }
    }

    /// A column of `-o wide` alone.
    const fn wide(heading: &'static str, cell: fn(&R, u64) -> Cell) -> Self {
        Self {
            is_default: false,
            ..Self::new(heading, cell)
        }
    }

    /// A column of lists or sentences, which are shortened at their end.
    const fn long(heading: &'static str, cell: fn(&R, u64) -> Cell) -> Self {
        Self {
            cut: Cut::End,
            ..Self::new(heading, cell)
        }
    }
}

/// The table of these rows, with all columns or with the default ones.
pub(crate) fn table<R: Row>(rows: &[R], is_wide: bool, now_ms: u64) -> Table {
    table_of(rows, now_ms, |column| is_wide || column.is_default)
}

/// The table of these rows with the columns of these headings, in the order of the resource.
pub(crate) fn table_with<R: Row>(rows: &[R], headings: &[&str], now_ms: u64) -> Table {
    table_of(rows, now_ms, |column| headings.contains(&column.heading))
}

fn table_of<R: Row>(rows: &[R], now_ms: u64, is_shown: impl Fn(&Column<R>) -> bool) -> Table {
    let columns = R::COLUMNS.iter();
    let columns: Vec<_> = columns.filter(|column| is_shown(column)).collect();
    let headings = columns.iter().map(|column| (column.heading, column.cut));
    let mut table = Table::new(headings);
    for row in rows {
        table.row(columns.iter().map(|column| (column.cell)(row, now_ms)));
    }
    table
}

impl Row for AppRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("APP", |row, _| Cell::from(&row.app)),
        Column::new("REVISION", |row, _| Cell::from(row.revision.to_string())),
        Column::new("STATUS", |row, _| Cell::state(&row.status)),
        Column::new("READY", |row, _| Cell::readiness(row.ready, row.wanted)),
        Column::wide("COMPONENTS", |row, _| {
            Cell::from(row.components.to_string())
        }),
        Column::wide("LINKS", |row, _| Cell::from(row.links.to_string())),
        Column::wide("ROUTES", |row, _| Cell::from(row.routes.to_string())),
        Column::new("CHANGED", |row, now_ms| {
            Cell::from(ago(row.changed_at_ms, now_ms))
        }),
        Column::wide("LABELS", |row, _| Cell::from(labels(&row.labels))),
        Column::long("REASON", |row, _| Cell::from(optional(&row.reason))),
    ];

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }

    fn name(&self) -> String {
        self.app.clone()
    }
}

impl Row for ComponentRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("APP", |row, _| Cell::from(&row.app)),
        Column::new("COMPONENT", |row, _| Cell::from(&row.component)),
        Column::new("HOST", |row, _| Cell::from(&row.host)),
        Column::wide("DIGEST", |row, _| Cell::from(short(&row.digest))),
        Column::wide("SIZE", |row, _| Cell::from(size(row.bytes))),
        Column::wide("INSTANCES", |row, _| Cell::from(&row.instances)),
        Column::long("FUSED WITH", |row, _| Cell::from(fused_with(row))),
        Column::new("IN FLIGHT", |row, _| Cell::from(row.in_flight.to_string())),
        Column::new("REQUESTS", |row, _| Cell::from(row.requests.to_string())),
        Column::new("TRAPS", |row, _| {
            let style = match row.traps {
                0 => Style::Plain,
                _ => Style::Bad,
            };
            Cell::new(style, row.traps.to_string())
        }),
        Column::wide("MEMORY", |row, _| {
            Cell::from(ByteSize::new(row.memory_bytes_max).to_string())
        }),
        Column::wide("DEADLINE", |row, _| Cell::from(duration(row.deadline_ms))),
        Column::wide("CONCURRENCY", |row, _| {
            Cell::from(row.concurrency_max.to_string())
        }),
    ];

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }

    fn name(&self) -> String {
        format!("{}/{}", self.app, self.component)
    }
}

impl Row for LinkRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("APP", |row, _| Cell::from(&row.app)),
        Column::new("FROM", |row, _| Cell::from(&row.from)),
        Column::new("INTERFACE", |row, _| Cell::from(&row.interface)),
        Column::new("NAME", |row, _| Cell::from(optional(&row.name))),
        Column::new("TO", |row, _| Cell::from(&row.to)),
        Column::new("HOST", |row, _| Cell::from(optional(&row.host))),
        Column::new("MODE", |row, _| Cell::from(&row.mode)),
        Column::wide("LOCALITY", |row, _| Cell::from(optional(&row.locality))),
    ];

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }

    fn name(&self) -> String {
        format!("{}/{}/{}", self.app, self.from, self.interface)
    }
}

impl Row for ProviderRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("APP", |row, _| Cell::from(&row.app)),
        Column::new("PROVIDER", |row, _| Cell::from(&row.provider)),
        Column::new("TYPE", |row, _| Cell::from(&row.kind)),
        Column::new("LINKS", |row, _| Cell::from(row.links.to_string())),
        Column::long("SERVES", |row, _| Cell::from(row.serves.join(","))),
    ];

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }

    fn name(&self) -> String {
        format!("{}/{}", self.app, self.provider)
    }
}

impl Row for RouteRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("APP", |row, _| Cell::from(&row.app)),
        Column::new("HOST", |row, _| Cell::from(&row.host)),
        Column::new("PATH", |row, _| Cell::from(&row.path)),
        Column::new("TO", |row, _| Cell::from(&row.to)),
        Column::new("PROTOCOL", |row, _| Cell::from(&row.protocol)),
    ];

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }

    fn name(&self) -> String {
        format!("{}{}", self.host, self.path)
    }
}

impl Row for HostRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("HOST", |row, _| Cell::from(&row.host)),
        Column::wide("ID", |row, _| {
            Cell::from(row.id.as_deref().map(short_id).unwrap_or_default())
        }),
        Column::new("STATUS", |row, _| Cell::state(&row.status)),
        Column::wide("VERSION", |row, _| Cell::from(&row.version)),
        Column::new("HTTP", |row, _| Cell::from(optional(&row.http))),
        Column::wide("ADMIN", |row, _| Cell::from(optional(&row.admin))),
        Column::new("UPTIME", |row, _| {
            Cell::from(row.uptime_s.map(span).unwrap_or_default())
        }),
        Column::new("APPS", |row, _| Cell::from(row.apps.to_string())),
        Column::new("COMPONENTS", |row, _| {
            Cell::from(row.components.to_string())
        }),
        Column::wide("INSTANCES MAX", |row, _| {
            let max = row.pool_instances_max;
            Cell::from(max.map(|max| max.to_string()).unwrap_or_default())
        }),
        Column::wide("DISK", |row, _| {
            Cell::from(row.stored_bytes().map(size).unwrap_or_default())
        }),
        Column::long("LABELS", |row, _| Cell::from(labels(&row.labels))),
    ];

    fn app(&self) -> Option<&str> {
        None
    }

    fn host_key(&self) -> Option<&str> {
        Some(self.id.as_deref().unwrap_or(&self.host))
    }

    fn name(&self) -> String {
        self.host.clone()
    }

    fn footnotes(&self) -> &[String] {
        &self.notes
    }
}

impl Row for PlacementRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("APP", |row, _| Cell::from(&row.app)),
        Column::new("COMPONENT", |row, _| Cell::from(&row.component)),
        Column::wide("DESIRED", |row, _| Cell::from(row.wanted.to_string())),
        Column::wide("PLACED", |row, _| Cell::from(row.placed.to_string())),
        Column::new("READY", |row, _| Cell::readiness(row.ready, row.wanted)),
        Column::long("HOSTS", |row, _| Cell::from(row.hosts.join(","))),
        Column::wide("PINNED BY", |row, _| Cell::from(pins(&row.pins))),
        Column::long("REASON", |row, _| Cell::from(row.why.join("; "))),
    ];

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }

    fn name(&self) -> String {
        format!("{}/{}", self.app, self.component)
    }
}

impl Row for InventoryRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("HOST", |row, _| Cell::from(&row.host)),
        Column::wide("ID", |row, _| {
            Cell::from(row.id.as_deref().map(short_id).unwrap_or_default())
        }),
        Column::new("APP", |row, _| Cell::from(&row.app)),
        Column::new("COMPONENT", |row, _| Cell::from(&row.component)),
        Column::new("REVISION", |row, _| Cell::from(row.revision.to_string())),
        Column::new("READINESS", |row, _| Cell::state(&row.readiness)),
        Column::long("REASON", |row, _| Cell::from(optional(&row.reason))),
    ];

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }

    fn host_key(&self) -> Option<&str> {
        Some(self.id.as_deref().unwrap_or(&self.host))
    }

    fn name(&self) -> String {
        format!("{}/{}", self.app, self.component)
    }
}

fn optional(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

/// Labels in their written form: `cloud=a,zone=a1`.
pub(crate) fn labels(labels: &BTreeMap<String, String>) -> String {
    let labels = labels.iter().map(|(key, value)| format!("{key}={value}"));
    labels.collect::<Vec<_>>().join(",")
}

/// The other components in the store of a component.
fn fused_with(row: &ComponentRow) -> String {
    let others = row.fused.iter();
    let others = others.filter(|component| **component != row.component);
    others.cloned().collect::<Vec<_>>().join(",")
}

/// The time since a change: `5m ago`.
pub(crate) fn ago(time_ms: u64, now_ms: u64) -> String {
    format!("{} ago", span(now_ms.saturating_sub(time_ms) / 1000))
}

/// The stores that pin a component to a host, in words.
pub(crate) fn pins(pins: &[PinRow]) -> String {
    let pins = pins.iter();
    let pins = pins.map(|PinRow { store, host }| format!("{store} on {host}"));
    pins.collect::<Vec<_>>().join(",")
}

/// Shortens a host id.
pub(crate) fn short_id(id: &str) -> String {
    id.chars().take(ID_CHARACTERS).collect()
}

/// Shortens a digest, without the prefix `sha256:`.
fn short(digest: &str) -> String {
    let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
    digits.chars().take(DIGEST_DIGITS).collect()
}

/// Formats a size with about three digits: `812 B`, `86.3 KiB`, `17.9 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = bytes.saturating_mul(10) / unit;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..=1023 => format!("{bytes} B"),
        1024..=1_048_575 => format!("{} KiB", tenths(1024)),
        _ => format!("{} MiB", tenths(1024 * 1024)),
    }
}

/// Formats milliseconds, as whole seconds if possible.
pub(crate) fn duration(ms: u64) -> String {
    if ms.is_multiple_of(1000) {
        format!("{}s", ms / 1000)
    } else {
        format!("{ms}ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_short() {
        assert_eq!(
            [size(812), size(88_371), size(18_769_838)],
            ["812 B", "86.2 KiB", "17.9 MiB"]
        );
        assert_eq!([duration(30_000), duration(1500)], ["30s", "1500ms"]);
        assert_eq!(short("sha256:0123456789abcdef"), "0123456789ab");
    }
}
