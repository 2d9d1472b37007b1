//! Waits for Ctrl-C and SIGTERM, so that a task can stop its host.

use std::sync::mpsc::{self, Receiver};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator;

/// Received signals. They do not end this process as long as this exists.
pub(crate) struct Signals(Receiver<()>);

impl Signals {
    /// Installs the handlers.
    pub(crate) fn listen() -> Result<Self> {
        let mut signals =
            iterator::Signals::new([SIGINT, SIGTERM]).context("cannot install signal handlers")?;
        let (received, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for signal in signals.forever() {
                if received.send(()).is_err() {
                    // The receiver was dropped: the signal has its default effect again.
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
            }
        });
        Ok(Self(receiver))
    }

    /// True once for each received signal.
    pub(crate) fn received(&self) -> bool {
        self.0.try_recv().is_ok()
    }
}
