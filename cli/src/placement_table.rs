//! The text of `weft get placements --why`: for each component its requirements, and a table of all
//! hosts in its order.

use serde::Serialize;
use weft_control::rows::{FitsRow, HostFitRow, PlacementRow};

use crate::get_columns::pins;
use crate::output::Report;
use crate::styled::{Style, Styled};
use crate::table::{Cell, Cut, Table};

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
        self.styled(None).to_string()
    }

    fn styled(&self, columns: Option<usize>) -> Styled {
        let mut text = Styled::default();
        for row in &self.rows {
            if !text.is_empty() {
                text.push(Style::Plain, "\n");
            }
            text.append(component(row, columns));
        }
        text
    }

    fn note(&self) -> Option<String> {
        self.note.clone()
    }
}

fn component(row: &PlacementRow, columns: Option<usize>) -> Styled {
    let PlacementRow {
        app,
        component,
        revision,
        wanted,
        placed,
        ready,
        ..
    } = row;
    let mut text = Styled::default();
    text.push(Style::Heading, format!("{app}/{component}"));
    text.push(Style::Plain, format!(": revision {revision}, "));
    let readiness = format!("{ready} of {wanted} replicas ready");
    text.push(Style::of_readiness(*ready, *wanted), readiness);
    text.push(Style::Plain, format!(", {placed} placed\n"));
    let Some(fits) = &row.fits else {
        return text;
    };
    for line in requirements(row, fits) {
        text.push(Style::Plain, format!("  {line}\n"));
    }
    text.append(hosts_table(fits).styled(columns));
    text
}

/// The table of hosts. The reasons are the purpose of the command, so that they are wrapped.
pub(crate) fn hosts_table(fits: &FitsRow) -> Table {
    let headings = [
        "ORDER", "HOST", "STATUS", "REPLICAS", "SERVES", "LABELS", "FREE", "REASON",
    ];
    let columns = headings.map(|heading| match heading {
        "REASON" => (heading, Cut::Wrap),
        _ => (heading, Cut::Middle),
    });
    let mut table = Table::new(columns);
    for host in &fits.hosts {
        table.row(cells(host));
    }
    table
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

fn cells(host: &HostFitRow) -> [Cell; 8] {
    let free = match (host.free, host.capacity) {
        (Some(free), Some(capacity)) => format!("{free} of {capacity}"),
        _ => "no limit".to_owned(),
    };
    [
        host.order.to_string().into(),
        Cell::from(&host.host),
        Cell::state(&host.status),
        host.replicas.to_string().into(),
        if host.serves { "yes" } else { "no" }.into(),
        host.labels.join(",").into(),
        free.into(),
        Cell::from(&host.why),
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
