//! Large frames between two hosts on the bus of one process, and hosts that do not keep to the rules.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::time::Instant;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use weft_bus::local::{LocalNetwork, LocalOptions};
use weft_bus::{Bus, Scope, Subscription};
use weft_membership::HostId;
use weft_wire::{ClaimId, Fetch, Frame, Held, Part};

use super::fetch::TAKEN_BYTES_MAX;
use super::store::KEPT_BYTES_MAX;
use super::{KeepError, Keeper, Large, TakeError, serve};
use crate::subjects::Subjects;
use weft_link::{Refusals, encoded};

const KEEPER: HostId = HostId::from_key([1; 32]);
const TAKER: HostId = HostId::from_key([2; 32]);

/// A message of the bus that these tests run on.
const MAX_PAYLOAD: usize = 4 << 10;

/// Two hosts, of which one keeps and the other takes.
struct Pair {
    keeper: Large,
    taker: Large,
    bus: Bus,
    _serving: AbortOnDropHandle<()>,
    tasks: TaskTracker,
}

fn subjects(scope: &Scope, host: HostId) -> Subjects {
    Subjects::new(scope, host).unwrap()
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn bytes(length: usize) -> Bytes {
    (0..length)
        .map(|index| (index * 7 + index / 251) as u8)
        .collect()
}

impl Pair {
    async fn new() -> Self {
        let network = LocalNetwork::new(LocalOptions {
            max_payload: MAX_PAYLOAD,
            ..LocalOptions::default()
        });
        let scope = Scope::new("test").unwrap();
        let bus = network.join("keeper", &scope);
        let of_keeper = subjects(&scope, KEEPER);
        let keeper = Large::new(bus.clone(), of_keeper.clone(), KEEPER);
        let fetches = bus.subscribe(&of_keeper.held).await;
        let refusals = Arc::new(Refusals::default());
        let tasks = TaskTracker::new();
        let serving = serve(fetches, bus.clone(), keeper.keeper.clone(), refusals);
        Self {
            keeper,
            taker: Large::new(
                network.join("taker", &scope),
                subjects(&scope, TAKER),
                TAKER,
            ),
            bus,
            _serving: AbortOnDropHandle::new(tasks.spawn(serving)),
            tasks,
        }
    }

    /// A subscription to the questions of a host that is none of these two, and its key.
    async fn stranger(&self) -> (Subscription, [u8; 32]) {
        let stranger = HostId::from_key([3; 32]);
        let asked = subjects(self.bus.scope(), stranger);
        (self.bus.subscribe(&asked.held).await, *stranger.key())
    }

    /// Takes a frame of `total` bytes from a host that answers with what `answer` makes of each question.
    async fn take_from(
        &self,
        total: u32,
        answer: impl Fn(Fetch) -> Vec<u8> + Send + 'static,
    ) -> Result<Bytes, TakeError> {
        let (mut questions, host) = self.stranger().await;
        let bus = self.bus.clone();
        let answering = self.tasks.spawn(async move {
            while let Some(message) = questions.next_message().await {
                let Ok(Frame::Fetch(fetch)) = Frame::decode(&message.payload) else {
                    panic!("it asks for something else");
                };
                let reply = message.reply.unwrap();
                let answer = answer(fetch);
                bus.publish(&reply, None, answer.into()).await.unwrap();
            }
        });
        let _answering = AbortOnDropHandle::new(answering);
        let held = Held {
            host,
            claim: CLAIM,
            total,
            bytes: &[],
        };
        let taken = self.taker.taker.take(&held, deadline()).await;
        taken.map(|taken| taken.frame)
    }
}

const CLAIM: ClaimId = ClaimId([5; 16]);

fn held(frame: &[u8]) -> Held<'_> {
    match Frame::decode(frame) {
        Ok(Frame::Held(held)) => held,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_larger_than_a_message_arrives_whole() {
    let pair = Pair::new().await;
    for length in [
        1,
        2,
        MAX_PAYLOAD,
        MAX_PAYLOAD + 1,
        3 * MAX_PAYLOAD,
        1_000_003,
    ] {
        let frame = bytes(length);
        let kept = pair.keeper.keeper.keep(frame.clone()).unwrap();
        let (claim, told) = kept.claim(&pair.bus).unwrap();
        assert!(told.len() <= MAX_PAYLOAD);
        let taken = pair.taker.taker.take(&held(&told), deadline()).await;
        assert_eq!(taken.unwrap().frame, frame);
        claim.all_asked().await;
        assert!(claim.withdraw(), "it was all asked for");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_has_ended_or_never_was_gives_nothing() {
    let pair = Pair::new().await;
    let kept = pair.keeper.keeper.keep(bytes(100_000)).unwrap();
    let (claim, told) = kept.claim(&pair.bus).unwrap();
    let other_host = Held {
        host: *TAKER.key(),
        ..held(&told)
    };
    let other_claim = Held {
        claim: CLAIM,
        ..held(&told)
    };
    // Nobody listens for the questions of the one that only takes.
    let nobody = pair.taker.taker.take(&other_host, deadline()).await.err();
    assert!(matches!(nobody, Some(TakeError::Bus(_))), "{nobody:?}");
    let gone = pair.taker.taker.take(&other_claim, deadline()).await.err();
    assert_eq!(gone, Some(TakeError::Gone));
    assert!(!claim.withdraw(), "nobody has asked for any of it");
    let gone = pair.taker.taker.take(&held(&told), deadline()).await.err();
    assert_eq!(gone, Some(TakeError::Gone));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_asked_for_is_not_taken() {
    let pair = Pair::new().await;
    let part = |claim, offset, bytes: Option<&[u8]>| {
        encoded(&Frame::Part(Part {
            claim,
            offset,
            bytes,
        }))
    };
    type Answer = Box<dyn Fn(Fetch) -> Vec<u8> + Send>;
    let cases: Vec<(&str, Answer)> = vec![
        (
            "a part of another claim",
            Box::new(move |fetch| part(ClaimId([6; 16]), fetch.offset, Some(&[1]))),
        ),
        (
            "a part that overlaps the one before",
            Box::new(move |fetch| part(fetch.claim, fetch.offset.saturating_sub(1), Some(&[1; 9]))),
        ),
        (
            "a part from further on",
            Box::new(move |fetch| part(fetch.claim, fetch.offset + 1, Some(&[1]))),
        ),
        (
            "a longer part",
            Box::new(move |fetch| {
                let longer = vec![1; fetch.at_most as usize + 1];
                part(fetch.claim, fetch.offset, Some(&longer))
            }),
        ),
        (
            "an empty part",
            Box::new(move |fetch| part(fetch.claim, fetch.offset, Some(&[]))),
        ),
        (
            "another frame",
            Box::new(|fetch| encoded(&Frame::Fetch(fetch))),
        ),
    ];
    for (what, answer) in cases {
        let taken = pair.take_from(20_000, answer).await;
        assert_eq!(taken, Err(TakeError::Other), "{what}");
    }
    let taken = pair.take_from(20_000, |_| vec![1, 200, 3]).await;
    assert!(matches!(taken, Err(TakeError::Frame(_))), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_is_given_up_in_time() {
    let pair = Pair::new().await;
    let (_questions, host) = pair.stranger().await;
    let held = Held {
        host,
        claim: CLAIM,
        total: 20_000,
        bytes: &[],
    };
    let started = Instant::now();
    let taken = pair
        .taker
        .taker
        .take(&held, started + Duration::from_secs(60));
    assert!(matches!(taken.await.err(), Some(TakeError::Bus(_))));
    assert!(started.elapsed() <= Duration::from_secs(6));
    let taken = pair.taker.taker.take(&held, started).await.err();
    assert!(matches!(taken, Some(TakeError::Bus(_))), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_is_kept_or_taken_than_there_is_room_for_and_room_comes_back() {
    let pair = Pair::new().await;
    // One page that is not touched stands for all.
    let large = Bytes::from(vec![0; 64 << 20]);
    let fitting = KEPT_BYTES_MAX / large.len();
    let keep = || pair.keeper.keeper.keep(large.clone());
    let mut kept: Vec<_> = (0..fitting).map(|_| keep().unwrap()).collect();
    let found = large.len();
    assert_eq!(keep().err(), Some(KeepError::Full { found }));
    kept.pop();
    kept.push(keep().unwrap());

    let (_questions, host) = pair.stranger().await;
    let held = Held {
        host,
        claim: CLAIM,
        total: 64 << 20,
        bytes: &[],
    };
    let fitting = TAKEN_BYTES_MAX >> 26;
    let takes = (0..=fitting).map(|_| pair.taker.taker.take(&held, deadline()));
    let taken = futures_util::future::join_all(takes).await;
    let full = TakeError::Full { total: held.total };
    let refused = taken
        .iter()
        .filter(|taken| taken.as_ref().err() == Some(&full));
    assert_eq!(refused.count(), 1);
    // The others were not answered, and gave their room back.
    let taken = pair.taker.taker.take(&held, deadline()).await.err();
    assert!(matches!(taken, Some(TakeError::Bus(_))), "{taken:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// A server of the other host's may take smaller messages than that of this one.
    #[test]
    fn parts_that_are_shorter_than_asked_for_make_the_same_frame(
        length in 1..40_000_usize,
        shortest in 500..5_000_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let frame = bytes(length);
            let kept = frame.clone();
            let pair = Pair::new().await;
            let taken = pair.take_from(length as u32, move |fetch| {
                let start = fetch.offset as usize;
                let part = &kept[start..start + shortest.min(fetch.at_most as usize)];
                encoded(&Frame::Part(Part {
                    claim: fetch.claim,
                    offset: fetch.offset,
                    bytes: Some(part),
                }))
            });
            prop_assert_eq!(taken.await, Ok(frame));
            Ok(())
        })?;
    }

    /// Whoever is told that a frame was not taken may send it to another host.
    #[test]
    fn a_frame_that_is_withdrawn_untaken_was_not_there_to_be_read_whole(
        fetches in prop::collection::vec((0..12_000_u32, 0..6_000_u32), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let network = LocalNetwork::new(LocalOptions {
                max_payload: MAX_PAYLOAD,
                ..LocalOptions::default()
            });
            let bus = network.join("keeper", &Scope::new("test").unwrap());
            let keeper = Keeper::new(KEEPER);
            let frame = bytes(12_000);
            let kept = keeper.keep(frame.clone()).unwrap();
            let (claim, told) = kept.claim(&bus).unwrap();
            let held = held(&told);
            let mut seen = vec![false; frame.len()];
            seen[..held.bytes.len()].fill(true);
            for (offset, at_most) in fetches {
                let fetch = Fetch { claim: held.claim, offset, at_most };
                let Some(part) = keeper.part(&fetch, 4_000) else { continue };
                let start = offset as usize;
                prop_assert!(part.len() <= at_most as usize && part.len() <= 4_000);
                prop_assert_eq!(&part[..], &frame[start..start + part.len()]);
                seen[start..start + part.len()].fill(true);
            }
            let is_whole = seen.iter().all(|seen| *seen);
            prop_assert!(claim.withdraw() || !is_whole);
            Ok(())
        })?;
    }
}
