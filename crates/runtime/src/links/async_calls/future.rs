//! Futures between a store and the other side of a call.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use wasmtime::StoreContextMut;
use wasmtime::component::{FutureConsumer, FutureProducer, Source};
use weft_link::stream_table::{Receiver, Sender};

use super::chunk::{decode_chunk, encode_chunk};
use crate::links::codec::LinkValue;

/// The failure of a future whose writer ended without a value; a trap of the reader if the type
/// cannot carry one.
const BROKEN: &str =
    "the writer of the future ended without a value: it trapped or exceeded its deadline";

/// Sends the value that this store writes.
pub(super) struct Consumer<T> {
    sender: Sender,
    item: PhantomData<fn() -> T>,
}

/// Writes the received value to this store.
pub(super) struct Producer<T> {
    receiver: Receiver,
    item: PhantomData<fn() -> T>,
}

impl<T> Consumer<T> {
    pub(super) fn new(sender: Sender) -> Self {
        let item = PhantomData;
        Self { sender, item }
    }
}

impl<T: LinkValue, D: 'static> FutureConsumer<D> for Consumer<T> {
    type Item = T;

    fn poll_consume(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        mut source: Source<'_, T>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut value = None;
        source.read(store, &mut value)?;
        if let Some(value) = value {
            self.sender.send_only(encode_chunk(&[value])?);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> Producer<T> {
    pub(super) fn new(receiver: Receiver) -> Self {
        let item = PhantomData;
        Self { receiver, item }
    }
}

impl<T: LinkValue, D: 'static> FutureProducer<D> for Producer<T> {
    type Item = T;

    fn poll_produce(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        _store: StoreContextMut<'_, D>,
        finish: bool,
    ) -> Poll<wasmtime::Result<Option<T>>> {
        let reason = match self.receiver.poll_chunk(context) {
            Poll::Ready(Ok(chunk)) => match decode_chunk::<T>(&chunk) {
                Ok(mut values) if values.len() == 1 => return Poll::Ready(Ok(values.pop())),
                Ok(values) => format!("expected one value of the future, found {}", values.len()),
                Err(error) => format!("cannot decode the value of the future: {error}"),
            },
            Poll::Ready(Err(_)) => BROKEN.to_owned(),
            Poll::Pending if finish => return Poll::Ready(Ok(None)),
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(match T::failure(&reason) {
            Some(failure) => Ok(Some(failure)),
            None => Err(wasmtime::Error::msg(reason)),
        })
    }
}
