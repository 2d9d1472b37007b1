//! Requests of an HTTP API: a route that serves an interface, against a component that handles HTTP
//! and JSON by hand. Both do the same: an order of 1 KiB in, a receipt of 1 KiB out.
//!
//! | module | measures |
//! | --- | --- |
//! | [`one_host`] | requests to the host that runs the component |
//! | [`two_hosts`] | requests to a host that does not |
//! | [`wrong_body`] | a large body with a mistake at its end: time, calls and memory |
//! | [`guest_lines`] | the lines of the shop that exist for HTTP |

mod guest_lines;
mod one_host;
mod order;
mod two_hosts;
mod wrong_body;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use weft_harness::http::Connection;

use super::Effort;
use super::row::Row;
use super::scratch::Scratch;
use super::tools::{Tools, ensure_wrk};
use super::wrk::{self, Report};

/// Instances that last for a run: more requests and a longer pause than one has.
const REUSE: &str = "{reuse: {max-requests: 1000000, max-idle: 60s}}";

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    ensure_wrk()?;
    let mut rows = one_host::measure(tools, effort)?;
    rows.extend(two_hosts::measure(tools, effort)?);
    rows.extend(wrong_body::measure(tools, effort)?);
    rows.push(guest_lines::count()?);
    Ok(rows)
}

/// The component behind a route, and the lifetime of its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A typed route: the component exports an interface.
    Typed,
    TypedReuse,
    /// A raw route: the component handles HTTP and JSON.
    Raw,
    RawReuse,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Typed, Self::Raw, Self::TypedReuse, Self::RawReuse];

    /// Its component, and the host name of its route.
    fn name(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::TypedReuse => "typed-reuse",
            Self::Raw => "raw",
            Self::RawReuse => "raw-reuse",
        }
    }

    fn is_typed(self) -> bool {
        matches!(self, Self::Typed | Self::TypedReuse)
    }

    /// The item of its component in a manifest, with further fields.
    fn component(self, tools: &Tools, fields: &str) -> String {
        let (guest, instances) = match self {
            Self::Typed => ("cashier", "per-request"),
            Self::TypedReuse => ("cashier", REUSE),
            Self::Raw => ("cashier-http", "per-request"),
            Self::RawReuse => ("cashier-http", REUSE),
        };
        let (name, file) = (self.name(), tools.guest(guest));
        format!(
            "{{name: {name}, source: {{file: '{}'}}, instances: {instances}{fields}}}",
            file.display()
        )
    }

    /// The item of its route in a manifest.
    fn route(self) -> String {
        let name = self.name();
        let typed = match self.is_typed() {
            true => {
                ", interface: 'fixture:cashier/cashier', operations: [{func: check-out, as: POST \
                 /orders, body: order}]"
            }
            false => "",
        };
        format!("{{host: {name}, path: /, to: {name}{typed}}}")
    }

    /// A `wrk` script that sends orders to its route.
    fn script(self, scratch: &Scratch) -> Result<PathBuf> {
        let (name, body) = (self.name(), order::small());
        let script = format!(
            "wrk.method = 'POST'\nwrk.path = '{}'\nwrk.headers['Host'] = '{name}'\n\
             wrk.headers['Content-Type'] = 'application/json'\nwrk.body = [[{body}]]\n",
            order::PATH
        );
        scratch.write(&format!("{name}.lua"), script)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Typed => "typed route",
            Self::TypedReuse => "typed route, reuse",
            Self::Raw => "HTTP and JSON by hand",
            Self::RawReuse => "HTTP and JSON by hand, reuse",
        })
    }
}

/// The manifest of an app with the components and routes of these kinds; each component has the
/// further fields.
fn manifest(tools: &Tools, kinds: &[Kind], fields: &str) -> String {
    let components: Vec<_> = kinds
        .iter()
        .map(|kind| kind.component(tools, fields))
        .collect();
    let routes: Vec<_> = kinds.iter().map(|kind| kind.route()).collect();
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: desk}}\nspec:\n  \
         components: [{}]\n  routes: [{}]\n",
        components.join(", "),
        routes.join(", ")
    )
}

/// A run of the load against one route.
struct Run {
    kind: Kind,
    connections: u32,
    report: Report,
}

/// Loads routes in turn, in several rounds, so that other work of the machine affects them alike.
fn load(
    address: std::net::SocketAddr,
    scripts: &[(Kind, PathBuf)],
    connections: &[u32],
    effort: Effort,
) -> Result<Vec<Run>> {
    let load = |script: &Path, connections, seconds| {
        wrk::load_by(script, address, connections, Duration::from_secs(seconds))
    };
    for (_, script) in scripts {
        load(script, 64, 1)?;
    }
    let mut runs = Vec::new();
    for _ in 0..effort.choose(5, 1) {
        for connections in connections {
            for (kind, script) in scripts {
                runs.push(Run {
                    kind: *kind,
                    connections: *connections,
                    report: load(script, *connections, effort.choose(3, 1))?,
                });
            }
        }
    }
    Ok(runs)
}

/// The median of a measure over the runs of a kind.
fn median_of(runs: &[Run], kind: Kind, connections: u32, of: fn(&Report) -> f64) -> f64 {
    let of_kind = runs
        .iter()
        .filter(|run| run.kind == kind && run.connections == connections);
    super::stats::median(of_kind.map(|run| of(&run.report)).collect())
}

/// The number of connections, for the name of a row.
fn connections_text(connections: u32) -> String {
    let plural = if connections == 1 { "" } else { "s" };
    format!("{connections} connection{plural}")
}

/// Sends a body to the route of a kind, and returns the response.
fn post(
    connection: &mut Connection,
    kind: Kind,
    body: &[u8],
) -> Result<weft_harness::http::Response> {
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        order::PATH,
        kind.name(),
        body.len()
    );
    connection.send(head.as_bytes())?;
    connection.send(body)?;
    Ok(connection.response()?)
}
