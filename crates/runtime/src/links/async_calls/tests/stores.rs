//! Two stores, with streams and futures that the host reads and writes.

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime::component::{
    FutureConsumer, FutureReader, Source, StreamConsumer, StreamReader, StreamResult, Val,
};
use wasmtime::{AsContextMut, Config, Engine, Store, StoreContextMut};
use weft_link::stream_table::{BYTES_PER_CHUNK, CallSide, Event, Kind, ReaderDropped};
use weft_wire::{Scalar, SimpleType};

use super::super::caller_codec;
use super::super::chunk::decode_chunk;
use super::super::stream_transfer::{SentFutures, StoreTransfer};
use super::{CHANNELS, Channel, pair};
use crate::links::codec::{FunctionShape, FutureValue, LinkValue, Shape, StreamTransfer, decode};

/// Timeout of operations that complete at once.
const PATIENCE: Duration = Duration::from_secs(30);

fn store() -> Store<()> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    Store::new(&Engine::new(&config).unwrap(), ())
}

/// A function with one parameter.
fn function(parameter: Shape) -> FunctionShape {
    FunctionShape {
        params: Box::new([parameter]),
        results: Box::new([]),
    }
}

/// Transfers a value from the importer's store to the exporter's.
fn transfer(
    (source, importer): (&mut Store<()>, &Arc<CallSide>),
    (destination, exporter): (&mut Store<()>, &Arc<CallSide>),
    shape: Shape,
    value: Val,
) -> Val {
    let function = function(shape);
    let request =
        caller_codec::request(source.as_context_mut(), importer, &function, &[value]).unwrap();
    let mut ends = StoreTransfer {
        store: destination.as_context_mut(),
        side: exporter,
        sent: &mut SentFutures::default(),
    };
    let mut values = decode(&request, &function.params, &mut ends).unwrap();
    values.remove(0)
}

/// Runs a store until all streams of a side are closed.
async fn run_until_closed(store: &mut Store<()>, side: &CallSide) {
    let closed = async |_: &_| {
        let event = poll_fn(|context| side.poll_event(context)).await;
        assert_eq!(event, Event::Closed);
    };
    timeout(PATIENCE, store.run_concurrent(closed))
        .await
        .unwrap()
        .unwrap();
}

/// Runs a store until the channel receives a value.
async fn run_until<R>(store: &mut Store<()>, received: oneshot::Receiver<R>) -> R {
    let received = async |_: &_| received.await.unwrap();
    timeout(PATIENCE, store.run_concurrent(received))
        .await
        .unwrap()
        .unwrap()
}

/// Collects the elements of a stream, and signals its end.
struct Collector<T> {
    elements: Arc<Mutex<Vec<T>>>,
    /// Number of elements after which the stream is dropped.
    count_max: usize,
    /// Closed when the collector is dropped.
    _dropped: oneshot::Sender<()>,
}

impl<T: LinkValue> StreamConsumer<()> for Collector<T> {
    type Item = T;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'_, ()>,
        mut source: Source<'_, T>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut elements = Vec::with_capacity(source.remaining(store.as_context_mut()));
        source.read(store, &mut elements)?;
        let mut collected = self.elements.lock().unwrap();
        collected.append(&mut elements);
        Poll::Ready(Ok(if collected.len() < self.count_max {
            StreamResult::Completed
        } else {
            StreamResult::Dropped
        }))
    }
}

/// Collects the elements of a stream.
fn collect<T: LinkValue>(
    store: &mut Store<()>,
    stream: Val,
    count_max: usize,
) -> (Arc<Mutex<Vec<T>>>, oneshot::Receiver<()>) {
    let Val::Stream(stream) = stream else {
        panic!("expected a stream");
    };
    let elements = Arc::new(Mutex::default());
    let (dropped, is_dropped) = oneshot::channel();
    let collector = Collector {
        elements: elements.clone(),
        count_max,
        _dropped: dropped,
    };
    let reader = stream.try_into_stream_reader::<T>().unwrap();
    reader.pipe(store, collector).unwrap();
    (elements, is_dropped)
}

/// Runs a store until the sender is dropped.
async fn run_until_dropped(store: &mut Store<()>, dropped: oneshot::Receiver<()>) {
    let dropped = async |_: &_| drop(dropped.await);
    timeout(PATIENCE, store.run_concurrent(dropped))
        .await
        .unwrap()
        .unwrap();
}

async fn streams<T: LinkValue + Unpin + Clone + PartialEq + Debug>(
    element: impl Into<SimpleType> + Copy + Debug,
    elements: Vec<T>,
) {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (mut source, mut destination) = (store(), store());
        let reader = StreamReader::new(&mut source, elements.clone()).unwrap();
        let stream = Val::Stream(reader.try_into_stream_any(&mut source).unwrap());
        let (from, to) = ((&mut source, &importer), (&mut destination, &exporter));
        let stream = transfer(from, to, Shape::Stream(element.into()), stream);
        let (collected, dropped) = collect::<T>(&mut destination, stream, usize::MAX);
        tokio::join!(
            run_until_closed(&mut source, &importer),
            run_until_dropped(&mut destination, dropped)
        );
        assert_eq!(
            *collected.lock().unwrap(),
            elements,
            "{element:?}, {channel:?}"
        );
        assert!(!exporter.is_open());
    }
}

#[tokio::test]
async fn streams_of_every_element_type_arrive_unchanged() {
    // More than one chunk of each.
    let numbers = 0..100_000_u32;
    streams::<bool>(Scalar::Bool, numbers.clone().map(|n| n % 3 == 0).collect()).await;
    streams::<u8>(Scalar::U8, (0..1 << 20).map(|n: u32| n as u8).collect()).await;
    streams::<i8>(Scalar::S8, numbers.clone().map(|n| n as i8).collect()).await;
    streams::<u16>(Scalar::U16, numbers.clone().map(|n| n as u16).collect()).await;
    streams::<i16>(Scalar::S16, numbers.clone().map(|n| n as i16).collect()).await;
    streams::<u32>(Scalar::U32, numbers.clone().collect()).await;
    streams::<i32>(Scalar::S32, numbers.clone().map(|n| -(n as i32)).collect()).await;
    streams::<u64>(
        Scalar::U64,
        numbers.clone().map(|n| u64::from(n) << 32).collect(),
    )
    .await;
    streams::<i64>(
        Scalar::S64,
        numbers.clone().map(|n| i64::from(n) << 40).collect(),
    )
    .await;
    streams::<f32>(Scalar::F32, numbers.clone().map(|n| n as f32).collect()).await;
    streams::<f64>(Scalar::F64, numbers.clone().map(f64::from).collect()).await;
    streams::<char>(
        Scalar::Char,
        numbers.clone().filter_map(char::from_u32).collect(),
    )
    .await;
    let texts = numbers.step_by(100).map(|n| "ä".repeat(n as usize % 999));
    streams::<String>(SimpleType::String, texts.clone().collect()).await;
    streams::<Vec<u8>>(SimpleType::Bytes, texts.map(String::into_bytes).collect()).await;
}

#[tokio::test]
async fn one_element_may_be_longer_than_the_window() {
    let long = vec!["x".repeat(3 << 20), String::new(), "y".repeat(1 << 20)];
    streams::<String>(SimpleType::String, long).await;
}

#[tokio::test]
async fn a_chunk_of_long_elements_ends_with_the_one_that_fills_it() {
    const LENGTH: usize = 40 << 10;
    let (importer, exporter) = pair(Channel::Framed);
    let mut source = store();
    let reader = StreamReader::new(&mut source, vec!["x".repeat(LENGTH); 33]).unwrap();
    let stream = Val::Stream(reader.try_into_stream_any(&mut source).unwrap());
    let function = function(Shape::Stream(SimpleType::String));
    caller_codec::request(source.as_context_mut(), &importer, &function, &[stream]).unwrap();
    let receiver = exporter.take(0).unwrap();
    let read = async {
        let mut count = 0;
        while let Ok(chunk) = poll_fn(|context| receiver.poll_chunk(context)).await {
            assert!(
                chunk.len() < BYTES_PER_CHUNK + LENGTH,
                "{} bytes",
                chunk.len()
            );
            count += decode_chunk::<String>(&chunk).unwrap().len();
            receiver.consumed(chunk.len());
        }
        count
    };
    let ((), count) = tokio::join!(run_until_closed(&mut source, &importer), read);
    assert_eq!(count, 33);
}

#[tokio::test]
async fn a_stream_without_elements_ends() {
    streams::<u8>(Scalar::U8, Vec::new()).await;
    streams::<String>(SimpleType::String, Vec::new()).await;
}

#[tokio::test]
async fn empty_chunks_are_skipped() {
    for (element, chunks) in [
        (
            Scalar::U8.into(),
            [vec![0], vec![1, 7], vec![0], vec![2, 8, 9]],
        ),
        (
            Scalar::Bool.into(),
            [vec![0], vec![1, 1], vec![0], vec![2, 0, 1]],
        ),
    ] {
        let (importer, exporter) = pair(Channel::Framed);
        let mut destination = store();
        let (number, sender) = importer.give(Kind::Stream);
        let mut ends = StoreTransfer {
            store: destination.as_context_mut(),
            side: &exporter,
            sent: &mut SentFutures::default(),
        };
        let stream = Val::Stream(ends.take_stream(number, element).unwrap());
        let send = async {
            for chunk in chunks {
                poll_fn(|context| sender.poll_credit(context))
                    .await
                    .unwrap();
                sender.send(chunk);
            }
            drop(sender);
        };
        if element == Scalar::U8.into() {
            let (collected, dropped) = collect::<u8>(&mut destination, stream, usize::MAX);
            tokio::join!(send, run_until_dropped(&mut destination, dropped));
            assert_eq!(*collected.lock().unwrap(), [7, 8, 9]);
        } else {
            let (collected, dropped) = collect::<bool>(&mut destination, stream, usize::MAX);
            tokio::join!(send, run_until_dropped(&mut destination, dropped));
            assert_eq!(*collected.lock().unwrap(), [true, false, true]);
        }
    }
}

#[tokio::test]
async fn a_chunk_that_cannot_be_decoded_ends_its_stream() {
    for payload in [vec![9], vec![1, 7, 7], vec![0xff; 9]] {
        let (importer, exporter) = pair(Channel::Direct);
        let mut destination = store();
        let (number, sender) = importer.give(Kind::Stream);
        let mut ends = StoreTransfer {
            store: destination.as_context_mut(),
            side: &exporter,
            sent: &mut SentFutures::default(),
        };
        let stream = Val::Stream(ends.take_stream(number, Scalar::U8.into()).unwrap());
        let (collected, dropped) = collect::<u8>(&mut destination, stream, usize::MAX);
        let send = async {
            for chunk in [vec![2, 1, 2], payload, vec![1, 3]] {
                if poll_fn(|context| sender.poll_credit(context)).await.is_ok() {
                    sender.send(chunk);
                }
            }
        };
        tokio::join!(send, run_until_dropped(&mut destination, dropped));
        assert_eq!(*collected.lock().unwrap(), [1, 2]);
        let credit = poll_fn(|context| sender.poll_credit(context));
        assert_eq!(timeout(PATIENCE, credit).await.unwrap(), Err(ReaderDropped));
    }
}

#[tokio::test]
async fn a_dropped_reader_ends_the_stream_in_the_writers_store() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (mut source, mut destination) = (store(), store());
        let endless = vec![1_u32; 10_000_000];
        let reader = StreamReader::new(&mut source, endless).unwrap();
        let stream = Val::Stream(reader.try_into_stream_any(&mut source).unwrap());
        let (from, to) = ((&mut source, &importer), (&mut destination, &exporter));
        let stream = transfer(from, to, Shape::Stream(Scalar::U32.into()), stream);
        let (collected, dropped) = collect::<u32>(&mut destination, stream, 10);
        tokio::join!(
            run_until_closed(&mut source, &importer),
            run_until_dropped(&mut destination, dropped)
        );
        assert!(collected.lock().unwrap().len() < 1_000_000, "{channel:?}");
    }
}

#[tokio::test]
async fn the_end_of_a_store_leaves_its_streams_incomplete() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (mut source, mut destination) = (store(), store());
        let reader = StreamReader::new(&mut source, vec![1_u32; 10_000_000]).unwrap();
        let stream = Val::Stream(reader.try_into_stream_any(&mut source).unwrap());
        let (from, to) = ((&mut source, &importer), (&mut destination, &exporter));
        let stream = transfer(from, to, Shape::Stream(Scalar::U32.into()), stream);
        let (_, dropped) = collect::<u32>(&mut destination, stream, usize::MAX);
        assert!(
            exporter
                .poll_abandoned(&Context::from_waker(std::task::Waker::noop()))
                .is_pending()
        );
        drop(source);
        run_until_dropped(&mut destination, dropped).await;
        // Without the failure, the end of the stream would count as completion.
        let abandoned = poll_fn(|context| exporter.poll_abandoned(context));
        timeout(PATIENCE, abandoned).await.unwrap();
    }
}

/// Sends the value of a future to a channel.
struct ValueReceiver<T>(Option<oneshot::Sender<T>>);

impl<T: LinkValue + Unpin> FutureConsumer<()> for ValueReceiver<T> {
    type Item = T;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, ()>,
        mut source: Source<'_, T>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut value = None;
        source.read(store, &mut value)?;
        if let (Some(sender), Some(value)) = (self.0.take(), value) {
            let _ = sender.send(value);
        }
        Poll::Ready(Ok(()))
    }
}

fn receive_value<T: LinkValue + Unpin>(store: &mut Store<()>, future: Val) -> oneshot::Receiver<T> {
    let Val::Future(future) = future else {
        panic!("expected a future");
    };
    let (sender, value) = oneshot::channel();
    let reader = future.try_into_future_reader::<T>().unwrap();
    reader.pipe(store, ValueReceiver(Some(sender))).unwrap();
    value
}

async fn futures<T: LinkValue + Unpin + Clone + PartialEq + Debug>(of: FutureValue, value: T) {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (mut source, mut destination) = (store(), store());
        let ready = std::future::ready(Ok::<_, wasmtime::Error>(value.clone()));
        let reader = FutureReader::new(&mut source, ready).unwrap();
        let future = Val::Future(reader.try_into_future_any(&mut source).unwrap());
        let (from, to) = ((&mut source, &importer), (&mut destination, &exporter));
        let future = transfer(from, to, Shape::Future(of), future);
        let received = receive_value::<T>(&mut destination, future);
        let source = run_until_closed(&mut source, &importer);
        let ((), found) = tokio::join!(source, run_until(&mut destination, received));
        assert_eq!(found, value, "{of:?}, {channel:?}");
    }
}

#[tokio::test]
async fn futures_of_every_type_have_their_value() {
    let plain = |ty: Scalar| FutureValue::Plain(ty.into());
    futures(plain(Scalar::Bool), true).await;
    futures(plain(Scalar::U64), u64::MAX).await;
    futures(plain(Scalar::Char), 'ß').await;
    futures(FutureValue::Plain(SimpleType::String), "x".repeat(1 << 20)).await;
    futures(FutureValue::Plain(SimpleType::Bytes), vec![7_u8; 1 << 20]).await;
    for value in [Ok(()), Err("so".to_owned())] {
        futures(FutureValue::Fallible(None), value).await;
    }
    for value in [Ok("value".to_owned()), Err("so".to_owned())] {
        futures(FutureValue::Fallible(Some(SimpleType::String)), value).await;
    }
}

/// A future in a store that ends before the value is written.
fn broken_future<T: LinkValue>(
    of: FutureValue,
    destination: &mut Store<()>,
) -> (Val, [Arc<CallSide>; 2]) {
    let (importer, exporter) = pair(CHANNELS[0]);
    let mut source = store();
    let never = std::future::pending::<wasmtime::Result<T>>();
    let reader = FutureReader::new(&mut source, never).unwrap();
    let future = Val::Future(reader.try_into_future_any(&mut source).unwrap());
    let (from, to) = ((&mut source, &importer), (destination, &exporter));
    (
        transfer(from, to, Shape::Future(of), future),
        [importer, exporter],
    )
}

#[tokio::test]
async fn a_fallible_future_reports_that_its_writer_ended() {
    let mut destination = store();
    let of = FutureValue::Fallible(None);
    let (future, _sides) = broken_future::<Result<(), String>>(of, &mut destination);
    let received = receive_value::<Result<(), String>>(&mut destination, future);
    let error = run_until(&mut destination, received).await.unwrap_err();
    assert!(error.contains("ended without a value"), "{error}");
}

#[tokio::test]
async fn the_reader_of_an_infallible_future_traps_when_its_writer_ended() {
    let mut destination = store();
    let of = FutureValue::Plain(Scalar::U32.into());
    let (future, _sides) = broken_future::<u32>(of, &mut destination);
    let received = receive_value::<u32>(&mut destination, future);
    let ran = destination.run_concurrent(async |_| received.await);
    let error = timeout(PATIENCE, ran).await.unwrap().unwrap_err();
    assert!(
        error.to_string().contains("ended without a value"),
        "{error}"
    );
}
