//! Follows the logs of all hosts: requests the lines after the last one of each host, again and
//! again. Works through one host and over the bus, and finds hosts that join.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use weft_control::rows::HostRow;
use weft_control::{Client, ClientError, Gathered, LogCursor, LogLine, LogQuery};

use super::logs::{PAGE_LINES, merged};
use crate::all_hosts::{self, Unanswered};
use crate::output;

/// The pause between requests: short enough for people who watch a terminal.
const PAUSE: Duration = Duration::from_millis(500);

/// The key of a host: its id, or its name if it is alone.
type HostKey = String;

/// The places of all hosts in their logs.
#[derive(Debug)]
pub(super) struct LogFollower {
    client: Client,
    query: LogQuery,
    cursors: BTreeMap<HostKey, LogCursor>,
    /// The hosts that are followed since the beginning.
    first: BTreeSet<HostKey>,
    /// The hosts that did not answer the last time.
    silent: BTreeSet<HostKey>,
    /// The hosts that were alive the last time.
    alive: Vec<HostRow>,
    started: Instant,
    /// True if a host may have more lines already.
    has_more: bool,
}

impl LogFollower {
    pub(super) fn new(client: Client, query: LogQuery) -> Self {
        Self {
            client,
            query,
            cursors: BTreeMap::new(),
            first: BTreeSet::new(),
            silent: BTreeSet::new(),
            alive: Vec::new(),
            started: Instant::now(),
            has_more: true,
        }
    }

    /// Begins after the first answers of these hosts.
    pub(super) fn begin(&mut self, hosts: &[HostRow], answers: &[(HostRow, Vec<LogLine>)]) {
        self.alive = hosts.to_vec();
        for (host, lines) in answers {
            self.first.insert(key(host));
            self.remember(host, lines);
        }
        let silent = hosts.iter().map(key);
        self.silent = silent.filter(|host| !self.first.contains(host)).collect();
    }

    /// The hosts that are alive now. Over the bus, any of them can answer.
    ///
    /// # Errors
    /// The host of the command does not answer any more, and over the bus no other one does.
    pub(super) async fn hosts(&mut self) -> Result<Vec<HostRow>, ClientError> {
        let error = match all_hosts::alive(&self.client).await {
            Ok(alive) => {
                self.alive.clone_from(&alive);
                return Ok(alive);
            }
            Err(error) => error,
        };
        if self.client.is_over_bus() {
            for host in std::mem::take(&mut self.alive) {
                let client = self.client.for_row(&host)?;
                if let Ok(alive) = all_hosts::alive(&client).await {
                    self.client = client;
                    self.alive.clone_from(&alive);
                    return Ok(alive);
                }
            }
        }
        Err(error)
    }

    /// The hosts that were followed from the beginning.
    pub(super) fn known(&self, mut hosts: Vec<HostRow>) -> Vec<HostRow> {
        hosts.retain(|host| self.first.contains(&key(host)));
        hosts
    }

    /// The new lines of these hosts.
    pub(super) async fn next(&mut self, hosts: Vec<HostRow>) -> Vec<LogLine> {
        let request = |host: &HostRow, client: Client| {
            let query = self.query_for(host);
            async move { client.logs(&query).await }
        };
        let Gathered { answers, silent } = self.client.gather(hosts, request).await;
        self.has_more = answers.iter().any(|(_, lines)| lines.len() >= PAGE_LINES);
        for (host, lines) in &answers {
            self.remember(host, lines);
            if self.silent.remove(&key(host)) {
                output::note(&format!("host `{}` answers again", host.host));
            }
        }
        for silent in &silent {
            if self.silent.insert(key(&silent.host)) {
                output::note(&format!("warning: {}", Unanswered(silent)));
            }
        }
        merged(answers)
    }

    /// Waits before the next request.
    pub(super) async fn pause(&self) {
        if !self.has_more {
            sleep(PAUSE).await;
        }
    }

    fn query_for(&self, host: &HostRow) -> LogQuery {
        let key = key(host);
        let since = self.started.elapsed().as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        LogQuery {
            tail: Some(PAGE_LINES),
            after: Some(self.cursors.get(&key).copied().unwrap_or(LogCursor::START)),
            // The older lines of a host that answers for the first time are not new.
            since_ms: match self.first.contains(&key) || self.cursors.contains_key(&key) {
                true => None,
                false => Some(since),
            },
            ..self.query.clone()
        }
    }

    fn remember(&mut self, host: &HostRow, lines: &[LogLine]) {
        if let Some(last) = lines.last() {
            let cursor = LogCursor {
                started_ms: last.started_ms,
                sequence: last.sequence,
            };
            self.cursors.insert(key(host), cursor);
        }
    }
}

fn key(host: &HostRow) -> HostKey {
    host.id.clone().unwrap_or_else(|| host.host.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> HostRow {
        let row = serde_json::json!({
            "host": name, "lattice": "test", "id": name, "status": "ready", "version": "0.1.0",
            "labels": {}, "http": null, "admin": null, "uptime_s": null, "apps": 0,
            "components": 0, "pool_instances_max": null,
        });
        serde_json::from_value(row).unwrap()
    }

    fn line(sequence: u64) -> LogLine {
        LogLine {
            host: String::new(),
            sequence,
            started_ms: 1_000,
            time_ms: 5_000,
            level: "info".to_owned(),
            app: "shop".to_owned(),
            component: "cart".to_owned(),
            stream: "stdout".to_owned(),
            message: String::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_host_goes_on_after_its_last_line_and_a_new_one_begins_with_the_follower() {
        let client = Client::new("127.0.0.1:1", "token");
        let mut follower = LogFollower::new(client, LogQuery::default());
        let hosts = ["north", "south", "hangs"].map(host);
        let answers = [
            (host("north"), vec![line(3), line(4)]),
            (host("south"), Vec::new()),
        ];
        follower.begin(&hosts, &answers);
        tokio::time::advance(Duration::from_secs(2)).await;
        let query = |name: &str| follower.query_for(&host(name)).to_string();
        assert_eq!(query("north"), "tail=500&after=1000.4");
        assert_eq!(query("south"), "tail=500&after=0.0");
        // One that did not answer at first, and one that joined later.
        for name in ["hangs", "west"] {
            assert_eq!(query(name), "tail=500&since_ms=2000&after=0.0");
        }
    }
}
