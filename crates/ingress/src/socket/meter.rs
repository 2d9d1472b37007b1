//! The memory of messages that have begun to arrive, from the budget of all bodies.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::body_budget::{BodyBudget, BodyShare};

/// Counts the bytes of the message that arrives.
pub(super) struct Meter {
    budget: BodyBudget,
    arriving: Mutex<Arriving>,
    is_full: AtomicBool,
}

#[derive(Default)]
struct Arriving {
    bytes: usize,
    share: BodyShare,
}

/// A connection whose bytes are counted. It fails when the budget has no room.
pub(super) struct MeteredIo<T> {
    io: T,
    meter: Option<Arc<Meter>>,
}

impl Meter {
    pub(super) fn new(budget: BodyBudget) -> Self {
        Self {
            budget,
            arriving: Mutex::default(),
            is_full: AtomicBool::new(false),
        }
    }

    /// The share of the message that has arrived.
    pub(super) fn take(&self) -> BodyShare {
        std::mem::take(&mut *self.arriving()).share
    }

    /// Takes the bytes of a control frame out of the count: one may come within a message.
    pub(super) fn forget(&self, bytes: usize) {
        let mut arriving = self.arriving();
        arriving.bytes = arriving.bytes.saturating_sub(bytes);
    }

    /// True if the budget had no room.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) -> io::Result<()> {
        let mut arriving = self.arriving();
        arriving.bytes = arriving.bytes.saturating_add(bytes);
        let Arriving { bytes, share } = &mut *arriving;
        if self.budget.grow(share, *bytes) {
            return Ok(());
        }
        self.is_full.store(true, Ordering::Relaxed);
        Err(io::Error::other("no room for the message"))
    }

    fn arriving(&self) -> MutexGuard<'_, Arriving> {
        // The code under the lock does not panic.
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> MeteredIo<T> {
    pub(super) fn new(io: T, meter: Arc<Meter>) -> Self {
        let meter = Some(meter);
        Self { io, meter }
    }

    /// Counts nothing more, for bytes that are dropped.
    pub(super) fn stop_metering(&mut self) {
        self.meter = None;
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for MeteredIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        let bytes = buffer.filled().len() - before;
        match &self.meter {
            Some(meter) if bytes > 0 => read.map(|read| read.and_then(|()| meter.add(bytes))),
            _ => read,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for MeteredIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn a_message_takes_room_as_it_arrives_until_it_is_taken() {
        let (others, mut all) = (BodyBudget::default(), BodyShare::default());
        let meter = Arc::new(Meter::new(others.clone()));
        let mut io = MeteredIo::new(&[0; 200 << 10][..], meter.clone());
        let mut buffer = vec![0; 100 << 10];
        io.read_exact(&mut buffer).await.unwrap();
        let free = |others: &BodyBudget| {
            let mut share = BodyShare::default();
            (0..)
                .map(|units| units << 16)
                .take_while(|bytes| others.grow(&mut share, *bytes))
                .count()
        };
        let with_message = free(&others);
        let share = meter.take();
        assert_eq!(free(&others), with_message, "the message has its room");
        drop(share);
        let without = free(&others);
        assert_eq!(without, with_message + 1);
        // Without room for more the connection fails.
        assert!(others.grow(&mut all, (without - 1) << 16));
        assert!(io.read_exact(&mut buffer).await.is_err());
        assert!(meter.is_full());
    }
}
