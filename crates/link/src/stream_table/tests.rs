//! Messages between the two sides of a call: credit, ends, and lost peers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::collection::vec;
use proptest::prelude::*;
use weft_wire::CancelledBy;

use super::{CallSide, Ended, Event, Kind, ReaderDropped, Receiver, Sender, WINDOW_BYTES};
use crate::stream_message::{Message, PeerDelivery};

const WINDOW: usize = WINDOW_BYTES as usize;

/// Delivery of the messages between two sides.
#[derive(Debug, Clone, Copy)]
enum Delivery {
    Direct,
    Framed,
}

const DELIVERIES: [Delivery; 2] = [Delivery::Direct, Delivery::Framed];

/// Both sides of a call: importer and exporter.
fn pair(delivery: Delivery) -> (Arc<CallSide>, Arc<CallSide>) {
    CallSide::pair(|peer| match delivery {
        Delivery::Direct => PeerDelivery::Direct(Arc::downgrade(peer)),
        Delivery::Framed => PeerDelivery::Framed(Arc::downgrade(peer), 7),
    })
}

/// Counts its wake-ups.
#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn idle() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// A stream from the importer to the exporter.
fn stream(kind: Kind, importer: &Arc<CallSide>, exporter: &Arc<CallSide>) -> (Sender, Receiver) {
    let (number, sender) = importer.give(kind);
    (sender, exporter.take(number).unwrap())
}

fn receive(receiver: &Receiver) -> Poll<Result<Vec<u8>, Ended>> {
    receiver.poll_chunk(&idle())
}

#[test]
fn a_writer_waits_until_the_stream_is_read() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
        let wake_ups = Arc::new(CountingWaker::default());
        let waker = Waker::from(wake_ups.clone());
        assert_eq!(
            sender.poll_credit(&Context::from_waker(&waker)),
            Poll::Pending
        );
        assert_eq!(receive(&receiver), Poll::Pending);
        assert_eq!(wake_ups.0.load(Ordering::Relaxed), 1, "{delivery:?}");
        assert_eq!(sender.poll_credit(&idle()), Poll::Ready(Ok(())));
        sender.send(vec![1, 2]);
        assert_eq!(receive(&receiver), Poll::Ready(Ok(vec![1, 2])));
    }
}

#[test]
fn at_most_the_window_and_a_chunk_are_in_flight() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
        assert_eq!(receive(&receiver), Poll::Pending);
        let chunk = vec![0; WINDOW - 1];
        sender.send(chunk.clone());
        assert_eq!(sender.credit(), 1);
        // Otherwise a chunk of one long element could never be sent.
        sender.send(chunk.clone());
        assert_eq!(sender.poll_credit(&idle()), Poll::Pending);
        assert_eq!(receive(&receiver), Poll::Ready(Ok(chunk.clone())));
        receiver.consumed(chunk.len());
        assert_eq!(sender.credit(), 1, "{delivery:?}");
    }
}

#[test]
fn a_chunk_without_credit_breaks_its_stream() {
    let (importer, exporter) = pair(Delivery::Direct);
    let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
    exporter.receive(Message::Chunk {
        stream: 0,
        payload: vec![1],
    });
    assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Broken)));
    assert_eq!(sender.poll_credit(&idle()), Poll::Ready(Err(ReaderDropped)));
}

#[test]
fn an_empty_chunk_breaks_its_stream() {
    let (importer, exporter) = pair(Delivery::Direct);
    let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
    assert_eq!(receive(&receiver), Poll::Pending);
    // It would take memory without taking credit.
    sender.send(Vec::new());
    assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Broken)));
    assert_eq!(sender.poll_credit(&idle()), Poll::Ready(Err(ReaderDropped)));
}

#[test]
fn a_stream_whose_sender_is_dropped_is_complete() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
        assert_eq!(receive(&receiver), Poll::Pending);
        sender.send(vec![1]);
        drop(sender);
        assert!(!importer.is_open());
        assert_eq!(receive(&receiver), Poll::Ready(Ok(vec![1])));
        assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Complete)));
        assert!(!exporter.is_open(), "{delivery:?}");
    }
}

#[test]
fn the_end_of_a_stream_waits_until_the_stream_is_read() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (number, sender) = importer.give(Kind::Stream);
        drop(sender);
        let receiver = exporter.take(number).unwrap();
        assert!(importer.is_open() && exporter.is_open());
        assert_eq!(receive(&receiver), Poll::Pending);
        assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Complete)));
        assert!(!importer.is_open() && !exporter.is_open(), "{delivery:?}");
    }
}

#[test]
fn a_dropped_reader_ends_the_writing() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
        let wake_ups = Arc::new(CountingWaker::default());
        let waker = Waker::from(wake_ups.clone());
        assert_eq!(
            sender.poll_credit(&Context::from_waker(&waker)),
            Poll::Pending
        );
        drop(receiver);
        assert_eq!(wake_ups.0.load(Ordering::Relaxed), 1);
        assert_eq!(sender.poll_credit(&idle()), Poll::Ready(Err(ReaderDropped)));
        assert_eq!(
            exporter.poll_abandoned(&idle()),
            Poll::Pending,
            "{delivery:?}"
        );
    }
}

#[test]
fn streams_of_a_failed_side_are_incomplete() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
        assert_eq!(receive(&receiver), Poll::Pending);
        sender.send(vec![1]);
        importer.fail();
        drop(sender);
        assert_eq!(receive(&receiver), Poll::Ready(Ok(vec![1])));
        assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Broken)));
        assert_eq!(
            exporter.poll_abandoned(&idle()),
            Poll::Ready(()),
            "{delivery:?}"
        );
    }
}

#[test]
fn a_lost_side_breaks_every_open_stream() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (number, sender) = importer.give(Kind::Stream);
        let receiver = exporter.take(number).unwrap();
        let (_, exporters_sender) = exporter.give(Kind::Stream);
        drop(sender);
        drop(importer);
        assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Broken)));
        assert_eq!(
            exporters_sender.poll_credit(&idle()),
            Poll::Ready(Err(ReaderDropped))
        );
        assert_eq!(
            exporter.poll_abandoned(&idle()),
            Poll::Ready(()),
            "{delivery:?}"
        );
    }
}

#[test]
fn a_writer_whose_reader_is_lost_with_its_side_is_abandoned() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (_, _sender) = exporter.give(Kind::Stream);
        assert_eq!(exporter.poll_abandoned(&idle()), Poll::Pending);
        drop(importer);
        assert_eq!(
            exporter.poll_abandoned(&idle()),
            Poll::Ready(()),
            "{delivery:?}"
        );
    }
}

#[test]
fn a_side_that_closed_its_reader_before_it_left_has_not_abandoned_the_call() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (_sender, receiver) = stream(Kind::Stream, &exporter, &importer);
        drop(receiver);
        drop(importer);
        assert_eq!(
            exporter.poll_abandoned(&idle()),
            Poll::Pending,
            "{delivery:?}"
        );
    }
}

#[test]
fn an_abandoned_call_ends_while_one_of_its_streams_is_open() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (sender, receiver) = stream(Kind::Stream, &exporter, &importer);
        // The end of the reader may arrive before that of its call.
        drop(receiver);
        exporter.abandon();
        assert!(exporter.is_abandoned(), "{delivery:?}");
        drop(sender);

        let (_importer, exporter) = pair(delivery);
        exporter.abandon();
        assert!(!exporter.is_abandoned(), "{delivery:?}: all was read");
    }
}

#[test]
fn a_stream_of_a_lost_side_that_is_taken_afterwards_is_broken() {
    for delivery in DELIVERIES {
        for kind in [Kind::Stream, Kind::Future] {
            let (importer, exporter) = pair(delivery);
            let (number, sender) = importer.give(kind);
            drop(sender);
            drop(importer);
            let receiver = exporter.take(number).unwrap();
            assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Broken)));
            assert_eq!(exporter.poll_abandoned(&idle()), Poll::Ready(()));
            assert!(!exporter.is_open(), "{delivery:?}, {kind:?}");
        }
    }
}

#[test]
fn a_stream_that_is_given_to_a_lost_side_has_no_reader() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        drop(importer);
        let (_, sender) = exporter.give(Kind::Stream);
        assert_eq!(sender.poll_credit(&idle()), Poll::Ready(Err(ReaderDropped)));
        drop(sender);
        assert!(!exporter.is_open(), "{delivery:?}");
    }
}

#[test]
fn trailers_that_are_sent_before_their_stream_is_taken_arrive() {
    let fields = vec![("grpc-status".to_owned(), b"0".to_vec())];
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (number, sender) = importer.give(Kind::Stream);
        sender.send_trailers(fields.clone());
        drop(sender);
        let receiver = exporter.take(number).unwrap();
        assert_eq!(receive(&receiver), Poll::Pending);
        assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Complete)));
        assert_eq!(receiver.trailers(), Some(fields.clone()), "{delivery:?}");
    }
}

#[test]
fn the_end_of_a_stream_is_awaited_until_the_stream_is_read_or_its_reader_is_gone() {
    enum After {
        Read,
        ReaderDropped,
        PeerLost,
    }
    for delivery in DELIVERIES {
        for after in [After::Read, After::ReaderDropped, After::PeerLost] {
            let (importer, exporter) = pair(delivery);
            let (number, sender) = importer.give(Kind::Stream);
            let mut ended = std::pin::pin!(sender.finish());
            let wake_ups = Arc::new(CountingWaker::default());
            let waker = Waker::from(wake_ups.clone());
            let mut context = Context::from_waker(&waker);
            assert!(ended.as_mut().poll(&mut context).is_pending());
            match after {
                After::Read => {
                    let receiver = exporter.take(number).unwrap();
                    assert_eq!(receive(&receiver), Poll::Pending);
                    assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Complete)));
                }
                After::ReaderDropped => drop(exporter.take(number).unwrap()),
                After::PeerLost => drop(exporter),
            }
            assert_eq!(wake_ups.0.load(Ordering::Relaxed), 1, "{delivery:?}");
            assert!(ended.as_mut().poll(&mut context).is_ready());
            assert!(!importer.is_open());
        }
    }
}

#[test]
fn the_value_of_a_future_is_stored_until_it_is_read() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (sender, receiver) = stream(Kind::Future, &importer, &exporter);
        sender.send_only(vec![1, 7]);
        drop(sender);
        assert!(importer.is_open());
        assert_eq!(receive(&receiver), Poll::Pending);
        assert_eq!(receive(&receiver), Poll::Ready(Ok(vec![1, 7])));
        assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Complete)));
        assert!(!importer.is_open(), "{delivery:?}");
    }
}

#[test]
fn a_future_without_its_value_is_incomplete() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (sender, receiver) = stream(Kind::Future, &importer, &exporter);
        assert_eq!(receive(&receiver), Poll::Pending);
        drop(sender);
        assert_eq!(
            receive(&receiver),
            Poll::Ready(Err(Ended::Broken)),
            "{delivery:?}"
        );
    }
}

#[test]
fn an_unwritten_future_without_a_reader_is_reported_as_unwanted_once() {
    for delivery in DELIVERIES {
        let (importer, exporter) = pair(delivery);
        let (sender, receiver) = stream(Kind::Future, &importer, &exporter);
        let wake_ups = Arc::new(CountingWaker::default());
        let waker = Waker::from(wake_ups.clone());
        assert_eq!(
            importer.poll_event(&Context::from_waker(&waker)),
            Poll::Pending
        );
        drop(receiver);
        assert_eq!(wake_ups.0.load(Ordering::Relaxed), 1);
        assert_eq!(
            importer.poll_event(&idle()),
            Poll::Ready(Event::Unwanted(0))
        );
        assert_eq!(importer.poll_event(&idle()), Poll::Pending);
        drop(sender);
        assert_eq!(
            importer.poll_event(&idle()),
            Poll::Ready(Event::Closed),
            "{delivery:?}"
        );
    }
}

#[test]
fn a_written_future_is_never_unwanted() {
    let (importer, exporter) = pair(Delivery::Direct);
    let (sender, receiver) = stream(Kind::Future, &importer, &exporter);
    sender.send_only(vec![1, 7]);
    drop(receiver);
    assert_eq!(importer.poll_event(&idle()), Poll::Pending);
    drop(sender);
    assert_eq!(importer.poll_event(&idle()), Poll::Ready(Event::Closed));
}

#[test]
fn numbers_that_the_other_side_cannot_have_given_are_rejected() {
    let (importer, exporter) = pair(Delivery::Direct);
    assert!(importer.take(0).is_none(), "its own");
    assert!(exporter.take(1).is_none(), "its own");
    let _first = exporter.take(0).unwrap();
    assert!(exporter.take(0).is_none(), "twice");
}

#[test]
fn messages_about_ended_streams_are_ignored() {
    let (importer, exporter) = pair(Delivery::Direct);
    let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
    drop((sender, receiver));
    for stream in [0, 1, 8, u32::MAX] {
        for side in [&importer, &exporter] {
            let payload = vec![1];
            side.receive(Message::Chunk { stream, payload });
            side.receive(Message::Credit { stream, bytes: 9 });
            side.receive(Message::Finish { stream });
            for by in [CancelledBy::Reader, CancelledBy::Writer] {
                side.receive(Message::Cancel { stream, by });
            }
        }
    }
    assert!(!importer.is_open() && !exporter.is_open());
}

/// A step of a random history of a stream.
#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Read,
    DropWriter,
    DropReader,
    FailWriter,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (1..WINDOW / 2).prop_map(Step::Write),
        20 => Just(Step::Read),
        1 => Just(Step::DropWriter),
        1 => Just(Step::DropReader),
        1 => Just(Step::FailWriter),
    ];
    vec(step, 0..60)
}

proptest! {
    /// In every history, chunks are read in the order in which they were written; at most the
    /// window and a chunk are in flight; a stream is complete exactly if its writer did not fail;
    /// and at the end no stream is open.
    #[test]
    fn every_history_of_a_stream_is_in_order_bounded_and_complete(steps in steps(), framed in any::<bool>()) {
        let delivery = if framed { Delivery::Framed } else { Delivery::Direct };
        let (importer, exporter) = pair(delivery);
        let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
        let (mut sender, mut receiver) = (Some(sender), Some(receiver));
        let (mut written, mut read) = (Vec::new(), Vec::new());
        let (mut failed, mut end) = (false, None);
        for step in steps {
            match step {
                Step::Write(length) => {
                    let Some(sender) = &sender else { continue };
                    if let Poll::Ready(Ok(())) = sender.poll_credit(&idle()) {
                        let chunk = vec![written.len() as u8; length];
                        sender.send(chunk.clone());
                        written.push(chunk);
                    }
                }
                Step::Read => {
                    let Some(receiver) = &receiver else { continue };
                    match receive(receiver) {
                        Poll::Ready(Ok(chunk)) => {
                            receiver.consumed(chunk.len());
                            read.push(chunk);
                        }
                        Poll::Ready(Err(ended)) => end = Some(ended),
                        Poll::Pending => {}
                    }
                }
                Step::DropWriter => sender = None,
                Step::DropReader => receiver = None,
                Step::FailWriter => {
                    failed |= sender.is_some();
                    importer.fail();
                    sender = None;
                }
            }
            prop_assert_eq!(&read[..], &written[..read.len()]);
            let ahead: usize = written[read.len()..].iter().map(Vec::len).sum();
            prop_assert!(receiver.is_none() || ahead < WINDOW + WINDOW / 2);
        }
        if let Some(end) = end {
            prop_assert_eq!(read.len(), written.len());
            prop_assert_eq!(end == Ended::Broken, failed);
        }
        drop((sender, receiver));
        prop_assert!(!importer.is_open() && !exporter.is_open());
    }
}

/// Unparks a thread.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Reads like a store on a thread of its own.
fn next_chunk(receiver: &Receiver) -> Result<Vec<u8>, Ended> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let context = Context::from_waker(&waker);
    loop {
        match receiver.poll_chunk(&context) {
            Poll::Ready(chunk) => return chunk,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn the_end_of_a_future_never_overtakes_its_value() {
    for delivery in DELIVERIES {
        for _ in 0..3_000 {
            let (importer, exporter) = pair(delivery);
            let (sender, receiver) = stream(Kind::Future, &importer, &exporter);
            let start = std::sync::Barrier::new(2);
            let read = std::thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    sender.send_only(vec![7]);
                    drop(sender);
                });
                start.wait();
                next_chunk(&receiver)
            });
            assert_eq!(read, Ok(vec![7]), "{delivery:?}");
        }
    }
}
