//! `POST /v1/fault`: injects the fault of a drill.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::time::sleep;
use weft_control::fault::{FAULT_AFTER, HANG_MAX};
use weft_control::{FaultReport, FaultRequest};

use super::Api;
use super::errors::ApiError;
use super::query::pairs;
use super::router::{Answer, json, read_json};
use crate::FaultError;

impl Api {
    /// Injects a fault shortly after the answer, or only checks that it could be.
    pub(super) fn fault(&self, request: &Request<Bytes>) -> Answer {
        let is_check = is_check(request.uri().query())?;
        let fault: FaultRequest = read_json(request)?;
        let host = &self.sources.about.name;
        let Some(faults) = self.sources.faults.clone() else {
            let message = format!("host `{host}` takes no drills");
            return Err(ApiError::refused(message)
                .help("start the host without `--no-drills` to allow them"));
        };
        let refused = |error: FaultError| refusal(host, &error);
        match fault {
            FaultRequest::Kill {} if is_check => {}
            FaultRequest::Kill {} => {
                tracing::warn!("a drill kills this host");
                let stop = self.stop.clone();
                self.tasks.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = sleep(FAULT_AFTER) => faults.kill(),
                    }
                });
            }
            FaultRequest::Stop { for_ms } => {
                let lasting = hang_duration(for_ms)?;
                faults.check_hang().map_err(refused)?;
                if !is_check {
                    tracing::warn!("a drill stops this host for {lasting:?}");
                    faults.hang(FAULT_AFTER, lasting).map_err(refused)?;
                }
            }
        }
        let after_ms = u64::try_from(FAULT_AFTER.as_millis()).unwrap_or(u64::MAX);
        json(&FaultReport {
            host: host.clone(),
            after_ms: (!is_check).then_some(after_ms),
        })
    }
}

/// True if the request is a check. Any other query is rejected, so that a typing error injects no
/// fault and changes no label.
pub(super) fn is_check(query: Option<&str>) -> Result<bool, ApiError> {
    match pairs(query).collect::<Vec<_>>()[..] {
        [] => Ok(false),
        [("check", "true")] => Ok(true),
        _ => {
            let query = query.unwrap_or_default();
            let message = format!("expected no query or `check=true`, found `{query}`");
            Err(ApiError::bad_request(message))
        }
    }
}

/// The duration of a hang, within its bounds.
fn hang_duration(for_ms: u64) -> Result<Duration, ApiError> {
    let lasting = Duration::from_millis(for_ms);
    if lasting.is_zero() || lasting > HANG_MAX {
        let max = HANG_MAX.as_millis();
        let message = format!("`for_ms` is {for_ms}; expected 1 to {max}");
        return Err(ApiError::bad_request(message));
    }
    Ok(lasting)
}

fn refusal(host: &str, error: &FaultError) -> ApiError {
    let message = format!("host `{host}` cannot hang: {error}");
    match error {
        FaultError::FirstProcess => ApiError::refused(message).help(
            "run the container with an init, as `docker run --init` does, or drill `kill-host`",
        ),
        FaultError::Helper(source) => ApiError::refused(format!("{message}: {source}")).help(
            "the host starts the `weft` executable as a helper; check that the file still exists",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_query_injects_no_fault() {
        assert_eq!(is_check(None).ok(), Some(false));
        assert_eq!(is_check(Some("check=true")).ok(), Some(true));
        for query in ["check", "check=1", "chek=true", "check=true&check=true"] {
            let refused = is_check(Some(query)).map(drop).unwrap_err().bus_rpc();
            assert_eq!(refused.status, 400, "{query}");
        }
    }

    #[test]
    fn the_duration_of_a_hang_is_bounded() {
        assert_eq!(hang_duration(1).ok(), Some(Duration::from_millis(1)));
        assert_eq!(hang_duration(60_000).ok(), Some(HANG_MAX));
        for for_ms in [0, 60_001, u64::MAX] {
            let refused = hang_duration(for_ms).map(drop).unwrap_err().bus_rpc();
            assert_eq!(refused.status, 400, "{for_ms}");
            let text = String::from_utf8_lossy(&refused.body).into_owned();
            assert!(text.contains("1 to 60000"), "{text}");
        }
    }

    #[test]
    fn the_refusal_of_a_hang_has_the_reason_and_the_next_step() {
        let refused = refusal("north", &FaultError::FirstProcess).bus_rpc();
        assert_eq!(refused.status, 422);
        let text = String::from_utf8_lossy(&refused.body).into_owned();
        for part in ["`north`", "pid 1", "--init"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
