//! Checks of the machine: ports, disk, open files, clock.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit};
use weft_control::{ADMIN_ADDRESS_DEFAULT, token};

use super::{Finding, Weight};
use crate::commands::up::HTTP_ADDRESS_DEFAULT;
use crate::environment::{self, precedence::Target};

/// The free space below which a host may soon fail to store artifacts and machine code.
const FREE_BYTES_LOW: u64 = 1 << 30;

/// The free space below which it fails.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// The number of open files that a host with some thousand connections needs.
const OPEN_FILES_LOW: u64 = 8192;

/// Checks the machine for a host with the default addresses.
pub(super) fn check(target: &Target) -> Vec<Finding> {
    let given = match target {
        Target::Host { data_dir, .. } => data_dir.clone(),
        Target::Lattice(_) => environment::of_environment().settings.data_dir,
    };
    let mut findings = Vec::new();
    match environment::data_directory(given) {
        Ok(directory) => {
            let recorded = token::read_address(&directory);
            findings.push(port(
                "port for HTTP",
                HTTP_ADDRESS_DEFAULT,
                "--http",
                recorded.is_some(),
            ));
            findings.push(port(
                "port for commands",
                ADMIN_ADDRESS_DEFAULT,
                "--admin",
                recorded.is_some(),
            ));
            findings.extend(disk(&directory));
        }
        Err(failure) => findings.push(Finding::of_failure(
            Weight::Fault,
            "data directory",
            &failure,
        )),
    }
    findings.push(open_files());
    findings.extend(clock());
    findings
}

/// A port of a host with the default settings. If a host has run with the data directory, it may be
/// the one that has the port, so that a taken port is a note then.
fn port(subject: &str, address: &str, option: &str, has_host: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::good(subject, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && has_host => {
            let fix = format!("for a second host, `weft up {option} 127.0.0.1:0` takes a free one");
            let found = format!("{address} is taken, by a host of yours if one runs");
            Finding::bad(Weight::Note, subject, found, fix)
        }
        Err(error) => {
            let number = address.rsplit(':').next().unwrap_or_default();
            let fix = format!(
                "`weft up {option} 127.0.0.1:0` takes a free one; `ss -ltnp 'sport = :{number}'` \
                 shows the process that has it"
            );
            Finding::bad(Weight::Warning, subject, format!("{address}: {error}"), fix)
        }
    }
}

/// The free space, and the rights, of a directory that may not exist yet.
fn disk(directory: &Path) -> Vec<Finding> {
    let mut existing = directory;
    while !existing.exists() {
        match existing.parent() {
            Some(parent) => existing = parent,
            None => break,
        }
    }
    let shown = directory.display();
    let subject = "data directory";
    let writable = tempfile::tempfile_in(existing);
    let Ok(space) = statvfs(existing) else {
        return Vec::new();
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let free_mib = free >> 20;
    let fix = "free some space, or choose another directory with `--data-dir` or `WEFT_DATA_DIR`";
    vec![match writable {
        Err(error) if error.kind() != ErrorKind::StorageFull => {
            let found = format!("{shown} cannot be written: {error}");
            let fix = "choose another directory with `--data-dir` or `WEFT_DATA_DIR`";
            Finding::bad(Weight::Fault, subject, found, fix)
        }
        _ if free < FREE_BYTES_MIN => Finding::bad(
            Weight::Fault,
            subject,
            format!("{shown}: {free_mib} MiB free"),
            fix,
        ),
        _ if free < FREE_BYTES_LOW => Finding::bad(
            Weight::Warning,
            subject,
            format!("{shown}: {free_mib} MiB free"),
            fix,
        ),
        _ => Finding::good(subject, format!("{shown}: {} GiB free", free >> 30)),
    }]
}

/// The limit of open files. A host raises its own to the hard limit.
fn open_files() -> Finding {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let found = format!("at most {limit}");
    match limit {
        0..OPEN_FILES_LOW => Finding::bad(
            Weight::Warning,
            "open files",
            found,
            "raise the hard limit: `LimitNOFILE=` of a systemd unit, or /etc/security/limits.conf",
        ),
        _ => Finding::good("open files", found),
    }
}

/// The clock, where the system tells whether it is synchronized. The lattice needs no equal clocks;
/// logs and events of several hosts are in the order of theirs.
fn clock() -> Option<Finding> {
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property", "NTPSynchronized", "--value"]);
    let output = command
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .output()
        .ok()?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "yes" => Some(Finding::good("clock", "synchronized")),
        "no" => Some(Finding::bad(
            Weight::Warning,
            "clock",
            "not synchronized: log lines and events of several hosts may be in the wrong order",
            "timedatectl set-ntp true",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_a_warning_with_the_way_to_its_owner() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let finding = port("port", &address, "--http", false);
        assert_eq!(finding.weight, Weight::Warning, "{finding:?}");
        let fix = finding.fix.unwrap();
        assert!(fix.contains("--http 127.0.0.1:0"), "{fix}");
        assert!(
            fix.contains(&format!("sport = :{}", taken.local_addr().unwrap().port())),
            "{fix}"
        );
        assert_eq!(port("port", &address, "--http", true).weight, Weight::Note);
        drop(taken);
        assert_eq!(port("port", &address, "--http", false).weight, Weight::Good);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_a_fault() {
        let parent = tempfile::tempdir().unwrap();
        let findings = disk(&parent.path().join("a/b"));
        assert!(
            findings.iter().all(|it| it.weight <= Weight::Warning),
            "{findings:?}"
        );
        // Nobody, root included, creates a file there.
        let findings = disk(Path::new("/proc/weft"));
        assert_eq!(findings[0].weight, Weight::Fault, "{findings:?}");
    }
}
