//! `weft deploy --plan`: prints the changes that a deploy would make on each host.

use serde::Serialize;
use weft_control::operating::{ChangeKind, HostChange};
use weft_control::rows::PlacementRow;
use weft_control::{Client, PlanReport};

use crate::breaking_changes;
use crate::commands::deploy::{rejected, upload};
use crate::failure::Failure;
use crate::get_columns::pins;
use crate::manifest::Manifest;
use crate::output::{self, Format, Report};

/// The planned changes of one manifest.
#[derive(Debug, Serialize)]
struct Planned {
    file: String,
    #[serde(flatten)]
    report: PlanReport,
}

/// The planned changes of several manifests, each as if deployed alone.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
struct Plans(Vec<Planned>);

/// Prints the changes that a deploy of the manifests would make. The host checks the components as
/// for a deploy, so those that it lacks are uploaded.
///
/// # Errors
/// The mistakes in the manifests that the host rejects.
pub(crate) async fn plan(
    client: &Client,
    manifests: Vec<Manifest>,
    format: Format,
) -> Result<(), Failure> {
    let mut plans = Plans::default();
    let mut rejections = Vec::new();
    let manifests = upload(client, manifests).await?;
    let apps = manifests.iter().map(|(manifest, _)| manifest);
    breaking_changes::check(client, apps, true).await?;
    for (manifest, _) in manifests {
        match client.plan(&manifest.app).await {
            Ok(report) => plans.0.push(Planned {
                file: manifest.file,
                report,
            }),
            Err(error) => rejections.push(rejected(&manifest, error)),
        }
    }
    output::report(&plans, format)?;
    Failure::merge(rejections).map_or(Ok(()), Err)
}

impl Report for Plans {
    fn text(&self) -> String {
        let plans = self.0.iter().map(Planned::text);
        plans.collect::<Vec<_>>().join("\n")
    }
}

impl Planned {
    fn text(&self) -> String {
        let Planned { file, report } = self;
        let now = match report.revision {
            Some(revision) => format!("now at revision {revision}"),
            None => "new".to_owned(),
        };
        let unchanged = if report.changes.is_empty() {
            ", unchanged"
        } else {
            ""
        };
        let mut lines = vec![format!("{}: {now}{unchanged} ({file})", report.app)];
        lines.extend(report.changes.iter().map(|change| format!("  {change}")));
        lines.extend(report.hosts.iter().map(|it| format!("  {}", change(it))));
        lines.extend(report.placements.iter().flat_map(placement));
        if let Some(held) = &report.held {
            lines.push(format!("  placement is paused: {held}"));
        }
        lines.join("\n")
    }
}

/// Formats a change as a line: `+ shop/cart on north`.
fn change(change: &HostChange) -> String {
    let sign = match change.change {
        ChangeKind::Starts => '+',
        ChangeKind::Changes => '~',
        ChangeKind::Stops => '-',
    };
    let times = match change.replicas {
        1 => String::new(),
        count => format!(" × {count}"),
    };
    let HostChange {
        app,
        component,
        host,
        ..
    } = change;
    format!("{sign} {app}/{component} on {host}{times}")
}

/// Lines about pins and missing replicas of a component.
fn placement(row: &PlacementRow) -> Vec<String> {
    let mut lines = Vec::new();
    let component = format!("{}/{}", row.app, row.component);
    if !row.pins.is_empty() {
        lines.push(format!("  {component} is pinned by {}", pins(&row.pins)));
    }
    if row.placed < row.wanted {
        lines.push(format!(
            "  {component} would have {} of {} replicas: {}",
            row.placed,
            row.wanted,
            row.why.join("; ")
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use weft_control::rows::PinRow;

    use super::*;

    fn host_change(host: &str, change: ChangeKind, replicas: usize) -> HostChange {
        HostChange {
            host: host.to_owned(),
            id: None,
            change,
            app: "shop".to_owned(),
            component: "cart".to_owned(),
            replicas,
        }
    }

    fn example() -> Plans {
        let placement = PlacementRow {
            app: "shop".to_owned(),
            component: "cart".to_owned(),
            revision: 3,
            wanted: 3,
            placed: 2,
            ready: 0,
            hosts: vec!["north".to_owned(), "south".to_owned()],
            why: vec!["2 hosts: one runs there already".to_owned()],
            pins: vec![PinRow {
                store: "shop/orders-db".to_owned(),
                host: "north".to_owned(),
            }],
            serving: Vec::new(),
            digest: None,
            fits: None,
        };
        Plans(vec![Planned {
            file: "shop.yaml".to_owned(),
            report: PlanReport {
                app: "shop".to_owned(),
                revision: Some(2),
                changes: vec!["component `cart` changed".to_owned()],
                hosts: vec![
                    host_change("north", ChangeKind::Changes, 1),
                    host_change("south", ChangeKind::Starts, 2),
                    host_change("west", ChangeKind::Stops, 1),
                ],
                placements: vec![placement],
                held: None,
            },
        }])
    }

    #[test]
    fn the_text_lists_changes_by_host_pins_and_missing_replicas() {
        let expected = "\
shop: now at revision 2 (shop.yaml)
  component `cart` changed
  ~ shop/cart on north
  + shop/cart on south × 2
  - shop/cart on west
  shop/cart is pinned by shop/orders-db on north
  shop/cart would have 2 of 3 replicas: 2 hosts: one runs there already";
        assert_eq!(example().text(), expected);
    }

    #[test]
    fn the_json_has_one_object_for_each_manifest() {
        let json = serde_json::to_value(example()).unwrap();
        assert_eq!(json[0]["file"], "shop.yaml");
        assert_eq!(json[0]["hosts"][1]["change"], "starts");
        assert_eq!(json[0]["placements"][0]["pins"][0]["host"], "north");
    }
}
