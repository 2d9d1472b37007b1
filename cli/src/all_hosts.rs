//! Commands that need the answers of all hosts of a lattice, or of the one that `--host` selects.
//!
//! A host that does not answer is named on standard error: a list is never shorter in silence.

use std::fmt;
use std::future::Future;

use clap::Args;
use serde::de::DeserializeOwned;
use weft_control::rows::{HostRow, InventoryRow};
use weft_control::{
    Client, ClientError, ErrorBody, ErrorCode, GatherError, Gathered, HostRef, SilentHost,
};

use crate::failure::{Failure, Kind, chain};
use crate::output;
use crate::row_joins::{self, OfEachHost};

/// The option that selects the answers of one host.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OneHost {
    /// Use only the host with this name or id prefix
    #[arg(long = "host", id = "one_host", value_name = "HOST")]
    reference: Option<HostRef>,
}

impl OneHost {
    /// The selected host; `None` for all.
    ///
    /// # Errors
    /// No host, several hosts or a dead host has the name.
    pub(crate) async fn row(&self, client: &Client) -> Result<Option<HostRow>, Failure> {
        let Some(reference) = &self.reference else {
            return Ok(None);
        };
        let host = find(client, reference).await?;
        if host.is_gone() {
            let message = format!("host `{}` is {}", host.host, host.status);
            return Err(Failure::new(Kind::Failed, message)
                .or_help("list the hosts and their status with `weft get hosts`"));
        }
        Ok(Some(host))
    }

    /// A client for the selected host, or for the host of the command.
    ///
    /// # Errors
    /// As [`row`](Self::row).
    pub(crate) async fn client(&self, client: &Client) -> Result<Client, Failure> {
        match self.row(client).await? {
            Some(host) => Ok(client.for_row(&host)?),
            None => Ok(client.clone()),
        }
    }

    /// True if one host is selected.
    pub(crate) fn is_one(&self) -> bool {
        self.reference.is_some()
    }

    /// The hosts of the command: the selected one, or all that are alive.
    ///
    /// # Errors
    /// As [`row`](Self::row); or the host of the command fails.
    pub(crate) async fn rows(&self, client: &Client) -> Result<Vec<HostRow>, Failure> {
        match self.row(client).await? {
            Some(host) => Ok(vec![host]),
            None => Ok(alive(client).await?),
        }
    }
}

/// Finds a host by its name or the beginning of its id.
///
/// # Errors
/// No host or several hosts have it; the failure lists the hosts.
pub(crate) async fn find(client: &Client, reference: &HostRef) -> Result<HostRow, Failure> {
    let hosts: Vec<HostRow> = client.rows("hosts").await?;
    let host = reference.find(&hosts);
    let host =
        host.map_err(|error| Failure::from_error(Kind::Failed, &error).or_help(error.help()))?;
    Ok(host.clone())
}

/// The hosts that are alive, as the host of the command sees them, itself first.
///
/// # Errors
/// Any [`ClientError`].
pub(crate) async fn alive(client: &Client) -> Result<Vec<HostRow>, ClientError> {
    let mut hosts: Vec<HostRow> = client.rows("hosts").await?;
    hosts.retain(|host| !host.is_gone());
    Ok(hosts)
}

/// Sends a request to each of these hosts, and names those that do not answer.
///
/// # Errors
/// No host answers: the error of the first one.
pub(crate) async fn gather<T, F>(
    client: &Client,
    hosts: Vec<HostRow>,
    request: impl Fn(&HostRow, Client) -> F,
) -> Result<Vec<(HostRow, T)>, Failure>
where
    F: Future<Output = Result<T, ClientError>>,
{
    answers(client.gather(hosts, request).await)
}

/// The rows of these hosts, each of which has its own, in one list.
///
/// # Errors
/// As [`gather`].
pub(crate) async fn rows_of_all<R: OfEachHost + DeserializeOwned>(
    client: &Client,
    hosts: &[HostRow],
    what: &'static str,
) -> Result<Vec<R>, Failure> {
    let request = |_: &HostRow, host: Client| async move { host.rows(what).await };
    let answers = gather(client, hosts.to_vec(), request).await?;
    Ok(R::join(answers))
}

/// Requests details of each of these hosts, and names those that do not answer. None need answer.
pub(crate) async fn gather_details<T, F>(
    client: &Client,
    hosts: Vec<HostRow>,
    request: impl Fn(&HostRow, Client) -> F,
) -> Vec<(HostRow, T)>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let Gathered { answers, silent } = client.gather(hosts, request).await;
    warn(&silent);
    answers
}

/// Adds to rows of hosts the details that only each live host itself has.
pub(crate) async fn add_details(client: &Client, rows: &mut [HostRow]) {
    let others = rows
        .iter()
        .filter(|row| !row.is_gone() && row.admin.is_none());
    let others: Vec<_> = others.cloned().collect();
    if !others.is_empty() {
        let request = |_: &HostRow, host: Client| async move { host.rows("hosts").await };
        let own = gather_details(client, others, request).await;
        row_joins::add_own(rows, own);
    }
}

/// The inventory of one host, from itself if it is alive, else from the host of `asked`.
///
/// # Errors
/// Any [`ClientError`].
pub(crate) async fn inventory_of(
    client: &Client,
    asked: &Client,
    host: &HostRow,
) -> Result<Vec<InventoryRow>, Failure> {
    let source = match host.is_gone() {
        true => asked.clone(),
        false => client.for_row(host)?,
    };
    let mut rows: Vec<InventoryRow> = source.rows("inventory").await?;
    rows.retain(|row| row.id == host.id);
    Ok(rows)
}

/// The answers; the other hosts are named on standard error.
///
/// # Errors
/// No host answers: the error of the first one.
pub(crate) fn answers<T>(gathered: Gathered<T>) -> Result<Vec<(HostRow, T)>, Failure> {
    let Gathered {
        answers,
        mut silent,
    } = gathered;
    if answers.is_empty() && !silent.is_empty() {
        return Err(failure(silent.swap_remove(0)));
    }
    warn(&silent);
    Ok(answers)
}

/// Names hosts without an answer on standard error.
pub(crate) fn warn(silent: &[SilentHost]) {
    for host in silent {
        output::note(&format!("warning: {}", Unanswered(host)));
    }
}

/// The failure of the only host of a request, or of the first one.
pub(crate) fn failure(silent: SilentHost) -> Failure {
    match silent.error {
        GatherError::Client(error) => error.into(),
        GatherError::Timeout => {
            let message = format!("host `{}` did not answer", silent.host.host);
            Failure::from_error(Kind::Host, &silent.error)
                .within(message)
                .or_help("list the hosts and their status with `weft get hosts`")
        }
    }
}

/// A host without an answer, in a sentence.
pub(crate) struct Unanswered<'a>(pub(crate) &'a SilentHost);

impl fmt::Display for Unanswered<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SilentHost { host, error } = self.0;
        let name = &host.host;
        match error {
            GatherError::Client(ClientError::Refused { body, .. }) if is_unknown(body) => {
                let (theirs, ours) = (&host.version, env!("CARGO_PKG_VERSION"));
                let message = &body.message;
                write!(
                    formatter,
                    "host `{name}` does not know this request (it runs weft {theirs}, this is \
                     {ours}): {message}"
                )
            }
            error => {
                let reasons = reasons(error);
                // The host of the command relays a request, and reports the same.
                let silence = format!("host `{name}` did not answer");
                let mut reasons = reasons.into_iter().filter(|reason| *reason != silence);
                let reason = reasons
                    .next()
                    .unwrap_or_else(|| "no reason given".to_owned());
                let causes: String = reasons.map(|cause| format!(": {cause}")).collect();
                write!(
                    formatter,
                    "{silence}, and its part is missing: {reason}{causes}"
                )
            }
        }
    }
}

/// The texts of an error and its causes, outermost first.
fn reasons(error: &GatherError) -> Vec<String> {
    match error {
        GatherError::Client(ClientError::Refused { body, .. }) => {
            let causes = body.causes.iter().cloned();
            std::iter::once(body.message.clone())
                .chain(causes)
                .collect()
        }
        error => chain(error),
    }
}

/// True if a request is unknown to a host: its release is older than this command.
pub(crate) fn is_unknown(body: &ErrorBody) -> bool {
    let is_unknown = |text: &str| body.message.starts_with(text);
    match body.code {
        ErrorCode::BadRequest => is_unknown("expected `") || is_unknown("unknown query key"),
        ErrorCode::NotFound => is_unknown("unknown request") || is_unknown("unknown list"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use weft_lattice_config::Mistakes;

    use super::*;

    fn host(name: &str) -> HostRow {
        let row = serde_json::json!({
            "host": name, "lattice": "test", "id": null, "status": "ready", "version": "0.0.9",
            "labels": {}, "http": null, "admin": null, "uptime_s": null, "apps": 0,
            "components": 0, "pool_instances_max": null,
        });
        serde_json::from_value(row).unwrap()
    }

    fn refusal(code: ErrorCode, message: &str) -> SilentHost {
        let body = ErrorBody {
            code,
            message: message.to_owned(),
            causes: Vec::new(),
            help: None,
            mistakes: Mistakes::default(),
        };
        let status = StatusCode::BAD_REQUEST;
        SilentHost {
            host: host("west"),
            error: ClientError::Refused { status, body }.into(),
        }
    }

    #[test]
    fn a_host_of_an_older_release_and_a_host_that_hangs_are_told_apart() {
        let asked = "expected `app`, `component`, `tail` or `follow`, found `since_ms`";
        let older = refusal(ErrorCode::BadRequest, asked);
        let text = Unanswered(&older).to_string();
        assert!(
            text.starts_with("host `west` does not know this request (it runs weft 0.0.9, this is"),
            "{text}"
        );
        assert!(text.ends_with(asked), "{text}");
        let hangs = SilentHost {
            host: host("west"),
            error: GatherError::Timeout,
        };
        assert_eq!(
            Unanswered(&hangs).to_string(),
            "host `west` did not answer, and its part is missing: no answer within 3 s"
        );
        let refused = refusal(ErrorCode::Refused, "the answer is too large for the bus");
        let text = Unanswered(&refused).to_string();
        assert!(
            text.ends_with("missing: the answer is too large for the bus"),
            "{text}"
        );
        let mut relayed = refusal(ErrorCode::Busy, "host `west` did not answer");
        if let GatherError::Client(ClientError::Refused { body, .. }) = &mut relayed.error {
            body.causes = vec!["no responder".to_owned(), "on the bus".to_owned()];
        }
        assert_eq!(
            Unanswered(&relayed).to_string(),
            "host `west` did not answer, and its part is missing: no responder: on the bus"
        );
    }

    #[test]
    fn some_answers_are_a_result_and_none_is_the_failure_of_the_first_host() {
        let silent = || SilentHost {
            host: host("west"),
            error: GatherError::Timeout,
        };
        let some = Gathered {
            answers: vec![(host("north"), 1)],
            silent: vec![silent()],
        };
        let found: Vec<_> = answers(some).unwrap().into_iter().map(|it| it.1).collect();
        assert_eq!(found, [1]);
        let none = Gathered::<u8> {
            answers: Vec::new(),
            silent: vec![silent()],
        };
        assert_eq!(answers(none).unwrap_err().kind(), Kind::Host);
    }
}
