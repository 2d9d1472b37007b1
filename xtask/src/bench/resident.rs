//! The memory of a process, from `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// The resident memory of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resident {
    pub(super) all_kib: u64,
    /// Memory without a file behind it, which the system cannot drop and read again.
    pub(super) anonymous_kib: u64,
}

/// Reads the memory of a process from `/proc`.
pub(super) fn resident(process: u32) -> Result<Resident> {
    let file = format!("/proc/{process}/status");
    let status = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    parse_resident(&status).with_context(|| format!("missing `VmRSS` or `RssAnon` in {file}"))
}

/// Begins a new peak of the resident memory of a process of the same user.
pub(super) fn reset_peak(process: u32) -> Result<()> {
    let file = format!("/proc/{process}/clear_refs");
    // The value for the peak, in proc(5).
    fs::write(&file, "5").with_context(|| format!("cannot write {file}"))
}

/// The largest resident memory of a process since its start or [`reset_peak`], in KiB.
pub(super) fn peak_resident_kib(process: u32) -> Result<u64> {
    let file = format!("/proc/{process}/status");
    let status = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    kib(&status, "VmHWM:").with_context(|| format!("missing `VmHWM` in {file}"))
}

fn parse_resident(status: &str) -> Option<Resident> {
    Some(Resident {
        all_kib: kib(status, "VmRSS:")?,
        anonymous_kib: kib(status, "RssAnon:")?,
    })
}

fn kib(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_read_from_the_status() {
        let status =
            "Name:\tweft\nVmRSS:\t   12345 kB\nRssAnon:\t    2345 kB\nRssFile:\t 10000 kB\n";
        let expected = Resident {
            all_kib: 12345,
            anonymous_kib: 2345,
        };
        assert_eq!(parse_resident(status), Some(expected));
        assert_eq!(parse_resident("Name:\tzombie\n"), None);
    }
}
