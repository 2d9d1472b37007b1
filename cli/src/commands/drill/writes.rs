//! Writes during a drill, and their verification at the end: acknowledged writes must not be lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::load::Load;
use super::requests::Requests;
use crate::output;

/// The interval of writes: short enough to measure an outage, and not much load.
const WRITE_INTERVAL: Duration = Duration::from_millis(250);

/// The time limit of the verification. Writes that are not read by then count as missing.
const READ_MAX: Duration = Duration::from_mins(1);

/// The outcome of all writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    /// The writes without an acknowledgement.
    pub(super) failed: Vec<FailedWrite>,
    pub(super) acknowledged: usize,
    /// Number of acknowledged writes that cannot be read from every surviving host.
    pub(super) missing: usize,
}

/// A write without an acknowledgement.
#[derive(Debug, Clone, Copy)]
pub(super) struct FailedWrite {
    pub(super) at: Instant,
    /// The status of its response; `None` without one.
    pub(super) status: Option<StatusCode>,
}

/// Writes at a steady rate, until [`end`](Self::end).
pub(super) struct Writes {
    hosts: Vec<Arc<Requests>>,
    /// The locations of acknowledged writes, and the statuses of others.
    load: Load<Result<String, Option<StatusCode>>>,
}

impl Writes {
    /// Starts to post `body` to each host in turn.
    pub(super) fn start(addresses: &[Address], path: &str, body: &str) -> Self {
        let hosts = Requests::to_all(addresses);
        let (path, body) = (Arc::<str>::from(path), Bytes::from(body.to_owned()));
        let load = Load::start(WRITE_INTERVAL, hosts.clone(), move |host, _| {
            let (path, body) = (path.clone(), body.clone());
            async move { Some(host.create(&path, body).await) }
        });
        Self { hosts, load }
    }

    /// Stops writing, and verifies the acknowledged writes.
    pub(super) async fn end(self) -> Written {
        let mut failed = Vec::new();
        let mut locations = Vec::new();
        for (at, created) in self.load.end().await {
            match created {
                Some(Ok(location)) => locations.push(location),
                Some(Err(status)) => failed.push(FailedWrite { at, status }),
                None => failed.push(FailedWrite { at, status: None }),
            }
        }
        let locations: Arc<[String]> = locations.into();
        let until = Instant::now() + READ_MAX;
        let mut reading = JoinSet::new();
        for host in self.hosts {
            reading.spawn(missing(host, locations.clone(), until));
        }
        let missing: BTreeSet<_> = reading.join_all().await.into_iter().flatten().collect();
        if Instant::now() >= until {
            let seconds = READ_MAX.as_secs();
            output::note(&format!(
                "verification of writes is incomplete after {seconds} s: unread writes count as missing"
            ));
        }
        Written {
            failed,
            acknowledged: locations.len(),
            missing: missing.len(),
        }
    }
}

/// The indices of the locations that cannot be read from a host in time.
async fn missing(host: Arc<Requests>, locations: Arc<[String]>, until: Instant) -> Vec<usize> {
    let mut missing = Vec::new();
    for (index, location) in locations.iter().enumerate() {
        let exists = timeout_at(until, host.exists(location)).await;
        if !exists.unwrap_or(false) {
            missing.push(index);
        }
    }
    missing
}
