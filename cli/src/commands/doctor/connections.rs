//! Checks of the host or lattice that the options select.

use std::time::Duration;

use weft_bus::Scope;
use weft_bus::nats::JetStreamConnection;
use weft_control::rows::HostRow;

use super::{Finding, Weight};
use crate::connection;
use crate::environment::HostOptions;
use crate::environment::precedence::{LatticeTarget, Target};
use crate::failure::Failure;

/// The longest wait for a connection to NATS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The name of the connection in the lists of NATS servers.
const PURPOSE: &str = "doctor";

/// Checks the connections.
pub(super) async fn check(options: &HostOptions, target: Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    let weight = match target {
        Target::Lattice(lattice) => {
            findings.extend(nats(&lattice).await);
            // Without the servers, no host is in reach.
            if findings.iter().any(|it| it.weight == Weight::Fault) {
                return findings;
            }
            Weight::Fault
        }
        Target::Host { admin, .. } => {
            findings.push(Finding::bad(
                Weight::Note,
                "NATS",
                "not selected: a host alone needs none",
                "for a lattice of several hosts: `apt-get install nats-server`, `nats-server -js`, \
                 and `weft up --nats nats://ADDRESS:4222`",
            ));
            match admin {
                Some(_) => Weight::Fault,
                None => Weight::Note,
            }
        }
    };
    findings.push(match hosts(options).await {
        Ok(rows) => {
            let ready = rows.iter().filter(|row| row.status == "ready").count();
            let found = format!("{ready} of {} ready", rows.len());
            match ready == rows.len() {
                true => Finding::good("hosts", found),
                false => {
                    let fix =
                        "`weft get hosts` shows the state of each, and `weft events` the way there";
                    Finding::bad(Weight::Warning, "hosts", found, fix)
                }
            }
        }
        Err(failure) => Finding::of_failure(weight, "hosts", &failure),
    });
    findings
}

async fn hosts(options: &HostOptions) -> Result<Vec<HostRow>, Failure> {
    let client = connection::client(options).await?;
    Ok(client.rows("hosts").await?)
}

/// Checks the servers of a lattice, and their store.
async fn nats(lattice: &LatticeTarget) -> Vec<Finding> {
    let servers = lattice.nats.shown_servers();
    let scope = match Scope::new(&lattice.name) {
        Ok(scope) => scope,
        Err(error) => {
            let fix = "choose another name with `--lattice`";
            return vec![Finding::bad(
                Weight::Fault,
                "lattice",
                error.to_string(),
                fix,
            )];
        }
    };
    let connection = match JetStreamConnection::connect(scope, &lattice.nats, PURPOSE).await {
        Ok(connection) => connection,
        Err(error) => {
            let fix = "correct the options of NATS; see `weft doctor --help`";
            return vec![Finding::bad(Weight::Fault, "NATS", error.to_string(), fix)];
        }
    };
    if !connection.connected_within(CONNECT_TIMEOUT).await {
        let failure = connection::no_connection(&servers, connection.outage().as_ref());
        return vec![Finding::of_failure(Weight::Fault, "NATS", &failure)];
    }
    let nats = Finding::good(
        "NATS",
        format!("{servers}: version {}", connection.server_version()),
    );
    let store = match connection.check_store().await {
        Ok(()) => Finding::good("JetStream", "enabled"),
        Err(error) => Finding::bad(
            Weight::Fault,
            "JetStream",
            error.to_string(),
            "enable it: `jetstream {}` in the configuration of the servers, or `nats-server -js`; \
             a leaf node needs `--nats-domain`",
        ),
    };
    vec![nats, store]
}
