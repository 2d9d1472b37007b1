//! Ctrl-C and SIGTERM, as something to wait for: a task that started a host has to end it.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator;

/// The signals that ask this process to end. As long as this exists, they do nothing else.
pub(crate) struct Signals(Receiver<()>);

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self> {
        let mut signals = iterator::Signals::new([SIGINT, SIGTERM])
            .context("the operating system delivers no signals")?;
        let (received, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for signal in signals.forever() {
                if received.send(()).is_err() {
                    // Nobody waits any more, so it means what it always means.
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
            }
        });
        Ok(Self(receiver))
    }

    /// Waits for a signal, for at most `time`; says whether one came.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        self.0.recv_timeout(time).is_ok()
    }
}
