//! One request to many hosts: the answers of those that answer in time, and the others by name.
//!
//! A host answers for itself: which components it runs, what they logged. Commands for a whole
//! lattice gather these answers. Requests are those that every release knows, and go to the hosts
//! through the one of the client, or to each of them over the bus.

use std::future::Future;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use super::{Client, ClientError};
use crate::rows::HostRow;
use weft_membership::DEAD_AFTER;

/// The longest wait for the answer of one host: one that hangs is dead by then, and receives no
/// further requests.
pub const GATHER_TIMEOUT: Duration = DEAD_AFTER;

/// The most requests at once: half of the connections of an admin API, so that other commands have
/// room.
const REQUESTS_MAX: usize = 32;

/// The answers of several hosts.
#[derive(Debug)]
pub struct Gathered<T> {
    /// The hosts that answered, in the order of the requests.
    pub answers: Vec<(HostRow, T)>,
    /// The other hosts.
    pub silent: Vec<SilentHost>,
}

/// A host without an answer.
#[derive(Debug)]
pub struct SilentHost {
    /// The host.
    pub host: HostRow,
    /// The reason.
    pub error: GatherError,
}

/// The reasons why a host has no answer.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The host did not answer in time.
    #[error("no answer within {} s", GATHER_TIMEOUT.as_secs())]
    Timeout,
    /// The request failed, or the host rejected it.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Client {
    /// Sends a request to each of these hosts; `ask` gets the host and a client for it.
    pub async fn gather<T, F>(
        &self,
        hosts: Vec<HostRow>,
        ask: impl Fn(&HostRow, Client) -> F,
    ) -> Gathered<T>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        gather(hosts, |host| {
            let request = self.for_row(host).map(|client| ask(host, client));
            async move { request?.await }
        })
        .await
    }
}

/// Makes a request for each host, some at once, each with its own time limit.
async fn gather<T, F>(hosts: Vec<HostRow>, request: impl Fn(&HostRow) -> F) -> Gathered<T>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let requests = hosts.into_iter().map(|host| {
        let answer = tokio::time::timeout(GATHER_TIMEOUT, request(&host));
        async move {
            match answer.await {
                Ok(Ok(answer)) => Ok((host, answer)),
                Ok(Err(error)) => Err(SilentHost {
                    host,
                    error: error.into(),
                }),
                Err(_) => Err(SilentHost {
                    host,
                    error: GatherError::Timeout,
                }),
            }
        }
    });
    let mut gathered = Gathered {
        answers: Vec::new(),
        silent: Vec::new(),
    };
    let mut outcomes = stream::iter(requests).buffered(REQUESTS_MAX);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(answer) => gathered.answers.push(answer),
            Err(silent) => gathered.silent.push(silent),
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;
    use crate::host_ref::tests::host;

    fn hosts(names: &[&str]) -> Vec<HostRow> {
        let rows = names.iter().map(|name| host(name, name, "ready"));
        rows.collect()
    }

    /// Answers with its name; a host named `hangs…` never answers, and one named `fails…` refuses.
    async fn answer(name: String) -> Result<String, ClientError> {
        match name {
            name if name.starts_with("hangs") => pending().await,
            name if name.starts_with("fails") => Err(ClientError::Follow),
            name => Ok(name),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_keep_the_order_of_hosts_and_the_others_are_named() {
        let hosts = hosts(&["west", "hangs", "north", "fails", "east"]);
        let started = Instant::now();
        let gathered = gather(hosts, |host| answer(host.host.clone())).await;
        let answers: Vec<_> = gathered.answers.iter().map(|(_, name)| name).collect();
        assert_eq!(answers, ["west", "north", "east"]);
        let silent = gathered.silent.iter();
        let silent: Vec<_> = silent
            .map(|silent| (silent.host.host.as_str(), silent.error.to_string()))
            .collect();
        let refused = ClientError::Follow.to_string();
        let expected = [
            ("hangs", "no answer within 3 s".to_owned()),
            ("fails", refused),
        ];
        assert_eq!(silent, expected);
        assert_eq!(started.elapsed(), GATHER_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_that_hang_take_no_time_of_the_others() {
        let mut names: Vec<_> = (0..REQUESTS_MAX).map(|at| format!("hangs-{at}")).collect();
        names.extend((0..REQUESTS_MAX).map(|at| format!("north-{at}")));
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let started = Instant::now();
        let gathered = gather(hosts(&names), |host| answer(host.host.clone())).await;
        assert_eq!(gathered.answers.len(), REQUESTS_MAX);
        assert_eq!(gathered.silent.len(), REQUESTS_MAX);
        assert_eq!(started.elapsed(), GATHER_TIMEOUT);
    }

    #[tokio::test]
    async fn no_host_gives_no_answer() {
        let gathered = gather(Vec::new(), |host| answer(host.host.clone())).await;
        assert!(gathered.answers.is_empty() && gathered.silent.is_empty());
    }
}
