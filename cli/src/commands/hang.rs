//! `weft hang-parent`: suspends the parent process and resumes it later. Hidden from users: a host
//! starts this command when a drill suspends the host.

use std::os::unix::process::parent_id;
use std::time::Duration;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, Kind};

/// The interval of checks that the parent lives, so that the helper does not outlive it by long.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Suspend the parent process and resume it later; used by hosts for `weft drill stop-host`
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct HangParent {
    /// Check that the parent has this process id
    #[arg(long, value_name = "PID")]
    parent: u32,
    /// Suspend the parent after this many milliseconds
    #[arg(long, value_name = "MS")]
    after_ms: u64,
    /// Resume the parent after this many milliseconds more
    #[arg(long, value_name = "MS")]
    for_ms: u64,
}

impl HangParent {
    /// The arguments of this command, to suspend `parent` once `after` has passed, for `duration`.
    pub(crate) fn arguments(parent: u32, after: Duration, duration: Duration) -> Vec<String> {
        let mut arguments = vec!["hang-parent".to_owned()];
        arguments.extend(["--parent".to_owned(), parent.to_string()]);
        arguments.extend(["--after-ms".to_owned(), after.as_millis().to_string()]);
        arguments.extend(["--for-ms".to_owned(), duration.as_millis().to_string()]);
        arguments
    }

    /// Runs the command.
    ///
    /// # Errors
    /// The parent has another process id, or a signal cannot be sent.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let until = Instant::now() + Duration::from_millis(self.after_ms);
        self.wait(until).await?;
        self.signal(Signal::STOP)?;
        let until = Instant::now() + Duration::from_millis(self.for_ms);
        self.wait(until).await?;
        self.signal(Signal::CONT)
    }

    async fn wait(&self, until: Instant) -> Result<(), Failure> {
        loop {
            self.check_parent()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            sleep(left.min(CHECK_INTERVAL)).await;
        }
    }

    /// Checks the parent before a signal: the id of an ended process may be reused.
    fn check_parent(&self) -> Result<(), Failure> {
        match parent_id() {
            parent if parent == self.parent => Ok(()),
            parent => {
                let message = format!("parent has process id {parent}, expected {}", self.parent);
                Err(Failure::new(Kind::Input, message)
                    .or_help("suspend a host with `weft drill stop-host`"))
            }
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let process = i32::try_from(self.parent).ok().and_then(Pid::from_raw);
        let Some(process) = process else {
            let message = format!("invalid process id `{}`", self.parent);
            return Err(Failure::new(Kind::Input, message));
        };
        kill_process(process, signal).map_err(|error| {
            Failure::new(Kind::Failed, "cannot send a signal to the parent").caused_by(&error)
        })
    }
}
