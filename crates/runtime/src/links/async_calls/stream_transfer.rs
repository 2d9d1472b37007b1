//! Streams and futures as parameters and results: each stays in the store that made it, and the
//! other side receives its number.

use std::sync::Arc;

use wasmtime::component::{Accessor, FutureAny, FutureReader, StreamAny, StreamReader};
use wasmtime::{AsContextMut, StoreContextMut};
use weft_link::stream_table::{CallSide, Event, Kind, Receiver, Sender};
use weft_wire::{Scalar, SimpleType, for_each_scalar};

use super::{future, stream};
use crate::links::codec::{CodecError, FutureValue, LinkValue, StreamTransfer};

/// Transfers the streams and futures of one store's side of a call.
pub(super) struct StoreTransfer<'a, D: 'static> {
    pub(super) store: StoreContextMut<'a, D>,
    pub(super) side: &'a Arc<CallSide>,
    pub(super) sent: &'a mut SentFutures,
}

/// Futures that were sent, to be closed if the other side drops them unread.
#[derive(Default)]
pub(super) struct SentFutures(Vec<(u32, FutureAny)>);

/// Evaluates an expression with the Rust type of a simple type.
macro_rules! with_simple {
    ($simple:expr, $ty:ident => $body:expr) => {
        match $simple {
            SimpleType::Scalar(scalar) => for_each_scalar!(with_scalar scalar, $ty => $body;),
            SimpleType::String => { type $ty = String; $body }
            SimpleType::Bytes => { type $ty = Vec<u8>; $body }
        }
    };
}

macro_rules! with_scalar {
    ($scalar:expr, $alias:ident => $body:expr; $($case:ident: $ty:ty, $name:ident;)*) => {
        match $scalar {
            $(Scalar::$case => { type $alias = $ty; $body })*
        }
    };
}

macro_rules! with_value {
    ($value:expr, $ty:ident => $body:expr) => {
        match $value {
            FutureValue::Plain(element) => with_simple!(element, $ty => $body),
            FutureValue::Fallible(None) => { type $ty = Result<(), String>; $body }
            FutureValue::Fallible(Some(element)) => {
                with_simple!(element, Ok => { type $ty = Result<Ok, String>; $body })
            }
        }
    };
}

impl<D: 'static> StreamTransfer for StoreTransfer<'_, D> {
    fn give_stream(&mut self, stream: &StreamAny, element: SimpleType) -> Result<u32, CodecError> {
        let (number, sender) = self.side.give(Kind::Stream);
        let (store, stream) = (self.store.as_context_mut(), stream.clone());
        let piped = match element {
            SimpleType::Scalar(Scalar::U8) => send_bytes(store, stream, sender),
            other => with_simple!(other, T => send_stream::<T, D>(store, stream, sender)),
        };
        piped.map_err(CodecError::store)?;
        Ok(number)
    }

    fn give_future(&mut self, future: &FutureAny, value: FutureValue) -> Result<u32, CodecError> {
        let (number, sender) = self.side.give(Kind::Future);
        let store = self.store.as_context_mut();
        let is_guests = with_value!(value, T => send_future::<T, D>(store, future.clone(), sender));
        if is_guests.map_err(CodecError::store)? {
            self.sent.0.push((number, future.clone()));
        }
        Ok(number)
    }

    fn take_stream(&mut self, number: u32, element: SimpleType) -> Result<StreamAny, CodecError> {
        let receiver = self.receiver(number)?;
        let store = self.store.as_context_mut();
        let stream = match element {
            SimpleType::Scalar(Scalar::U8) => receive_bytes(store, receiver),
            other => with_simple!(other, T => receive_stream::<T, D>(store, receiver)),
        };
        stream.map_err(CodecError::store)
    }

    fn take_future(&mut self, number: u32, value: FutureValue) -> Result<FutureAny, CodecError> {
        let receiver = self.receiver(number)?;
        let store = self.store.as_context_mut();
        let future = with_value!(value, T => receive_future::<T, D>(store, receiver));
        future.map_err(CodecError::store)
    }
}

impl<D: 'static> StoreTransfer<'_, D> {
    fn receiver(&self, number: u32) -> Result<Receiver, CodecError> {
        let receiver = self.side.take(number);
        receiver.ok_or(CodecError::Transfer(
            "expected the number of a transferred stream, found another number",
        ))
    }
}

/// Closes futures that the other side dropped unread, in the store that writes them, until all
/// streams and futures of the call are closed.
pub(super) async fn attend<D: Send + 'static>(
    accessor: &Accessor<D>,
    side: &CallSide,
    mut sent: SentFutures,
) -> wasmtime::Result<()> {
    loop {
        let event = std::future::poll_fn(|context| side.poll_event(context)).await;
        let number = match event {
            Event::Closed => return Ok(()),
            Event::Unwanted(number) => number,
        };
        let futures = sent.0.iter_mut();
        if let Some((_, future)) = futures.into_iter().find(|(sent, _)| *sent == number) {
            // The future has no value yet, so the store still owns it.
            accessor.with(|store| future.close(store))?;
        }
    }
}

fn send_bytes<D: 'static>(
    store: StoreContextMut<'_, D>,
    stream: StreamAny,
    sender: Sender,
) -> wasmtime::Result<()> {
    let reader = stream.try_into_stream_reader::<u8>()?;
    reader.pipe(store, stream::BytesConsumer::new(sender))
}

fn send_stream<T: LinkValue, D: 'static>(
    store: StoreContextMut<'_, D>,
    stream: StreamAny,
    sender: Sender,
) -> wasmtime::Result<()> {
    let reader = stream.try_into_stream_reader::<T>()?;
    reader.pipe(store, stream::Consumer::<T>::new(sender))
}

/// Returns whether a guest writes the future. A future that the host writes cannot be closed once
/// it is piped: the runtime would look it up when its value arrives.
fn send_future<T: LinkValue, D: 'static>(
    mut store: StoreContextMut<'_, D>,
    future: FutureAny,
    sender: Sender,
) -> wasmtime::Result<bool> {
    let lifted = future.clone();
    let reader = future.try_into_future_reader::<T>()?;
    // Converted back, a future gets the type of its origin: a guest's future equals `lifted`, the
    // host's does not.
    let future = reader.try_into_future_any(&mut store)?;
    let is_guests = future == lifted;
    let reader = future.try_into_future_reader::<T>()?;
    reader.pipe(store, future::Consumer::<T>::new(sender))?;
    Ok(is_guests)
}

fn receive_bytes<D: 'static>(
    mut store: StoreContextMut<'_, D>,
    receiver: Receiver,
) -> wasmtime::Result<StreamAny> {
    let reader = StreamReader::new(&mut store, stream::BytesProducer::new(receiver))?;
    reader.try_into_stream_any(store)
}

fn receive_stream<T: LinkValue, D: 'static>(
    mut store: StoreContextMut<'_, D>,
    receiver: Receiver,
) -> wasmtime::Result<StreamAny> {
    let reader = StreamReader::new(&mut store, stream::Producer::<T>::new(receiver))?;
    reader.try_into_stream_any(store)
}

fn receive_future<T: LinkValue, D: 'static>(
    mut store: StoreContextMut<'_, D>,
    receiver: Receiver,
) -> wasmtime::Result<FutureAny> {
    let reader = FutureReader::new(&mut store, future::Producer::<T>::new(receiver))?;
    reader.try_into_future_any(store)
}
