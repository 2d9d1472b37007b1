//! Things that are made while a lattice is broken, and whether they are there afterwards: what was acknowledged
//! may not be lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::address::Address;
use super::requests::Requests;
use super::steady::Steady;
use crate::output;

/// How often something is made: often enough to see for how long none can be, and no load.
const MAKE_EVERY: Duration = Duration::from_millis(250);

/// How long all that was made may take to be read at the end; what is not read by then counts as missing.
const READ_MAX: Duration = Duration::from_mins(1);

/// What became of all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    /// When each was to be made that was not acknowledged.
    pub(super) refused: Vec<Instant>,
    pub(super) made: usize,
    /// Made, and not to be read at every host that was never lost.
    pub(super) missing: usize,
}

/// Things that are made until this is ended.
pub(super) struct Writes {
    hosts: Vec<Arc<Requests>>,
    /// Where each is.
    made: Steady<String>,
}

impl Writes {
    /// Starts to post `body` to each host in turn.
    pub(super) fn start(addresses: &[Address], path: &str, body: &str) -> Self {
        let hosts = Requests::to_all(addresses);
        let (path, body) = (Arc::<str>::from(path), Bytes::from(body.to_owned()));
        let made = Steady::start(MAKE_EVERY, hosts.clone(), move |host, _| {
            let (path, body) = (path.clone(), body.clone());
            async move { host.make(&path, body).await }
        });
        Self { hosts, made }
    }

    /// Makes no more, and reads what was made.
    pub(super) async fn end(self) -> Written {
        let mut refused = Vec::new();
        let mut made = Vec::new();
        for (at, location) in self.made.end().await {
            match location {
                Some(location) => made.push(location),
                None => refused.push(at),
            }
        }
        let made: Arc<[String]> = made.into();
        let until = Instant::now() + READ_MAX;
        let mut reading = JoinSet::new();
        for host in self.hosts {
            reading.spawn(missing(host, made.clone(), until));
        }
        let missing: BTreeSet<_> = reading.join_all().await.into_iter().flatten().collect();
        if Instant::now() >= until {
            let seconds = READ_MAX.as_secs();
            output::note(&format!(
                "what was made was not read within {seconds} s: what is left of it counts as missing"
            ));
        }
        Written {
            refused,
            made: made.len(),
            missing: missing.len(),
        }
    }
}

/// The places of what a host does not have, or does not show in time.
async fn missing(host: Arc<Requests>, made: Arc<[String]>, until: Instant) -> Vec<usize> {
    let mut missing = Vec::new();
    for (place, location) in made.iter().enumerate() {
        let is_there = timeout_at(until, host.is_there(location)).await;
        if !is_there.unwrap_or(false) {
            missing.push(place);
        }
    }
    missing
}
