//! Fault injection into the process of `weft up`: a drill may kill it, as `kill -9` does, or
//! suspend it. A suspended process cannot resume itself, so this program runs again as a child
//! that sends the signals ([`hang-parent`](crate::commands::hang)).

use std::process::{Stdio, exit, id};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tokio::process::Command;
use weft_host::{FaultError, Faults};

use crate::commands::hang::HangParent;

/// The exit code of a process killed by SIGKILL, as shells report it.
const KILLED: i32 = 137;

/// The first process of a container: the kernel ignores SIGKILL and SIGSTOP from within.
const FIRST_PROCESS: u32 = 1;

/// The process of this host.
#[derive(Debug)]
pub(crate) struct ThisProcess;

impl Faults for ThisProcess {
    fn kill(&self) {
        // If the signal cannot be sent, the process exits all the same.
        let _ = kill_process(getpid(), Signal::KILL);
        exit(KILLED);
    }

    fn check_hang(&self) -> Result<(), FaultError> {
        can_hang(id())
    }

    fn hang(&self, after: Duration, duration: Duration) -> Result<(), FaultError> {
        can_hang(id())?;
        let program = std::env::current_exe().map_err(FaultError::Helper)?;
        let mut helper = Command::new(program);
        helper.args(HangParent::arguments(id(), after, duration));
        // Ctrl-C in the terminal of the host must not end the helper, which resumes the host.
        helper.process_group(0);
        helper
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // The helper ends by itself, and the runtime reaps it.
        helper.spawn().map(drop).map_err(FaultError::Helper)
    }
}

fn can_hang(process: u32) -> Result<(), FaultError> {
    match process {
        FIRST_PROCESS => Err(FaultError::FirstProcess),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_process_of_a_container_cannot_hang() {
        assert!(matches!(can_hang(1), Err(FaultError::FirstProcess)));
        assert!(can_hang(2).is_ok());
    }
}
