//! A guest's stdout and stderr: line by line into the host's log, with app and component.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use weft_telemetry::logs::{self, GuestStream};

/// A longer line is cut into several: a guest that never ends its line costs no more than this.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// What a guest may write at once.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// One of the two output streams of one part of a guest. Cheap to clone; clones share the line that
/// has begun.
#[derive(Debug, Clone)]
pub(crate) struct GuestOutput(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    app: Arc<str>,
    component: Arc<str>,
    stream: GuestStream,
    begun: Vec<u8>,
}

impl GuestOutput {
    pub(super) fn new(app: Arc<str>, component: Arc<str>, stream: GuestStream) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            app,
            component,
            stream,
            begun: Vec::new(),
        })))
    }

    fn write(&self, bytes: &[u8]) {
        // A poisoned line is still a line.
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes);
    }
}

impl Lines {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.begun.len() >= LINE_BYTES_MAX {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        let line = std::mem::take(&mut self.begun);
        for piece in line.chunks(LINE_BYTES_MAX) {
            let text = String::from_utf8_lossy(piece);
            let text = text.trim_end_matches(['\n', '\r']);
            logs::guest_line(&self.app, &self.component, self.stream, text);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.begun.is_empty() {
            self.flush();
        }
    }
}

// === impl GuestOutput: the ways of wasmtime-wasi ===

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        GuestOutput::write(self, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        GuestOutput::write(&self, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
