//! Streams between a store and the other side of a call, as typed elements.
//!
//! A write is accepted as far as there is credit, and is complete once accepted: the writer does
//! not wait for the reader while the window has room. `stream<u8>` is copied in bulk from memory
//! into the chunk, and from there into the other memory; all other elements are encoded one by one.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use wasmtime::component::{
    Destination, DirectDestination, Source, StreamConsumer, StreamProducer, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut, StoreContextMut};
use weft_link::stream_table::{ReaderDropped, Receiver, Sender, bytes_chunk};
use weft_wire::{DecodeError, Decoder, Limits};

use super::chunk::{decode_chunk, elements_per_chunk, elements_per_read, encode_chunk};
use crate::links::codec::LinkValue;

/// Sends the elements that this store writes.
pub(super) struct Consumer<T> {
    sender: Sender,
    item: PhantomData<fn() -> T>,
}

/// Writes received elements to this store.
pub(super) struct Producer<T> {
    receiver: Receiver,
    /// A chunk received for a zero-length read, which only checks availability.
    buffered: Option<Vec<u8>>,
    /// Size of the chunk that was passed to the store last.
    delivered_bytes: usize,
    item: PhantomData<fn() -> T>,
}

/// Sends the bytes that this store writes.
pub(super) struct BytesConsumer {
    sender: Sender,
}

/// Writes received bytes to this store.
pub(super) struct BytesProducer {
    receiver: Receiver,
    /// Received bytes that the reader has not read.
    current: Option<ByteChunk>,
}

/// A partly read chunk of bytes.
struct ByteChunk {
    payload: Vec<u8>,
    read: usize,
}

// === impl Consumer ===

impl<T> Consumer<T> {
    pub(super) fn new(sender: Sender) -> Self {
        let item = PhantomData;
        Self { sender, item }
    }
}

impl<T: LinkValue, D: 'static> StreamConsumer<D> for Consumer<T> {
    type Item = T;

    fn poll_consume(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'_, D>,
        mut source: Source<'_, T>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if let Some(result) = ready!(poll_credit(&self.sender, context, finish)) {
            return Poll::Ready(Ok(result));
        }
        let (mut elements, mut bytes) = (Vec::<T>::new(), 0);
        while elements.len() < elements_per_chunk::<T>() && bytes < self.sender.chunk_bytes() {
            let count = source.remaining(&mut store).min(elements_per_read::<T>());
            if count == 0 {
                break;
            }
            elements.reserve_exact(count);
            source.read(&mut store, &mut elements)?;
            bytes += elements.last().map_or(0, T::long_bytes);
        }
        if !elements.is_empty() {
            self.sender.send(encode_chunk(&elements)?);
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

// === impl Producer ===

impl<T> Producer<T> {
    pub(super) fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            buffered: None,
            delivered_bytes: 0,
            item: PhantomData,
        }
    }

    /// The next chunk, or the result of the read without one.
    fn poll_chunk(
        &mut self,
        context: &Context<'_>,
        finish: bool,
    ) -> Poll<Result<Vec<u8>, StreamResult>> {
        match self.buffered.take() {
            Some(chunk) => Poll::Ready(Ok(chunk)),
            None => poll_next_chunk(&self.receiver, context, finish),
        }
    }
}

impl<T: LinkValue, D: 'static> StreamProducer<D> for Producer<T> {
    type Item = T;
    type Buffer = VecBuffer<T>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, T, VecBuffer<T>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        // The store polls again only after all was delivered.
        let delivered = std::mem::take(&mut self.delivered_bytes);
        if delivered > 0 {
            self.receiver.consumed(delivered);
        }
        loop {
            let chunk = match ready!(self.poll_chunk(context, finish)) {
                Ok(chunk) => chunk,
                Err(end) => return Poll::Ready(Ok(end)),
            };
            if destination.remaining(store.as_context_mut()) == Some(0) {
                self.buffered = Some(chunk);
                return Poll::Ready(Ok(StreamResult::Completed));
            }
            return match decode_chunk::<T>(&chunk) {
                // A completed read must deliver at least one element.
                Ok(elements) if elements.is_empty() => {
                    self.receiver.consumed(chunk.len());
                    continue;
                }
                Ok(elements) => {
                    self.delivered_bytes = chunk.len();
                    destination.set_buffer(elements.into());
                    Poll::Ready(Ok(StreamResult::Completed))
                }
                Err(error) => Poll::Ready(Ok(malformed(&error))),
            };
        }
    }
}

// === impl BytesConsumer ===

impl BytesConsumer {
    pub(super) fn new(sender: Sender) -> Self {
        Self { sender }
    }
}

impl<D: 'static> StreamConsumer<D> for BytesConsumer {
    type Item = u8;

    fn poll_consume(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if let Some(result) = ready!(poll_credit(&self.sender, context, finish)) {
            return Poll::Ready(Ok(result));
        }
        let mut source = source.as_direct(store);
        let written = source.remaining();
        let mut consumed = 0;
        while consumed < written.len() {
            let room = self.sender.credit().min(self.sender.chunk_bytes());
            if room == 0 {
                break;
            }
            let end = written.len().min(consumed + room);
            self.sender.send(bytes_chunk(&written[consumed..end])?);
            consumed = end;
        }
        source.mark_read(consumed);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

// === impl BytesProducer ===

impl BytesProducer {
    pub(super) fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            current: None,
        }
    }

    /// At least one unread byte, or the result of the read without one.
    fn poll_bytes(
        &mut self,
        context: &Context<'_>,
        finish: bool,
    ) -> Poll<Result<ByteChunk, StreamResult>> {
        loop {
            let bytes = match self.current.take() {
                Some(bytes) => Ok(bytes),
                None => ready!(poll_next_bytes(&self.receiver, context, finish)),
            };
            match bytes {
                Ok(bytes) if bytes.unread().is_empty() => {
                    self.receiver.consumed(bytes.payload.len());
                }
                bytes => return Poll::Ready(bytes),
            }
        }
    }

    /// Copies received bytes into the reader's buffer, and stores the rest.
    fn fill<D: 'static>(
        &mut self,
        mut bytes: ByteChunk,
        mut room: usize,
        mut destination: DirectDestination<'_, D>,
    ) {
        loop {
            let count = room.min(bytes.unread().len());
            destination.remaining()[..count].copy_from_slice(&bytes.unread()[..count]);
            destination.mark_written(count);
            bytes.read += count;
            room -= count;
            if !bytes.unread().is_empty() {
                self.current = Some(bytes);
                return;
            }
            self.receiver.consumed(bytes.payload.len());
            if room == 0 {
                return;
            }
            match self.receiver.chunk().map(ByteChunk::of) {
                Some(Ok(next)) => bytes = next,
                Some(Err(error)) => {
                    // The bytes copied so far are delivered before the end.
                    malformed(&error);
                    return self.receiver.refuse();
                }
                None => return,
            }
        }
    }
}

impl<D: 'static> StreamProducer<D> for BytesProducer {
    type Item = u8;
    type Buffer = VecBuffer<u8>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        destination: Destination<'a, u8, VecBuffer<u8>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let bytes = match ready!(self.poll_bytes(context, finish)) {
            Ok(bytes) => bytes,
            Err(end) => return Poll::Ready(Ok(end)),
        };
        match destination.remaining(store.as_context_mut()) {
            // A zero-length read only checks availability.
            Some(0) => self.current = Some(bytes),
            room => {
                // The host as reader has no buffer, and gets one chunk at a time.
                let room = room.unwrap_or(bytes.unread().len());
                self.fill(bytes, room, destination.as_direct(store, room));
            }
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

// === impl ByteChunk ===

impl ByteChunk {
    fn of(payload: Vec<u8>) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(&payload, Limits::LINK)?;
        let length = decoder.bytes()?.len();
        decoder.finish()?;
        let read = payload.len() - length;
        Ok(Self { payload, read })
    }

    fn unread(&self) -> &[u8] {
        &self.payload[self.read..]
    }
}

/// `None` once a chunk may be sent, or the result of the write without one.
fn poll_credit(sender: &Sender, context: &Context<'_>, finish: bool) -> Poll<Option<StreamResult>> {
    match sender.poll_credit(context) {
        Poll::Ready(Ok(())) => Poll::Ready(None),
        Poll::Ready(Err(ReaderDropped)) => Poll::Ready(Some(StreamResult::Dropped)),
        Poll::Pending if finish => Poll::Ready(Some(StreamResult::Cancelled)),
        Poll::Pending => Poll::Pending,
    }
}

/// The next chunk, or the result of the read without one.
fn poll_next_chunk(
    receiver: &Receiver,
    context: &Context<'_>,
    finish: bool,
) -> Poll<Result<Vec<u8>, StreamResult>> {
    match receiver.poll_chunk(context) {
        Poll::Ready(Ok(chunk)) => Poll::Ready(Ok(chunk)),
        // A stream cannot report that it is incomplete.
        Poll::Ready(Err(_)) => Poll::Ready(Err(StreamResult::Dropped)),
        Poll::Pending if finish => Poll::Ready(Err(StreamResult::Cancelled)),
        Poll::Pending => Poll::Pending,
    }
}

fn poll_next_bytes(
    receiver: &Receiver,
    context: &Context<'_>,
    finish: bool,
) -> Poll<Result<ByteChunk, StreamResult>> {
    let chunk = ready!(poll_next_chunk(receiver, context, finish));
    Poll::Ready(chunk.and_then(|chunk| ByteChunk::of(chunk).map_err(|error| malformed(&error))))
}

/// Ends a malformed stream.
fn malformed(error: &DecodeError) -> StreamResult {
    tracing::warn!(%error, "malformed chunk of a stream");
    StreamResult::Dropped
}
