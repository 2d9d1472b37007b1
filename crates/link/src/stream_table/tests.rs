//! The messages between two sides of a call: credit, completion, and failures of a side.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::collection::vec;
use proptest::prelude::*;
use weft_link::stream_message::Message;
use weft_link::stream_table::{Ended, Event, Gone, Kind, Receiver, Sender, Side, WINDOW_BYTES};
use weft_wire::CancelledBy;

use super::{CHANNELS, Channel, pair};

const WINDOW: usize = WINDOW_BYTES as usize;

/// Counts its wakes.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn idle() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// A stream from the importer to the exporter.
fn stream(kind: Kind, importer: &Arc<Side>, exporter: &Arc<Side>) -> (Sender, Receiver) {
    let (number, sender) = importer.give(kind);
    (sender, exporter.take(number).unwrap())
}

fn receive(receiver: &Receiver) -> Poll<Result<Vec<u8>, Ended>> {
    receiver.poll_chunk(&idle())
}

#[test]
fn a_writer_waits_until_the_reader_reads() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        assert_eq!(
            sender.poll_credit(&Context::from_waker(&waker)),
            Poll::Pending
        );
        assert_eq!(receive(&receiver), Poll::Pending);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "{channel:?}");
        assert_eq!(sender.poll_credit(&idle()), Poll::Ready(Ok(())));
        sender.send(vec![1, 2]);
        assert_eq!(receive(&receiver), Poll::Ready(Ok(vec![1, 2])));
    }
}

#[test]
fn at_most_the_window_and_one_chunk_are_in_flight() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
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
        assert_eq!(sender.credit(), 1, "{channel:?}");
    }
}

#[test]
fn a_chunk_without_credit_breaks_its_stream() {
    let (importer, exporter) = pair(Channel::Direct);
    let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
    exporter.receive(Message::Chunk {
        stream: 0,
        payload: vec![1],
    });
    assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Broken)));
    assert_eq!(sender.poll_credit(&idle()), Poll::Ready(Err(Gone)));
}

#[test]
fn a_chunk_other_than_a_list_breaks_its_stream() {
    let (importer, exporter) = pair(Channel::Direct);
    let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
    assert_eq!(receive(&receiver), Poll::Pending);
    // An empty chunk would take memory, but no credit.
    sender.send(Vec::new());
    assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Broken)));
    assert_eq!(sender.poll_credit(&idle()), Poll::Ready(Err(Gone)));
}

#[test]
fn a_fully_written_stream_is_complete() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
        assert_eq!(receive(&receiver), Poll::Pending);
        sender.send(vec![1]);
        drop(sender);
        assert!(!importer.is_open());
        assert_eq!(receive(&receiver), Poll::Ready(Ok(vec![1])));
        assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Complete)));
        assert!(!exporter.is_open(), "{channel:?}");
    }
}

#[test]
fn the_end_of_a_stream_waits_until_the_other_side_reads_it() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (number, sender) = importer.give(Kind::Stream);
        drop(sender);
        let receiver = exporter.take(number).unwrap();
        assert!(importer.is_open() && exporter.is_open());
        assert_eq!(receive(&receiver), Poll::Pending);
        assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Complete)));
        assert!(!importer.is_open() && !exporter.is_open(), "{channel:?}");
    }
}

#[test]
fn a_dropped_reader_ends_the_writer() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (sender, receiver) = stream(Kind::Stream, &importer, &exporter);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        assert_eq!(
            sender.poll_credit(&Context::from_waker(&waker)),
            Poll::Pending
        );
        drop(receiver);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(sender.poll_credit(&idle()), Poll::Ready(Err(Gone)));
        assert_eq!(
            exporter.poll_abandoned(&idle()),
            Poll::Pending,
            "{channel:?}"
        );
    }
}

#[test]
fn streams_of_a_failed_side_are_incomplete() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
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
            "{channel:?}"
        );
    }
}

#[test]
fn a_lost_side_breaks_all_open_streams() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (number, there) = importer.give(Kind::Stream);
        let reads = exporter.take(number).unwrap();
        let (_, back) = exporter.give(Kind::Stream);
        drop(there);
        drop(importer);
        assert_eq!(receive(&reads), Poll::Ready(Err(Ended::Broken)));
        assert_eq!(back.poll_credit(&idle()), Poll::Ready(Err(Gone)));
        assert_eq!(
            exporter.poll_abandoned(&idle()),
            Poll::Ready(()),
            "{channel:?}"
        );
    }
}

#[test]
fn a_future_is_open_until_it_is_read() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (sender, receiver) = stream(Kind::Future, &importer, &exporter);
        sender.send_only(vec![1, 7]);
        drop(sender);
        assert!(importer.is_open());
        assert_eq!(receive(&receiver), Poll::Pending);
        assert_eq!(receive(&receiver), Poll::Ready(Ok(vec![1, 7])));
        assert_eq!(receive(&receiver), Poll::Ready(Err(Ended::Complete)));
        assert!(!importer.is_open(), "{channel:?}");
    }
}

#[test]
fn a_future_without_its_value_is_not_complete() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (sender, receiver) = stream(Kind::Future, &importer, &exporter);
        assert_eq!(receive(&receiver), Poll::Pending);
        drop(sender);
        assert_eq!(
            receive(&receiver),
            Poll::Ready(Err(Ended::Broken)),
            "{channel:?}"
        );
    }
}

#[test]
fn a_future_dropped_unread_is_reported_once() {
    for channel in CHANNELS {
        let (importer, exporter) = pair(channel);
        let (sender, receiver) = stream(Kind::Future, &importer, &exporter);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        assert_eq!(
            importer.poll_event(&Context::from_waker(&waker)),
            Poll::Pending
        );
        drop(receiver);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(
            importer.poll_event(&idle()),
            Poll::Ready(Event::Unwanted(0))
        );
        assert_eq!(importer.poll_event(&idle()), Poll::Pending);
        drop(sender);
        assert_eq!(
            importer.poll_event(&idle()),
            Poll::Ready(Event::Closed),
            "{channel:?}"
        );
    }
}

#[test]
fn a_written_future_is_never_reported_as_dropped() {
    let (importer, exporter) = pair(Channel::Direct);
    let (sender, receiver) = stream(Kind::Future, &importer, &exporter);
    sender.send_only(vec![1, 7]);
    drop(receiver);
    assert_eq!(importer.poll_event(&idle()), Poll::Pending);
    drop(sender);
    assert_eq!(importer.poll_event(&idle()), Poll::Ready(Event::Closed));
}

#[test]
fn numbers_that_the_other_side_cannot_have_assigned_are_refused() {
    let (importer, exporter) = pair(Channel::Direct);
    assert!(importer.take(0).is_none(), "its own");
    assert!(exporter.take(1).is_none(), "its own");
    let _first = exporter.take(0).unwrap();
    assert!(exporter.take(0).is_none(), "twice");
}

#[test]
fn messages_about_streams_that_are_over_are_ignored() {
    let (importer, exporter) = pair(Channel::Direct);
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

/// One event of a stream.
#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Read,
    WriterLeaves,
    ReaderLeaves,
    WriterFails,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (1..WINDOW / 2).prop_map(Step::Write),
        20 => Just(Step::Read),
        1 => Just(Step::WriterLeaves),
        1 => Just(Step::ReaderLeaves),
        1 => Just(Step::WriterFails),
    ];
    vec(step, 0..60)
}

proptest! {
    /// Invariants under any sequence of events: a reader gets what was written, in order; at most
    /// the window and one chunk are in flight; a stream is complete if and only if it was written
    /// to its end; and all streams are closed at the end.
    #[test]
    fn a_stream_keeps_its_invariants_under_any_events(steps in steps(), framed in any::<bool>()) {
        let channel = if framed { Channel::Framed } else { Channel::Direct };
        let (importer, exporter) = pair(channel);
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
                Step::WriterLeaves => sender = None,
                Step::ReaderLeaves => receiver = None,
                Step::WriterFails => {
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
    for channel in CHANNELS {
        for _ in 0..3_000 {
            let (importer, exporter) = pair(channel);
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
            assert_eq!(read, Ok(vec![7]), "{channel:?}");
        }
    }
}
