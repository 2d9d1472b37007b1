//! Things that are made while a lattice is broken, and whether they are there afterwards: what was acknowledged
//! may not be lost.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::address::Address;
use super::requests::Requests;
use super::steady::Steady;

/// How often something is made: often enough to see for how long none can be, and no load.
const MAKE_EVERY: Duration = Duration::from_millis(250);

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
        let mut written = Written::default();
        for (at, location) in self.made.end().await {
            let Some(location) = location else {
                written.refused.push(at);
                continue;
            };
            written.made += 1;
            for host in &self.hosts {
                if !host.is_there(&location).await {
                    written.missing += 1;
                    break;
                }
            }
        }
        written
    }
}
