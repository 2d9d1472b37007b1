//! `weft hang-parent`, which no user needs: a host that hangs for a drill has started it. It stops the process
//! that started it, and lets it go on again.

use std::os::unix::process::parent_id;
use std::time::Duration;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, Kind};

/// How often it looks whether its parent is still there: it does not outlive it by long.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Stop the process that starts this, and let it go on again: what a host does that hangs for a drill
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct HangParent {
    /// The id of the parent: it may be gone by now
    #[arg(long, value_name = "PID")]
    parent: u32,
    /// After so many milliseconds
    #[arg(long, value_name = "MS")]
    after_ms: u64,
    /// For so many milliseconds
    #[arg(long, value_name = "MS")]
    for_ms: u64,
}

impl HangParent {
    /// What starts this command, for a process that is to hang after a while, for so long.
    pub(crate) fn arguments(parent: u32, after: Duration, lasting: Duration) -> Vec<String> {
        let mut arguments = vec!["hang-parent".to_owned()];
        arguments.extend(["--parent".to_owned(), parent.to_string()]);
        arguments.extend(["--after-ms".to_owned(), after.as_millis().to_string()]);
        arguments.extend(["--for-ms".to_owned(), lasting.as_millis().to_string()]);
        arguments
    }

    /// Runs the command.
    ///
    /// # Errors
    /// The parent is another process, or a signal cannot be sent.
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
            sleep(left.min(LOOK_EVERY)).await;
        }
    }

    /// The id of a process that has ended may be that of another one.
    fn check_parent(&self) -> Result<(), Failure> {
        match parent_id() {
            parent if parent == self.parent => Ok(()),
            parent => {
                let message = format!(
                    "expected to be started by process {}, found {parent}",
                    self.parent
                );
                Err(Failure::new(Kind::Input, message)
                    .or_help("`weft drill stop-host` lets a host hang"))
            }
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let process = i32::try_from(self.parent).ok().and_then(Pid::from_raw);
        let Some(process) = process else {
            let message = format!("`{}` is not the id of a process", self.parent);
            return Err(Failure::new(Kind::Input, message));
        };
        kill_process(process, signal).map_err(|error| {
            Failure::new(Kind::Failed, "the parent takes no signal").caused_by(&error)
        })
    }
}
