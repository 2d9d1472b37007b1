//! The clock of the engines: one thread advances their epochs, which interrupts running guests.
//!
//! A timer per request would cost more than the request (see `docs/performance.md`); a tick costs
//! one atomic increment.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

/// The interval at which a running guest is interrupted to check its limits and to let others run.
/// Short compared to a deadline of 100 ms, and long enough to cost nothing.
pub(crate) const EPOCH_TICK: Duration = Duration::from_millis(5);

/// The thread that advances the epochs. Dropping the clock ends it.
#[derive(Debug)]
pub(super) struct Clock {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    pub(super) fn start(engines: [Engine; 2]) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let tick = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EPOCH_TICK) {
                engines.iter().for_each(Engine::increment_epoch);
            }
        };
        let thread = std::thread::Builder::new()
            .name("weft-epoch".to_owned())
            .spawn(tick)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread does nothing that can panic, and ends within a tick.
            let _ = thread.join();
        }
    }
}
