//! Two stores, whose streams and futures the host writes and reads itself.

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

use super::super::caller_codec;
use super::super::element::Carried;
use super::super::stream_transfer::{Ends, Given};
use super::{WAYS, Way, pair};
use crate::links::codec::{Element, FunctionShape, FutureValue, Handover, Shape, decode};
use weft_link::stream_table::{Event, Gone, Kind, Side};

/// How long something that happens at once may take.
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

/// Hands a value over, from the importer's store to the exporter's.
fn hand_over(
    (near, importer): (&mut Store<()>, &Arc<Side>),
    (far, exporter): (&mut Store<()>, &Arc<Side>),
    shape: Shape,
    value: Val,
) -> Val {
    let function = function(shape);
    let request =
        caller_codec::request(near.as_context_mut(), importer, &function, &[value]).unwrap();
    let mut ends = Ends {
        store: far.as_context_mut(),
        side: exporter,
        given: &mut Given::default(),
    };
    let mut values = decode(&request, &function.params, &mut ends).unwrap();
    values.remove(0)
}

/// Runs a store until a side of a call has nothing open.
async fn run_until_closed(store: &mut Store<()>, side: &Side) {
    let closed = async |_: &_| {
        let event = poll_fn(|context| side.poll_event(context)).await;
        assert_eq!(event, Event::Closed);
    };
    timeout(PATIENCE, store.run_concurrent(closed))
        .await
        .unwrap()
        .unwrap();
}

/// Runs a store until something is received.
async fn run_until<R>(store: &mut Store<()>, received: oneshot::Receiver<R>) -> R {
    let received = async |_: &_| received.await.unwrap();
    timeout(PATIENCE, store.run_concurrent(received))
        .await
        .unwrap()
        .unwrap()
}

/// Collects a stream, and says when it is over.
struct Collector<T> {
    elements: Arc<Mutex<Vec<T>>>,
    /// Leaves when it has so many.
    wanted: usize,
    /// Dropped with it.
    _over: oneshot::Sender<()>,
}

impl<T: Carried> StreamConsumer<()> for Collector<T> {
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
        Poll::Ready(Ok(if collected.len() < self.wanted {
            StreamResult::Completed
        } else {
            StreamResult::Dropped
        }))
    }
}

/// Collects what comes out of a stream.
fn collect<T: Carried>(
    store: &mut Store<()>,
    stream: Val,
    wanted: usize,
) -> (Arc<Mutex<Vec<T>>>, oneshot::Receiver<()>) {
    let Val::Stream(stream) = stream else {
        panic!("a stream is handed over as one");
    };
    let elements = Arc::new(Mutex::default());
    let (over, is_over) = oneshot::channel();
    let collector = Collector {
        elements: elements.clone(),
        wanted,
        _over: over,
    };
    let reader = stream.try_into_stream_reader::<T>().unwrap();
    reader.pipe(store, collector).unwrap();
    (elements, is_over)
}

/// Runs a store until what is sent by being dropped is.
async fn run_until_over(store: &mut Store<()>, over: oneshot::Receiver<()>) {
    let over = async |_: &_| drop(over.await);
    timeout(PATIENCE, store.run_concurrent(over))
        .await
        .unwrap()
        .unwrap();
}

async fn streams<T: Carried + Unpin + Clone + PartialEq + Debug>(
    element: Element,
    elements: Vec<T>,
) {
    for way in WAYS {
        let (importer, exporter) = pair(way);
        let (mut near, mut far) = (store(), store());
        let reader = StreamReader::new(&mut near, elements.clone()).unwrap();
        let stream = Val::Stream(reader.try_into_stream_any(&mut near).unwrap());
        let (from, to) = ((&mut near, &importer), (&mut far, &exporter));
        let stream = hand_over(from, to, Shape::Stream(element), stream);
        let (collected, over) = collect::<T>(&mut far, stream, usize::MAX);
        tokio::join!(
            run_until_closed(&mut near, &importer),
            run_until_over(&mut far, over)
        );
        assert_eq!(*collected.lock().unwrap(), elements, "{element:?}, {way:?}");
        assert!(!exporter.is_open());
    }
}

#[tokio::test]
async fn streams_of_every_element_come_out_as_they_went_in() {
    // More than one chunk of each.
    let numbers = 0..100_000_u32;
    streams::<bool>(Element::Bool, numbers.clone().map(|n| n % 3 == 0).collect()).await;
    streams::<u8>(Element::U8, (0..1 << 20).map(|n: u32| n as u8).collect()).await;
    streams::<i8>(Element::S8, numbers.clone().map(|n| n as i8).collect()).await;
    streams::<u16>(Element::U16, numbers.clone().map(|n| n as u16).collect()).await;
    streams::<i16>(Element::S16, numbers.clone().map(|n| n as i16).collect()).await;
    streams::<u32>(Element::U32, numbers.clone().collect()).await;
    streams::<i32>(Element::S32, numbers.clone().map(|n| -(n as i32)).collect()).await;
    streams::<u64>(
        Element::U64,
        numbers.clone().map(|n| u64::from(n) << 32).collect(),
    )
    .await;
    streams::<i64>(
        Element::S64,
        numbers.clone().map(|n| i64::from(n) << 40).collect(),
    )
    .await;
    streams::<f32>(Element::F32, numbers.clone().map(|n| n as f32).collect()).await;
    streams::<f64>(Element::F64, numbers.clone().map(f64::from).collect()).await;
    streams::<char>(
        Element::Char,
        numbers.clone().filter_map(char::from_u32).collect(),
    )
    .await;
    let texts = numbers.step_by(100).map(|n| "ä".repeat(n as usize % 999));
    streams::<String>(Element::String, texts.clone().collect()).await;
    streams::<Vec<u8>>(Element::Bytes, texts.map(String::into_bytes).collect()).await;
}

#[tokio::test]
async fn one_element_may_be_longer_than_the_window() {
    let long = vec!["x".repeat(3 << 20), String::new(), "y".repeat(1 << 20)];
    streams::<String>(Element::String, long).await;
}

#[tokio::test]
async fn a_stream_without_elements_ends() {
    streams::<u8>(Element::U8, Vec::new()).await;
    streams::<String>(Element::String, Vec::new()).await;
}

#[tokio::test]
async fn chunks_without_elements_are_passed_over() {
    for (element, chunks) in [
        (Element::U8, [vec![0], vec![1, 7], vec![0], vec![2, 8, 9]]),
        (Element::Bool, [vec![0], vec![1, 1], vec![0], vec![2, 0, 1]]),
    ] {
        let (importer, exporter) = pair(Way::Framed);
        let mut far = store();
        let (number, sender) = importer.give(Kind::Stream);
        let mut ends = Ends {
            store: far.as_context_mut(),
            side: &exporter,
            given: &mut Given::default(),
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
        if element == Element::U8 {
            let (collected, over) = collect::<u8>(&mut far, stream, usize::MAX);
            tokio::join!(send, run_until_over(&mut far, over));
            assert_eq!(*collected.lock().unwrap(), [7, 8, 9]);
        } else {
            let (collected, over) = collect::<bool>(&mut far, stream, usize::MAX);
            tokio::join!(send, run_until_over(&mut far, over));
            assert_eq!(*collected.lock().unwrap(), [true, false, true]);
        }
    }
}

#[tokio::test]
async fn a_chunk_that_cannot_be_decoded_ends_its_stream() {
    for payload in [vec![9], vec![1, 7, 7], vec![0xff; 9]] {
        let (importer, exporter) = pair(Way::Direct);
        let mut far = store();
        let (number, sender) = importer.give(Kind::Stream);
        let mut ends = Ends {
            store: far.as_context_mut(),
            side: &exporter,
            given: &mut Given::default(),
        };
        let stream = Val::Stream(ends.take_stream(number, Element::U8).unwrap());
        let (collected, over) = collect::<u8>(&mut far, stream, usize::MAX);
        let send = async {
            for chunk in [vec![2, 1, 2], payload, vec![1, 3]] {
                if poll_fn(|context| sender.poll_credit(context)).await.is_ok() {
                    sender.send(chunk);
                }
            }
        };
        tokio::join!(send, run_until_over(&mut far, over));
        assert_eq!(*collected.lock().unwrap(), [1, 2]);
        let gone = poll_fn(|context| sender.poll_credit(context));
        assert_eq!(timeout(PATIENCE, gone).await.unwrap(), Err(Gone));
    }
}

#[tokio::test]
async fn a_reader_that_leaves_ends_the_stream_in_the_writers_store() {
    for way in WAYS {
        let (importer, exporter) = pair(way);
        let (mut near, mut far) = (store(), store());
        let endless = vec![1_u32; 10_000_000];
        let reader = StreamReader::new(&mut near, endless).unwrap();
        let stream = Val::Stream(reader.try_into_stream_any(&mut near).unwrap());
        let (from, to) = ((&mut near, &importer), (&mut far, &exporter));
        let stream = hand_over(from, to, Shape::Stream(Element::U32), stream);
        let (collected, over) = collect::<u32>(&mut far, stream, 10);
        tokio::join!(
            run_until_closed(&mut near, &importer),
            run_until_over(&mut far, over)
        );
        assert!(collected.lock().unwrap().len() < 1_000_000, "{way:?}");
    }
}

#[tokio::test]
async fn a_store_that_ends_leaves_its_streams_incomplete() {
    for way in WAYS {
        let (importer, exporter) = pair(way);
        let (mut near, mut far) = (store(), store());
        let reader = StreamReader::new(&mut near, vec![1_u32; 10_000_000]).unwrap();
        let stream = Val::Stream(reader.try_into_stream_any(&mut near).unwrap());
        let (from, to) = ((&mut near, &importer), (&mut far, &exporter));
        let stream = hand_over(from, to, Shape::Stream(Element::U32), stream);
        let (_, over) = collect::<u32>(&mut far, stream, usize::MAX);
        assert!(
            exporter
                .poll_abandoned(&Context::from_waker(std::task::Waker::noop()))
                .is_pending()
        );
        drop(near);
        run_until_over(&mut far, over).await;
        // Its end alone would be taken for that of all.
        let abandoned = poll_fn(|context| exporter.poll_abandoned(context));
        timeout(PATIENCE, abandoned).await.unwrap();
    }
}

/// Gives away the value of a future.
struct Taker<T>(Option<oneshot::Sender<T>>);

impl<T: Carried + Unpin> FutureConsumer<()> for Taker<T> {
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

fn take_value<T: Carried + Unpin>(store: &mut Store<()>, future: Val) -> oneshot::Receiver<T> {
    let Val::Future(future) = future else {
        panic!("a future is handed over as one");
    };
    let (sender, value) = oneshot::channel();
    let reader = future.try_into_future_reader::<T>().unwrap();
    reader.pipe(store, Taker(Some(sender))).unwrap();
    value
}

async fn futures<T: Carried + Unpin + Clone + PartialEq + Debug>(of: FutureValue, value: T) {
    for way in WAYS {
        let (importer, exporter) = pair(way);
        let (mut near, mut far) = (store(), store());
        let ready = std::future::ready(Ok::<_, wasmtime::Error>(value.clone()));
        let reader = FutureReader::new(&mut near, ready).unwrap();
        let future = Val::Future(reader.try_into_future_any(&mut near).unwrap());
        let (from, to) = ((&mut near, &importer), (&mut far, &exporter));
        let future = hand_over(from, to, Shape::Future(of), future);
        let taken = take_value::<T>(&mut far, future);
        let near = run_until_closed(&mut near, &importer);
        let ((), found) = tokio::join!(near, run_until(&mut far, taken));
        assert_eq!(found, value, "{of:?}, {way:?}");
    }
}

#[tokio::test]
async fn futures_of_every_type_have_their_value() {
    let plain = FutureValue::Plain;
    futures(plain(Element::Bool), true).await;
    futures(plain(Element::U64), u64::MAX).await;
    futures(plain(Element::Char), 'ß').await;
    futures(plain(Element::String), "x".repeat(1 << 20)).await;
    futures(plain(Element::Bytes), vec![7_u8; 1 << 20]).await;
    for value in [Ok(()), Err("so".to_owned())] {
        futures(FutureValue::Fallible(None), value).await;
    }
    for value in [Ok("value".to_owned()), Err("so".to_owned())] {
        futures(FutureValue::Fallible(Some(Element::String)), value).await;
    }
}

/// A future of a store that ends before it has its value.
fn broken_future<T: Carried>(of: FutureValue, far: &mut Store<()>) -> (Val, [Arc<Side>; 2]) {
    let (importer, exporter) = pair(WAYS[0]);
    let mut near = store();
    let never = std::future::pending::<wasmtime::Result<T>>();
    let reader = FutureReader::new(&mut near, never).unwrap();
    let future = Val::Future(reader.try_into_future_any(&mut near).unwrap());
    let (from, to) = ((&mut near, &importer), (far, &exporter));
    (
        hand_over(from, to, Shape::Future(of), future),
        [importer, exporter],
    )
}

#[tokio::test]
async fn a_future_that_can_say_so_says_that_its_writer_is_gone() {
    let mut far = store();
    let of = FutureValue::Fallible(None);
    let (future, _sides) = broken_future::<Result<(), String>>(of, &mut far);
    let taken = take_value::<Result<(), String>>(&mut far, future);
    let error = run_until(&mut far, taken).await.unwrap_err();
    assert!(error.contains("is gone"), "{error}");
}

#[tokio::test]
async fn the_reader_of_another_future_traps_when_its_writer_is_gone() {
    let mut far = store();
    let of = FutureValue::Plain(Element::U32);
    let (future, _sides) = broken_future::<u32>(of, &mut far);
    let taken = take_value::<u32>(&mut far, future);
    let ran = far.run_concurrent(async |_| taken.await);
    let error = timeout(PATIENCE, ran).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("is gone"), "{error}");
}
