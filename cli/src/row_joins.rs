//! Rows of several hosts in one list.

use weft_control::rows::{ComponentRow, HostRow, LinkRow, RouteRow};

/// A row that each host has for itself.
pub(crate) trait OfEachHost: Sized {
    /// Joins the rows of several hosts, each with the host that sent them.
    fn join(answers: Vec<(HostRow, Vec<Self>)>) -> Vec<Self>;
}

impl OfEachHost for ComponentRow {
    /// Every copy of a component is a row.
    fn join(answers: Vec<(HostRow, Vec<Self>)>) -> Vec<Self> {
        let mut joined = Vec::new();
        for (host, rows) in answers {
            joined.extend(rows.into_iter().map(|row| Self {
                host: host.host.clone(),
                ..row
            }));
        }
        joined.sort_by(|left, right| {
            let key = |row: &Self| (row.app.clone(), row.component.clone(), row.host.clone());
            key(left).cmp(&key(right))
        });
        joined
    }
}

impl OfEachHost for LinkRow {
    /// A link is a row for each host that runs the importing component; if none does, a row without
    /// a mode.
    fn join(answers: Vec<(HostRow, Vec<Self>)>) -> Vec<Self> {
        let mut links: Vec<(Self, Vec<Self>)> = Vec::new();
        for (host, rows) in answers {
            for row in rows {
                let link = Self {
                    mode: String::new(),
                    host: None,
                    ..row.clone()
                };
                let here = (!row.mode.is_empty()).then(|| Self {
                    host: Some(host.host.clone()),
                    ..row
                });
                match links.iter_mut().find(|(known, _)| *known == link) {
                    Some((_, modes)) => modes.extend(here),
                    None => links.push((link, here.into_iter().collect())),
                }
            }
        }
        let rows = links.into_iter().flat_map(|(link, mut modes)| {
            modes.sort_by(|left, right| left.host.cmp(&right.host));
            if modes.is_empty() { vec![link] } else { modes }
        });
        let mut rows: Vec<_> = rows.collect();
        // Stable: the links of an app stay in the order of its manifest.
        rows.sort_by(|left, right| left.app.cmp(&right.app));
        rows
    }
}

impl OfEachHost for RouteRow {
    /// A route is one row, with the protocol of a host that runs its component.
    fn join(answers: Vec<(HostRow, Vec<Self>)>) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::new();
        for row in answers.into_iter().flat_map(|(_, rows)| rows) {
            let is_same = |known: &&mut Self| {
                (&known.app, &known.host, &known.path, &known.to)
                    == (&row.app, &row.host, &row.path, &row.to)
            };
            match joined.iter_mut().find(is_same) {
                Some(known) if known.protocol.is_empty() => *known = row,
                Some(_) => {}
                None => joined.push(row),
            }
        }
        joined.sort_by(|left, right| left.app.cmp(&right.app));
        joined
    }
}

/// Adds to the rows of hosts the details that only each host itself has.
pub(crate) fn add_own(rows: &mut [HostRow], answers: Vec<(HostRow, Vec<HostRow>)>) {
    for (host, own) in answers {
        let own = own.into_iter().find(|row| row.id == host.id);
        let row = rows.iter_mut().find(|row| row.id == host.id);
        if let (Some(row), Some(own)) = (row, own) {
            row.http = own.http;
            row.admin = own.admin;
            row.uptime_s = own.uptime_s;
            row.pool_instances_max = own.pool_instances_max;
            row.compilations = own.compilations;
            row.artifacts_bytes = own.artifacts_bytes;
            row.code_bytes = own.code_bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn host(name: &str) -> HostRow {
        let row = json!({
            "host": name, "lattice": "test", "id": name, "status": "ready", "version": "0.1.0",
            "labels": {}, "http": null, "admin": null, "uptime_s": null, "apps": 0,
            "components": 0, "pool_instances_max": null,
        });
        serde_json::from_value(row).unwrap()
    }

    fn link(app: &str, to: &str, mode: &str) -> LinkRow {
        LinkRow {
            app: app.to_owned(),
            from: "storefront".to_owned(),
            interface: "shop:catalog/pricing".to_owned(),
            name: None,
            to: to.to_owned(),
            mode: mode.to_owned(),
            locality: None,
            host: None,
        }
    }

    #[test]
    fn a_link_is_a_row_for_each_host_that_runs_its_component() {
        let answers = vec![
            (
                host("west"),
                vec![link("shop", "pricing", "local"), link("shop", "orders", "")],
            ),
            (
                host("north"),
                vec![
                    link("bank", "ledger", "fused"),
                    link("shop", "pricing", "remote"),
                    link("shop", "orders", ""),
                ],
            ),
        ];
        let rows = LinkRow::join(answers);
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.to.as_str(), row.host.as_deref(), row.mode.as_str()))
            .collect();
        let expected = [
            ("ledger", Some("north"), "fused"),
            ("pricing", Some("north"), "remote"),
            ("pricing", Some("west"), "local"),
            ("orders", None, ""),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_route_has_the_protocol_of_a_host_that_runs_its_component() {
        let route = |path: &str, protocol: &str| RouteRow {
            app: "shop".to_owned(),
            host: "*".to_owned(),
            path: path.to_owned(),
            to: "storefront".to_owned(),
            protocol: protocol.to_owned(),
        };
        let answers = vec![
            (host("west"), vec![route("/", ""), route("/b", "")]),
            (host("north"), vec![route("/", "wasi:http@0.3")]),
            (host("south"), vec![route("/", "")]),
        ];
        let expected = [route("/", "wasi:http@0.3"), route("/b", "")];
        assert_eq!(RouteRow::join(answers), expected);
    }

    #[test]
    fn a_host_adds_its_addresses_to_its_own_row_only() {
        let mut rows = vec![host("north"), host("west")];
        let own = HostRow {
            admin: Some("127.0.0.1:7411".to_owned()),
            uptime_s: Some(7),
            status: "joining".to_owned(),
            ..host("west")
        };
        add_own(&mut rows, vec![(host("west"), vec![own, host("north")])]);
        assert_eq!(rows[0], host("north"));
        assert_eq!(rows[1].admin.as_deref(), Some("127.0.0.1:7411"));
        assert_eq!(
            (rows[1].uptime_s, rows[1].status.as_str()),
            (Some(7), "ready")
        );
    }
}
