//! Standard error behind a queue: a thread writes, and nothing that logs waits for it. A terminal
//! that is stopped with Ctrl-S, or a pipe that nobody reads, must not stop a host.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// The most lines in the queue.
const LINES_MAX: usize = 8_192;

/// The most bytes of the lines in the queue.
const BYTES_MAX: usize = 4 << 20;

/// The longest wait at the end of the process until the queue is written.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(1);

/// The end of the queue at which lines are written. Cheap to clone.
#[derive(Clone)]
pub(super) struct QueueWriter {
    queue: SyncSender<Vec<u8>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Of lines that are not written yet.
    queued_bytes: AtomicUsize,
    dropped: AtomicU64,
    /// True at the end of the process.
    is_flushing: Mutex<bool>,
    /// Notified after each line while flushing.
    written: Condvar,
}

/// Waits for the queue at the end of the process.
pub(crate) struct FlushOnDrop(QueueWriter);

impl QueueWriter {
    /// Starts the thread that writes to `target`. It calls `report_dropped` with the number of
    /// lines that were dropped because the target took none.
    ///
    /// # Errors
    /// The error of the operating system if no thread can be started.
    pub(super) fn start(
        target: impl Write + Send + 'static,
        report_dropped: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, lines) = mpsc::sync_channel(LINES_MAX);
        let counts = Arc::<Counts>::default();
        let of_thread = counts.clone();
        // Ends with the process, or with the last writer. Its owner is [`FlushOnDrop`], which waits
        // for a bounded time: the target may be blocked for ever.
        std::thread::Builder::new()
            .name("weft-log".to_owned())
            .spawn(move || write_all(&lines, target, &of_thread, report_dropped))?;
        Ok(Self { queue, counts })
    }

    pub(super) fn flush_on_drop(&self) -> FlushOnDrop {
        FlushOnDrop(self.clone())
    }

    /// Appends a line, or counts it if the queue is full.
    fn push(&self, line: &[u8]) {
        let counts = &self.counts;
        let before = counts.queued_bytes.fetch_add(line.len(), Ordering::Relaxed);
        let has_room = before + line.len() <= BYTES_MAX;
        if !has_room || self.queue.try_send(line.to_vec()).is_err() {
            counts.queued_bytes.fetch_sub(line.len(), Ordering::Relaxed);
            counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The body of the thread.
fn write_all(
    lines: &Receiver<Vec<u8>>,
    mut target: impl Write,
    counts: &Counts,
    report_dropped: impl Fn(u64),
) {
    for line in lines {
        // A closed standard error must not stop a host.
        let _ = target.write_all(&line);
        let dropped = counts.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            report_dropped(dropped);
        }
        counts.queued_bytes.fetch_sub(line.len(), Ordering::Relaxed);
        if *counts.flushing() {
            counts.written.notify_one();
        }
    }
}

impl Counts {
    fn flushing(&self) -> MutexGuard<'_, bool> {
        // A flag is valid after a panic.
        self.is_flushing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for QueueWriter {
    /// Takes a whole line, as `tracing-subscriber` writes it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for QueueWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Drop for FlushOnDrop {
    fn drop(&mut self) {
        let counts = &self.0.counts;
        let mut flushing = counts.flushing();
        *flushing = true;
        let is_queued = |_: &mut bool| counts.queued_bytes.load(Ordering::Relaxed) > 0;
        // A timeout is of a target that takes nothing.
        let _ = counts
            .written
            .wait_timeout_while(flushing, FLUSH_WAIT_MAX, is_queued);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that takes no byte until it is opened.
    struct Gate {
        opened: Receiver<()>,
        is_open: bool,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.is_open {
                let _ = self.opened.recv();
                self.is_open = true;
            }
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A writer whose target is closed at first.
    struct Blocked {
        writer: QueueWriter,
        open: mpsc::Sender<()>,
        written: Arc<Mutex<Vec<u8>>>,
        reported: Receiver<u64>,
    }

    fn blocked() -> Blocked {
        let (open, opened) = mpsc::channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let gate = Gate {
            opened,
            is_open: false,
            written: written.clone(),
        };
        let (dropped, reported) = mpsc::channel();
        let report = move |count| dropped.send(count).unwrap();
        Blocked {
            writer: QueueWriter::start(gate, report).unwrap(),
            open,
            written,
            reported,
        }
    }

    #[test]
    fn a_target_that_takes_nothing_stops_no_writer_and_dropped_lines_are_counted() {
        let Blocked {
            mut writer,
            open,
            written,
            reported,
        } = blocked();
        let lines = LINES_MAX + 100;
        for _ in 0..lines {
            writer.write_all(b"line\n").unwrap();
        }
        open.send(()).unwrap();
        drop(writer.flush_on_drop());
        let written = written.lock().unwrap().len() / 5;
        let dropped = reported.recv_timeout(FLUSH_WAIT_MAX).unwrap();
        assert_eq!(written as u64 + dropped, lines as u64);
        assert!((99..=100).contains(&dropped), "{dropped}");
    }

    #[test]
    fn few_large_lines_fill_the_queue_too() {
        let Blocked {
            mut writer,
            open,
            reported,
            ..
        } = blocked();
        let line = vec![b'x'; BYTES_MAX / 4];
        for _ in 0..6 {
            writer.write_all(&line).unwrap();
        }
        open.send(()).unwrap();
        assert_eq!(reported.recv_timeout(FLUSH_WAIT_MAX), Ok(2));
    }

    #[test]
    fn the_end_of_the_process_waits_for_the_lines_before_it() {
        let Blocked {
            mut writer,
            open,
            written,
            ..
        } = blocked();
        writer.write_all(b"last words\n").unwrap();
        open.send(()).unwrap();
        drop(writer.flush_on_drop());
        assert_eq!(*written.lock().unwrap(), b"last words\n");
    }
}
