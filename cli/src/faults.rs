//! What a drill may do to the process of `weft up`: end it as `kill -9` does, or have it hang. A process that is
//! stopped cannot start itself again, so this same program does it, as a child
//! ([`hang-parent`](crate::commands::hang)).

use std::process::{Stdio, exit, id};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tokio::process::Command;
use weft_host::{FaultError, Faults};

use crate::commands::hang::HangParent;

/// What a shell says of a process that SIGKILL ended.
const KILLED: i32 = 137;

/// The first process of a container: SIGKILL and SIGSTOP from within do nothing to it.
const FIRST_PROCESS: u32 = 1;

/// The process of this host.
#[derive(Debug)]
pub(crate) struct ThisProcess;

impl Faults for ThisProcess {
    fn kill(&self) {
        // Nothing is left to say that it failed, and then the process ends all the same.
        let _ = kill_process(getpid(), Signal::KILL);
        exit(KILLED);
    }

    fn check_hang(&self) -> Result<(), FaultError> {
        can_hang(id())
    }

    fn hang(&self, after: Duration, lasting: Duration) -> Result<(), FaultError> {
        can_hang(id())?;
        let program = std::env::current_exe().map_err(FaultError::Helper)?;
        let mut helper = Command::new(program);
        helper.args(HangParent::arguments(id(), after, lasting));
        // A Ctrl-C for the host is not one for what lets it go on.
        helper.process_group(0);
        helper
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // It ends by itself, and the runtime reaps it.
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
