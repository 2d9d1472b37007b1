//! The clock of the engines: one thread advances their epochs, which interrupts running guests, and
//! the coarse time by which they are measured.
//!
//! A timer per request would cost more than the request (see `docs/performance.md`); a tick costs
//! one atomic increment.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wasmtime::Engine;

use crate::turns::{CoarseClock, SLICE};

/// The interval at which a running guest is interrupted to check its limits and to let others run,
/// while none runs long. Short compared to a deadline of 100 ms, and long enough to cost an idle
/// host nothing. While guests run long, the interval is [`SLICE`].
const TICK: Duration = Duration::from_millis(5);

/// The time for which the interval stays short after a guest has run long.
const PRECISE_FOR: Duration = Duration::from_secs(1);

/// The thread that advances the epochs. Dropping the clock ends it.
#[derive(Debug)]
pub(super) struct Clock {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    pub(super) fn start(engines: [Engine; 2], coarse: Arc<CoarseClock>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let tick = move || {
            let started = Instant::now();
            let mut precise_until = started;
            let mut now = started;
            loop {
                let interval = if now < precise_until { SLICE } else { TICK };
                let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(interval) else {
                    return;
                };
                now = Instant::now();
                let elapsed = now.duration_since(started).as_millis();
                coarse.set(u64::try_from(elapsed).unwrap_or(u64::MAX));
                engines.iter().for_each(Engine::increment_epoch);
                if coarse.take_request() {
                    precise_until = now + PRECISE_FOR;
                }
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
