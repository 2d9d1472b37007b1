//! Standard output and standard error of a guest, written line by line to the log of guests.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use weft_telemetry::logs::{self, GuestStream};

/// The longest line; longer ones are split, so that a guest that never ends its line takes no more
/// memory than this.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// The most bytes of one write.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Standard output or standard error of one part of a guest. Cheap to clone; clones share the
/// incomplete line.
#[derive(Debug, Clone)]
pub(crate) struct GuestOutput(Arc<Mutex<LineBuffer>>);

#[derive(Debug)]
struct LineBuffer {
    app: Arc<str>,
    component: Arc<str>,
    stream: GuestStream,
    partial: Vec<u8>,
}

impl GuestOutput {
    pub(super) fn new(app: Arc<str>, component: Arc<str>, stream: GuestStream) -> Self {
        Self(Arc::new(Mutex::new(LineBuffer {
            app,
            component,
            stream,
            partial: Vec::new(),
        })))
    }

    fn write(&self, bytes: &[u8]) {
        // The buffer is valid after a panic; at worst a line is incomplete.
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes);
    }
}

impl LineBuffer {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LINE_BYTES_MAX {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        let line = std::mem::take(&mut self.partial);
        for piece in line.chunks(LINE_BYTES_MAX) {
            let text = String::from_utf8_lossy(piece);
            let text = text.trim_end_matches(['\n', '\r']);
            logs::guest_line(&self.app, &self.component, self.stream, text);
        }
    }
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        if !self.partial.is_empty() {
            self.flush();
        }
    }
}

// === impl GuestOutput: the traits of wasmtime-wasi ===

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
        if bytes.len() > WRITE_BYTES_MAX {
            let reason = "a write exceeds what `check-write` allows";
            return Err(StreamError::Trap(wasmtime::format_err!("{reason}")));
        }
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
        let accepted = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        GuestOutput::write(&self, accepted);
        Poll::Ready(Ok(accepted.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
