//! The report of a drill.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::observer::Observations;
use super::probes::Sent;
use super::writes::Written;
use crate::output::Report;

/// The time after the fault in which requests may be lost: a dead host is detected within three
/// seconds.
const GRACE: Duration = Duration::from_secs(4);

/// The measurements of a drill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measurements<'a> {
    /// The time of the fault.
    pub(super) injected: Instant,
    /// The time of recovery, if any.
    pub(super) recovered: Option<Instant>,
    pub(super) sent: &'a [Sent],
    /// The outcome of writes, if the drill has any.
    pub(super) written: Option<&'a Written>,
    pub(super) observations: Observations,
}

/// The fault and the lattice of a drill.
#[derive(Debug, Clone, Default)]
pub(super) struct DrillSubject {
    pub(super) fault: String,
    /// The description of the lattice.
    pub(super) lattice: String,
    pub(super) hosts_lost: Vec<String>,
}

/// The result of a drill. Times in seconds are since the fault, unless documented otherwise. The
/// names of the fields are those of the JSON output.
#[derive(Debug, Serialize)]
pub(super) struct DrillReport {
    fault: String,
    lattice: String,
    hosts_lost: Vec<String>,
    requests: usize,
    /// Requests without a response, or with a status of 500 and above.
    lost: usize,
    /// Lost requests sent more than four seconds after the fault.
    lost_after_4s: usize,
    /// Lost requests sent after recovery.
    lost_after_return: Option<usize>,
    /// The time from recovery until all requests sent before it had a response.
    all_answered_s: Option<f64>,
    /// The time at which the last lost request was sent.
    last_lost_s: Option<f64>,
    median_ms: Option<f64>,
    p99_ms: Option<f64>,
    slowest_ms: Option<f64>,
    found_out_s: Option<f64>,
    all_runs_again_s: Option<f64>,
    anything_moved: Option<bool>,
    /// The time at which operators had restarted all killed hosts.
    restarted_s: Option<f64>,
    /// The time from recovery until all hosts were ready.
    all_back_s: Option<f64>,
    writes: Option<WritesReport>,
}

/// The outcome of writes during the drill.
#[derive(Debug, Serialize)]
struct WritesReport {
    /// Acknowledged writes.
    made: usize,
    /// Writes without an acknowledgement.
    refused: usize,
    /// Their number by the status of their response; `none` without a response.
    statuses: BTreeMap<String, usize>,
    /// The time of the last write without an acknowledgement.
    last_refused_s: Option<f64>,
    /// Acknowledged writes that cannot be read at the end.
    missing: usize,
}

impl DrillReport {
    pub(super) fn new(subject: DrillSubject, measurements: &Measurements<'_>) -> Self {
        let Measurements {
            injected,
            recovered,
            sent,
            written,
            observations,
        } = *measurements;
        let lost: Vec<_> = sent.iter().filter(|sent| sent.latency.is_none()).collect();
        let lost_since = |time: Instant| lost.iter().filter(|sent| sent.at > time).count();
        let mut latencies: Vec<_> = sent.iter().filter_map(|sent| sent.latency).collect();
        latencies.sort();
        let percentile_ms = |percent: usize| {
            let index = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
            latencies
                .get(index)
                .map(|latency| latency.as_secs_f64() * 1_000.0)
        };
        let last_lost = lost
            .last()
            .map(|sent| sent.at.saturating_duration_since(injected));
        Self {
            fault: subject.fault,
            lattice: subject.lattice,
            hosts_lost: subject.hosts_lost,
            requests: sent.len(),
            lost: lost.len(),
            lost_after_4s: lost_since(injected + GRACE),
            lost_after_return: recovered.map(lost_since),
            all_answered_s: recovered.map(|recovered| all_answered(sent, recovered).as_secs_f64()),
            last_lost_s: last_lost.map(|last| last.as_secs_f64()),
            median_ms: percentile_ms(50),
            p99_ms: percentile_ms(99),
            slowest_ms: percentile_ms(100),
            found_out_s: observations.detected.map(|after| after.as_secs_f64()),
            all_runs_again_s: observations
                .everything_running
                .map(|after| after.as_secs_f64()),
            anything_moved: observations.moved,
            restarted_s: observations.restarted.map(|after| after.as_secs_f64()),
            all_back_s: observations.all_ready.map(|after| after.as_secs_f64()),
            writes: written.map(|written| WritesReport::new(written, injected)),
        }
    }
}

/// The time from recovery until the last response to a request that was sent before it.
fn all_answered(sent: &[Sent], recovered: Instant) -> Duration {
    let before = sent.iter().filter(|sent| sent.at <= recovered);
    let answered = before.filter_map(|sent| Some(sent.at + sent.latency?));
    let after = answered.map(|answered| answered.saturating_duration_since(recovered));
    after.max().unwrap_or_default()
}

impl WritesReport {
    fn new(written: &Written, injected: Instant) -> Self {
        let mut statuses = BTreeMap::new();
        for failed in &written.failed {
            let status = failed.status.map(|status| status.as_u16().to_string());
            *statuses
                .entry(status.unwrap_or_else(|| "none".to_owned()))
                .or_default() += 1;
        }
        let last = written.failed.last();
        let last = last.map(|failed| failed.at.saturating_duration_since(injected));
        Self {
            made: written.acknowledged,
            refused: written.failed.len(),
            statuses,
            last_refused_s: last.map(|last| last.as_secs_f64()),
            missing: written.missing,
        }
    }
}

impl Report for DrillReport {
    fn text(&self) -> String {
        let mut lines = vec![format!("{}: {}", self.fault, self.lattice)];
        let mut line = |name: &str, value: String| lines.push(format!("  {name:<24}{value}"));
        if !self.hosts_lost.is_empty() {
            line("hosts lost", self.hosts_lost.join(", "));
        }
        line(
            "requests",
            format!("{} sent, {} lost", self.requests, self.lost),
        );
        line("lost after 4 s", self.lost_after_4s.to_string());
        if let Some(last) = self.last_lost_s {
            line("last lost request", format!("sent after {last:.1} s"));
        }
        if let Some(lost) = self.lost_after_return {
            line("lost after recovery", lost.to_string());
        }
        if let Some(after) = self.all_answered_s {
            line(
                "waiting ones answered",
                format!("{after:.1} s after recovery"),
            );
        }
        if let (Some(median), Some(p99), Some(slowest)) =
            (self.median_ms, self.p99_ms, self.slowest_ms)
        {
            let times = format!("{median:.1} ms median, {p99:.1} ms p99, {slowest:.0} ms slowest");
            line("latency", times);
        }
        if let Some(writes) = &self.writes {
            let (acknowledged, failed, missing) = (writes.made, writes.refused, writes.missing);
            let text = format!(
                "{acknowledged} acknowledged, {failed} failed; {missing} missing at the end"
            );
            line("writes", text);
            for (status, count) in &writes.statuses {
                let text = match status.as_str() {
                    "none" => "no response".to_owned(),
                    status => format!("status {status}"),
                };
                line("failed writes", format!("{count} with {text}"));
            }
            if let Some(last) = writes.last_refused_s {
                line("last failed write", format!("sent after {last:.1} s"));
            }
        }
        let seconds = |value: f64| format!("{value:.1} s");
        if let Some(after) = self.found_out_s {
            line("loss detected after", seconds(after));
        }
        if let Some(after) = self.all_runs_again_s {
            line("all replicas run after", seconds(after));
        }
        if let Some(moved) = self.anything_moved {
            let text = if moved { "yes" } else { "no" };
            line("placement changed", text.to_owned());
        }
        if let Some(after) = self.restarted_s {
            line("restarted after", seconds(after));
        }
        if let Some(after) = self.all_back_s {
            line("all hosts ready", format!("{after:.1} s after recovery"));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::super::writes::FailedWrite;
    use super::*;

    fn empty(injected: Instant) -> Measurements<'static> {
        Measurements {
            injected,
            recovered: None,
            sent: &[],
            written: None,
            observations: Observations::default(),
        }
    }

    #[test]
    fn lost_requests_are_counted_by_the_time_they_were_sent() {
        let injected = Instant::now();
        let at = |seconds: f64, latency| Sent {
            at: injected + Duration::from_secs_f64(seconds),
            latency,
        };
        let fast = Some(Duration::from_millis(2));
        let sent = [
            at(0.5, fast),
            at(1.0, None),
            at(4.5, None),
            at(5.0, Some(Duration::from_millis(2_400))),
            at(7.1, None),
            at(9.0, fast),
        ];
        let observations = Observations {
            detected: Some(Duration::from_secs(3)),
            restarted: Some(Duration::from_secs(6)),
            ..Observations::default()
        };
        let written = Written {
            failed: vec![
                FailedWrite {
                    at: injected,
                    status: Some(StatusCode::BAD_GATEWAY),
                },
                FailedWrite {
                    at: injected + Duration::from_secs(1),
                    status: None,
                },
            ],
            acknowledged: 40,
            missing: 2,
        };
        let measurements = Measurements {
            recovered: Some(injected + Duration::from_secs(7)),
            sent: &sent,
            written: Some(&written),
            observations,
            ..empty(injected)
        };
        let subject = DrillSubject {
            hosts_lost: vec!["b2".to_owned(), "c3".to_owned()],
            ..DrillSubject::default()
        };
        let report = DrillReport::new(subject, &measurements);
        assert_eq!(
            (report.requests, report.lost, report.lost_after_4s),
            (6, 3, 2)
        );
        assert_eq!(report.lost_after_return, Some(1));
        assert_eq!(report.all_answered_s, Some(0.4));
        let text = report.text();
        assert!(text.contains("hosts lost              b2, c3"), "{text}");
        assert!(text.contains("6 sent, 3 lost"), "{text}");
        assert!(text.contains("loss detected after     3.0 s"), "{text}");
        assert!(text.contains("restarted after         6.0 s"), "{text}");
        assert!(
            text.contains("40 acknowledged, 2 failed; 2 missing"),
            "{text}"
        );
        for expected in ["1 with status 502", "1 with no response"] {
            let line = format!("failed writes           {expected}");
            assert!(text.contains(&line), "{text}");
        }
        assert!(
            text.contains("last failed write       sent after 1.0 s"),
            "{text}"
        );
    }

    #[test]
    fn a_drill_without_a_response_has_no_latencies() {
        let injected = Instant::now();
        let report = DrillReport::new(DrillSubject::default(), &empty(injected));
        assert_eq!(report.median_ms, None);
        assert!(!report.text().contains("latency"));
    }
}
