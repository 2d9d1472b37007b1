//! The text of `weft get placements --why`: for each component its requirements, and a table of all
//! hosts in its order.

use serde::Serialize;
use weft_control::rows::{FitsRow, HostFitRow, PlacementRow};

use crate::get_columns::pins;
use crate::output::Report;
use crate::table::Table;

/// Placements with the standing of every host.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Explained {
    pub(crate) rows: Vec<PlacementRow>,
    #[serde(skip)]
    pub(crate) note: Option<String>,
}

impl Report for Explained {
    fn text(&self) -> String {
        let components = self.rows.iter().map(component);
        components.collect::<Vec<_>>().join("\n")
    }

    fn note(&self) -> Option<String> {
        self.note.clone()
    }
}

fn component(row: &PlacementRow) -> String {
    let PlacementRow {
        app,
        component,
        revision,
        wanted,
        placed,
        ready,
        ..
    } = row;
    let mut text = format!(
        "{app}/{component}: revision {revision}, {ready} of {wanted} replicas ready, {placed} placed\n"
    );
    let Some(fits) = &row.fits else {
        return text;
    };
    for line in requirements(row, fits) {
        text += &format!("  {line}\n");
    }
    let mut table = Table::new(&[
        "ORDER", "HOST", "STATUS", "REPLICAS", "SERVES", "LABELS", "FREE", "REASON",
    ]);
    for host in &fits.hosts {
        table.row(cells(host));
    }
    text + &table.to_string()
}

fn requirements(row: &PlacementRow, fits: &FitsRow) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |what: &str, values: String| {
        if !values.is_empty() {
            lines.push(format!("{what} {values}"));
        }
    };
    let together = fits.together.iter().filter(|it| **it != row.component);
    let together: Vec<_> = together.map(String::as_str).collect();
    add("placed together with", together.join(", "));
    if fits.weight > 0 {
        add("weight", fits.weight.to_string());
    }
    add("requires", fits.require.join(", "));
    add("prefers", fits.prefer.join(", "));
    add("spread over", fits.spread.clone().unwrap_or_default());
    add("pinned by", pins(&row.pins));
    add("not ready:", row.why.join("; "));
    lines
}

fn cells(host: &HostFitRow) -> Vec<String> {
    let free = match (host.free, host.capacity) {
        (Some(free), Some(capacity)) => format!("{free} of {capacity}"),
        _ => "no limit".to_owned(),
    };
    vec![
        host.order.to_string(),
        host.host.clone(),
        host.status.clone(),
        host.replicas.to_string(),
        if host.serves { "yes" } else { "no" }.to_owned(),
        host.labels.join(","),
        free,
        host.why.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_requirements_and_a_table_of_hosts() {
        let host = |order, host: &str, status: &str, replicas, why: &str| HostFitRow {
            host: host.to_owned(),
            id: None,
            status: status.to_owned(),
            order,
            replicas,
            serves: replicas > 0,
            fits: true,
            labels: vec!["place=b".to_owned()],
            capacity: Some(10),
            free: Some(9),
            why: why.to_owned(),
        };
        let row = PlacementRow {
            app: "shop".to_owned(),
            component: "cart".to_owned(),
            revision: 2,
            wanted: 1,
            placed: 1,
            ready: 1,
            hosts: vec!["north".to_owned()],
            why: Vec::new(),
            pins: Vec::new(),
            serving: vec!["north".to_owned()],
            digest: None,
            fits: Some(FitsRow {
                together: vec!["cart".to_owned(), "orders".to_owned()],
                weight: 2,
                require: vec!["place=b|c".to_owned()],
                prefer: Vec::new(),
                spread: None,
                hosts: vec![
                    host(1, "south", "dead", 0, "dead; would fit"),
                    host(2, "north", "ready", 1, "placed"),
                ],
            }),
        };
        let explained = Explained {
            rows: vec![row],
            note: None,
        };
        let expected = "\
shop/cart: revision 2, 1 of 1 replicas ready, 1 placed
  placed together with orders
  weight 2
  requires place=b|c
ORDER  HOST   STATUS  REPLICAS  SERVES  LABELS   FREE     REASON
1      south  dead    0         no      place=b  9 of 10  dead; would fit
2      north  ready   1         yes     place=b  9 of 10  placed
";
        assert_eq!(explained.text(), expected);
    }
}
