//! Runs `wrk` and parses its report.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::command::output;

/// The result of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Report {
    pub(super) requests_per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// Requests `path` in a loop over a number of connections, from one thread: the other cores are the
/// server's.
pub(super) fn load(
    address: SocketAddr,
    path: &str,
    connections: u32,
    duration: Duration,
) -> Result<Report> {
    let mut command = prepare(connections, duration);
    run(command.arg(format!("http://{address}{path}")))
}

/// Sends the request of a `wrk` script in the same way.
pub(super) fn load_by(
    script: &Path,
    address: SocketAddr,
    connections: u32,
    duration: Duration,
) -> Result<Report> {
    let mut command = prepare(connections, duration);
    command.arg("--script").arg(script);
    run(command.arg(format!("http://{address}")))
}

fn prepare(connections: u32, duration: Duration) -> Command {
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--latency"])
        .args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{}s", duration.as_secs())]);
    command
}

fn run(command: &mut Command) -> Result<Report> {
    let report = output(command)?;
    parse(&report).with_context(|| format!("in the report of `wrk`:\n{report}"))
}

fn parse(report: &str) -> Result<Report> {
    for failure in ["Non-2xx or 3xx responses:", "Socket errors:"] {
        if let Some(line) = field(report, failure) {
            bail!("requests failed: {failure} {line}");
        }
    }
    let requests_per_second = field(report, "Requests/sec:")
        .and_then(|value| value.parse().ok())
        .context("missing `Requests/sec`")?;
    ensure!(requests_per_second > 0.0, "no request succeeded");
    let latency = |percentile: &str| {
        field(report, percentile)
            .and_then(microseconds)
            .with_context(|| format!("missing latency for `{percentile}`"))
    };
    Ok(Report {
        requests_per_second,
        p50_us: latency("50%")?,
        p99_us: latency("99%")?,
    })
}

/// The rest of the line that starts with `name`.
fn field<'a>(report: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = report.lines().map(str::trim);
    lines.find_map(|line| Some(line.strip_prefix(name)?.trim()))
}

fn microseconds(text: &str) -> Option<f64> {
    // The longer units first: `ms` ends in `s` too.
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6), ("m", 60e6)];
    let (number, scale) = units
        .into_iter()
        .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))?;
    Some(number.parse::<f64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Running 2s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   739.36us  346.96us  10.87ms   93.04%
    Req/Sec    87.32k     7.01k   95.87k    85.00%
  Latency Distribution
     50%  698.00us
     75%  805.00us
     90%    0.98ms
     99%    1.73ms
  173754 requests in 2.00s, 21.54MB read
Requests/sec:  86843.15
Transfer/sec:     10.77MB
";

    #[test]
    fn a_report_gives_rate_and_latencies() {
        let expected = Report {
            requests_per_second: 86843.15,
            p50_us: 698.0,
            p99_us: 1730.0,
        };
        assert_eq!(parse(REPORT).expect("it is a report"), expected);
    }

    #[test]
    fn latencies_are_read_in_every_unit() {
        for (text, expected) in [
            ("12.00us", 12.0),
            ("1.50ms", 1500.0),
            ("2.00s", 2e6),
            ("1.00m", 60e6),
        ] {
            assert_eq!(microseconds(text), Some(expected), "{text}");
        }
        assert_eq!(microseconds("12"), None);
    }

    #[test]
    fn failed_requests_fail_the_run() {
        for line in [
            "  Non-2xx or 3xx responses: 12\n",
            "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
        ] {
            let error = parse(&format!("{REPORT}{line}")).expect_err("requests failed");
            assert!(error.to_string().contains(line.trim()), "{error}");
        }
        assert!(parse("nothing of the kind").is_err());
    }
}
