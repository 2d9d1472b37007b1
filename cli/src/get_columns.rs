//! The columns of the tables that `weft get` prints.

use serde::Serialize;
use serde::de::DeserializeOwned;
use weft_control::rows::{
    AppRow, ComponentRow, HostRow, InventoryRow, LinkRow, PinRow, PlacementRow, ProviderRow,
    RouteRow,
};
use weft_lattice_config::ByteSize;

use crate::time::span;

/// Number of digits of a digest in a table: enough to be unique in any lattice.
const DIGEST_DIGITS: usize = 12;

/// Number of characters of a host id in a table: enough to be unique in any lattice.
const ID_CHARACTERS: usize = 9;

/// A row of a table.
pub(crate) trait Row: Serialize + DeserializeOwned {
    /// The headings of the table.
    const HEADINGS: &'static [&'static str];

    /// A cell for each heading.
    fn cells(&self, now_ms: u64) -> Vec<String>;

    /// The app of the row; `None` for the row of a host.
    fn app(&self) -> Option<&str>;
}

impl Row for AppRow {
    const HEADINGS: &'static [&'static str] = &[
        "APP",
        "REVISION",
        "STATUS",
        "READY",
        "COMPONENTS",
        "LINKS",
        "ROUTES",
        "CHANGED",
        "REASON",
    ];

    fn cells(&self, now_ms: u64) -> Vec<String> {
        vec![
            self.app.clone(),
            self.revision.to_string(),
            self.status.clone(),
            format!("{}/{}", self.ready, self.wanted),
            self.components.to_string(),
            self.links.to_string(),
            self.routes.to_string(),
            format!(
                "{} ago",
                span(now_ms.saturating_sub(self.changed_at_ms) / 1000)
            ),
            self.reason.clone().unwrap_or_default(),
        ]
    }

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }
}

impl Row for ComponentRow {
    const HEADINGS: &'static [&'static str] = &[
        "APP",
        "COMPONENT",
        "HOST",
        "DIGEST",
        "SIZE",
        "INSTANCES",
        "FUSED WITH",
        "IN FLIGHT",
        "REQUESTS",
        "TRAPS",
        "MEMORY",
        "DEADLINE",
        "CONCURRENCY",
    ];

    fn cells(&self, _: u64) -> Vec<String> {
        let others = self
            .fused
            .iter()
            .filter(|component| **component != self.component);
        vec![
            self.app.clone(),
            self.component.clone(),
            self.host.clone(),
            short(&self.digest),
            size(self.bytes),
            self.instances.clone(),
            others.cloned().collect::<Vec<_>>().join(","),
            self.in_flight.to_string(),
            self.requests.to_string(),
            self.traps.to_string(),
            ByteSize::new(self.memory_bytes_max).to_string(),
            duration(self.deadline_ms),
            self.concurrency_max.to_string(),
        ]
    }

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }
}

impl Row for LinkRow {
    const HEADINGS: &'static [&'static str] = &[
        "APP",
        "FROM",
        "INTERFACE",
        "NAME",
        "TO",
        "HOST",
        "MODE",
        "LOCALITY",
    ];

    fn cells(&self, _: u64) -> Vec<String> {
        vec![
            self.app.clone(),
            self.from.clone(),
            self.interface.clone(),
            self.name.clone().unwrap_or_default(),
            self.to.clone(),
            self.host.clone().unwrap_or_default(),
            self.mode.clone(),
            self.locality.clone().unwrap_or_default(),
        ]
    }

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }
}

impl Row for ProviderRow {
    const HEADINGS: &'static [&'static str] = &["APP", "PROVIDER", "TYPE", "SERVES", "LINKS"];

    fn cells(&self, _: u64) -> Vec<String> {
        vec![
            self.app.clone(),
            self.provider.clone(),
            self.kind.clone(),
            self.serves.join(","),
            self.links.to_string(),
        ]
    }

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }
}

impl Row for RouteRow {
    const HEADINGS: &'static [&'static str] = &["APP", "HOST", "PATH", "TO", "PROTOCOL"];

    fn cells(&self, _: u64) -> Vec<String> {
        vec![
            self.app.clone(),
            self.host.clone(),
            self.path.clone(),
            self.to.clone(),
            self.protocol.clone(),
        ]
    }

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }
}

impl Row for HostRow {
    const HEADINGS: &'static [&'static str] = &[
        "HOST",
        "ID",
        "STATUS",
        "VERSION",
        "HTTP",
        "ADMIN",
        "UPTIME",
        "APPS",
        "COMPONENTS",
        "INSTANCES MAX",
        "LABELS",
        "NOTES",
    ];

    fn cells(&self, _: u64) -> Vec<String> {
        let labels = self
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        vec![
            self.host.clone(),
            self.id.as_deref().map(short_id).unwrap_or_default(),
            self.status.clone(),
            self.version.clone(),
            self.http.clone().unwrap_or_default(),
            self.admin.clone().unwrap_or_default(),
            self.uptime_s.map(span).unwrap_or_default(),
            self.apps.to_string(),
            self.components.to_string(),
            self.pool_instances_max
                .map(|instances| instances.to_string())
                .unwrap_or_default(),
            labels.collect::<Vec<_>>().join(","),
            self.notes.join("; "),
        ]
    }

    fn app(&self) -> Option<&str> {
        None
    }
}

impl Row for PlacementRow {
    const HEADINGS: &'static [&'static str] = &[
        "APP",
        "COMPONENT",
        "DESIRED",
        "PLACED",
        "READY",
        "HOSTS",
        "PINNED BY",
        "REASON",
    ];

    fn cells(&self, _: u64) -> Vec<String> {
        vec![
            self.app.clone(),
            self.component.clone(),
            self.wanted.to_string(),
            self.placed.to_string(),
            self.ready.to_string(),
            self.hosts.join(","),
            pins(&self.pins),
            self.why.join("; "),
        ]
    }

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }
}

impl Row for InventoryRow {
    const HEADINGS: &'static [&'static str] = &[
        "HOST",
        "ID",
        "APP",
        "COMPONENT",
        "REVISION",
        "READINESS",
        "REASON",
    ];

    fn cells(&self, _: u64) -> Vec<String> {
        vec![
            self.host.clone(),
            self.id.as_deref().map(short_id).unwrap_or_default(),
            self.app.clone(),
            self.component.clone(),
            self.revision.to_string(),
            self.readiness.clone(),
            self.reason.clone().unwrap_or_default(),
        ]
    }

    fn app(&self) -> Option<&str> {
        Some(&self.app)
    }
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
