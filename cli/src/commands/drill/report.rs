//! What a drill found.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::probes::Sent;
use super::watcher::Seen;
use super::writes::Written;
use crate::output::Report;

/// From when on after the loss no request may be lost any more: a dead host is found out in three seconds.
const GRACE: Duration = Duration::from_secs(4);

/// What was observed of a drill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed<'a> {
    /// When something was broken.
    pub(super) broken: Instant,
    /// When it was whole again, if it was.
    pub(super) back: Option<Instant>,
    pub(super) sent: &'a [Sent],
    /// What was made meanwhile, if anything was to be.
    pub(super) written: Option<&'a Written>,
    pub(super) seen: Seen,
}

/// What was drilled.
#[derive(Debug, Clone, Default)]
pub(super) struct Setting {
    pub(super) fault: String,
    /// In words.
    pub(super) lattice: String,
    pub(super) hosts_lost: Vec<String>,
}

/// What a drill found; times in seconds are since something was broken, if nothing else is said.
#[derive(Debug, Serialize)]
pub(super) struct DrillReport {
    fault: String,
    lattice: String,
    hosts_lost: Vec<String>,
    requests: usize,
    /// Not answered, or with a status of 500 and above.
    lost: usize,
    /// Of these, sent more than four seconds after the loss.
    lost_after_4s: usize,
    /// Of these, sent after what was lost was back, and two seconds more.
    lost_after_return: Option<usize>,
    /// When the last lost request was sent.
    last_lost_s: Option<f64>,
    median_ms: Option<f64>,
    p99_ms: Option<f64>,
    slowest_ms: Option<f64>,
    found_out_s: Option<f64>,
    all_runs_again_s: Option<f64>,
    anything_moved: Option<bool>,
    /// When what was killed had been started again by whoever runs it.
    restarted_s: Option<f64>,
    /// How long after the return all hosts were ready again.
    all_back_s: Option<f64>,
    writes: Option<WritesReport>,
}

/// What became of things that were made all the while.
#[derive(Debug, Serialize)]
struct WritesReport {
    made: usize,
    /// Not acknowledged.
    refused: usize,
    /// When the last one was to be made that was not acknowledged: from then on all were.
    last_refused_s: Option<f64>,
    /// Acknowledged, and not there at the end.
    missing: usize,
}

/// From when on after the return no request may be lost any more.
pub(super) const RETURN_GRACE: Duration = Duration::from_secs(2);

impl DrillReport {
    pub(super) fn new(setting: Setting, observed: &Observed<'_>) -> Self {
        let Observed {
            broken,
            back,
            sent,
            written,
            seen,
        } = *observed;
        let lost: Vec<_> = sent.iter().filter(|sent| sent.took.is_none()).collect();
        let lost_since = |moment: Instant| lost.iter().filter(|sent| sent.at > moment).count();
        let mut took: Vec<_> = sent.iter().filter_map(|sent| sent.took).collect();
        took.sort();
        let part = |percent: usize| {
            let index = (took.len() * percent).div_ceil(100).saturating_sub(1);
            took.get(index).map(|took| took.as_secs_f64() * 1_000.0)
        };
        let last_lost = lost
            .last()
            .map(|sent| sent.at.saturating_duration_since(broken));
        Self {
            fault: setting.fault,
            lattice: setting.lattice,
            hosts_lost: setting.hosts_lost,
            requests: sent.len(),
            lost: lost.len(),
            lost_after_4s: lost_since(broken + GRACE),
            lost_after_return: back.map(|back| lost_since(back + RETURN_GRACE)),
            last_lost_s: last_lost.map(|last| last.as_secs_f64()),
            median_ms: part(50),
            p99_ms: part(99),
            slowest_ms: part(100),
            found_out_s: seen.found_out.map(|after| after.as_secs_f64()),
            all_runs_again_s: seen.all_runs.map(|after| after.as_secs_f64()),
            anything_moved: seen.has_moved,
            restarted_s: seen.restarted.map(|after| after.as_secs_f64()),
            all_back_s: seen.all_back.map(|after| after.as_secs_f64()),
            writes: written.map(|written| WritesReport::new(written, broken)),
        }
    }
}

impl WritesReport {
    fn new(written: &Written, broken: Instant) -> Self {
        let last = written.refused.last();
        Self {
            made: written.made,
            refused: written.refused.len(),
            last_refused_s: last.map(|at| at.saturating_duration_since(broken).as_secs_f64()),
            missing: written.missing,
        }
    }
}

impl Report for DrillReport {
    fn text(&self) -> String {
        let mut lines = vec![format!("{}: {}", self.fault, self.lattice)];
        let mut line = |what: &str, value: String| lines.push(format!("  {what:<24}{value}"));
        if !self.hosts_lost.is_empty() {
            line("lost", self.hosts_lost.join(", "));
        }
        line(
            "requests",
            format!("{} sent, {} lost", self.requests, self.lost),
        );
        line("lost after 4 s", self.lost_after_4s.to_string());
        if let Some(last) = self.last_lost_s {
            line("last one lost", format!("sent after {last:.1} s"));
        }
        if let Some(lost) = self.lost_after_return {
            line(
                "lost after the return",
                format!("{lost} (from 2 s after it)"),
            );
        }
        if let (Some(median), Some(p99), Some(slowest)) =
            (self.median_ms, self.p99_ms, self.slowest_ms)
        {
            let times = format!("{median:.1} ms median, {p99:.1} ms p99, {slowest:.0} ms slowest");
            line("answered in", times);
        }
        if let Some(writes) = &self.writes {
            let (made, refused, missing) = (writes.made, writes.refused, writes.missing);
            let text = format!("{made} made, {refused} not; {missing} missing at the end");
            line("writes", text);
            if let Some(last) = writes.last_refused_s {
                line("last one not made", format!("sent after {last:.1} s"));
            }
        }
        let seconds = |value: f64| format!("{value:.1} s");
        if let Some(after) = self.found_out_s {
            line("found out after", seconds(after));
        }
        if let Some(after) = self.all_runs_again_s {
            line("everything runs after", seconds(after));
        }
        if let Some(moved) = self.anything_moved {
            let text = if moved { "something moved" } else { "nothing" };
            line("moved", text.to_owned());
        }
        if let Some(after) = self.restarted_s {
            line("started again after", seconds(after));
        }
        if let Some(after) = self.all_back_s {
            line(
                "all hosts ready again",
                format!("{after:.1} s after the return"),
            );
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(broken: Instant) -> Observed<'static> {
        Observed {
            broken,
            back: None,
            sent: &[],
            written: None,
            seen: Seen::default(),
        }
    }

    #[test]
    fn what_was_lost_is_counted_by_when_it_was_sent() {
        let broken = Instant::now();
        let at = |seconds: f64, took| Sent {
            at: broken + Duration::from_secs_f64(seconds),
            took,
        };
        let fast = Some(Duration::from_millis(2));
        let sent = [
            at(0.5, fast),
            at(1.0, None),
            at(4.5, None),
            at(9.0, fast),
            at(10.0, None),
        ];
        let seen = Seen {
            found_out: Some(Duration::from_secs(3)),
            restarted: Some(Duration::from_secs(6)),
            ..Seen::default()
        };
        let written = Written {
            refused: vec![broken + Duration::from_secs(1)],
            made: 40,
            missing: 2,
        };
        let observed = Observed {
            back: Some(broken + Duration::from_secs(7)),
            sent: &sent,
            written: Some(&written),
            seen,
            ..nothing(broken)
        };
        let setting = Setting {
            hosts_lost: vec!["b2".to_owned(), "c3".to_owned()],
            ..Setting::default()
        };
        let report = DrillReport::new(setting, &observed);
        assert_eq!(
            (report.requests, report.lost, report.lost_after_4s),
            (5, 3, 2)
        );
        assert_eq!(report.lost_after_return, Some(1));
        let text = report.text();
        assert!(text.contains("lost                    b2, c3"), "{text}");
        assert!(text.contains("5 sent, 3 lost"), "{text}");
        assert!(text.contains("found out after         3.0 s"), "{text}");
        assert!(text.contains("started again after     6.0 s"), "{text}");
        assert!(text.contains("40 made, 1 not; 2 missing"), "{text}");
        assert!(
            text.contains("last one not made       sent after 1.0 s"),
            "{text}"
        );
    }

    #[test]
    fn a_drill_without_an_answer_has_no_times() {
        let broken = Instant::now();
        let report = DrillReport::new(Setting::default(), &nothing(broken));
        assert_eq!(report.median_ms, None);
        assert!(!report.text().contains("answered in"));
    }
}
