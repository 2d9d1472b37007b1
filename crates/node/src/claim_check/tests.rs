//! Large frames between two hosts on the in-process bus, and hosts that break the protocol.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::time::Instant;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use weft_bus::local::{LocalNetwork, LocalOptions};
use weft_bus::{Bus, Scope, Subscription};
use weft_link::{RejectedFrames, encoded};
use weft_membership::HostId;
use weft_wire::{ClaimId, Fetch, Frame, Held, Part};

use super::fetch::FETCHED_BYTES_MAX;
use super::store::STORED_BYTES_MAX;
use super::{ClaimChecks, ClaimFetchError, ClaimStore, ClaimStoreError, serve};
use crate::test_support::subjects;

const OWNER: HostId = HostId::from_key([1; 32]);
const FETCHER: HostId = HostId::from_key([2; 32]);

/// The largest message of the bus in these tests.
const MAX_PAYLOAD: usize = 4 << 10;

/// Two hosts: one stores, the other fetches.
struct Pair {
    owner: ClaimChecks,
    fetcher: ClaimChecks,
    bus: Bus,
    _claim_server: AbortOnDropHandle<()>,
    tasks: TaskTracker,
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
        let of_owner = subjects(&scope, OWNER);
        let owner = ClaimChecks::new(bus.clone(), of_owner.clone(), OWNER);
        let fetches = bus.subscribe(&of_owner.of_process(1).unwrap().claims).await;
        let rejected = Arc::new(RejectedFrames::default());
        let tasks = TaskTracker::new();
        let claim_server = serve(fetches, bus.clone(), owner.store.clone(), rejected);
        Self {
            owner,
            fetcher: ClaimChecks::new(
                network.join("taker", &scope),
                subjects(&scope, FETCHER),
                FETCHER,
            ),
            bus,
            _claim_server: AbortOnDropHandle::new(tasks.spawn(claim_server)),
            tasks,
        }
    }

    /// A subscription to the claims of a third host, and its key.
    async fn stranger(&self) -> (Subscription, [u8; 32]) {
        let stranger = HostId::from_key([3; 32]);
        let of_stranger = subjects(self.bus.scope(), stranger).of_process(1).unwrap();
        (
            self.bus.subscribe(&of_stranger.claims).await,
            *stranger.key(),
        )
    }

    /// Fetches a frame of `total` bytes from a host that replies to each request with `answer`.
    async fn fetch_from(
        &self,
        total: u32,
        answer: impl Fn(Fetch) -> Vec<u8> + Send + 'static,
    ) -> Result<Bytes, ClaimFetchError> {
        let (mut questions, host) = self.stranger().await;
        let bus = self.bus.clone();
        let server = self.tasks.spawn(async move {
            while let Some(message) = questions.next_message().await {
                let Ok(Frame::Fetch(fetch)) = Frame::decode(&message.payload) else {
                    panic!("the request is not a fetch");
                };
                let reply = message.reply.unwrap();
                let answer = answer(fetch);
                bus.publish(&reply, None, answer.into()).await.unwrap();
            }
        });
        let _server = AbortOnDropHandle::new(server);
        let held = Held {
            host,
            claim: CLAIM,
            total,
            bytes: &[],
        };
        let fetched = self.fetcher.fetcher.fetch(&held, deadline()).await;
        fetched.map(|fetched| fetched.frame)
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
async fn a_frame_larger_than_a_message_arrives_whole() {
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
        let stored = pair.owner.store.store(frame.clone()).unwrap();
        let (claim, announcement) = stored.claim(&pair.bus).unwrap();
        assert!(announcement.len() <= MAX_PAYLOAD);
        let fetched = pair
            .fetcher
            .fetcher
            .fetch(&held(&announcement), deadline())
            .await;
        assert_eq!(fetched.unwrap().frame, frame);
        claim.all_requested().await;
        assert!(claim.withdraw(), "the whole frame was requested");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_has_ended_or_never_existed_is_not_served() {
    let pair = Pair::new().await;
    let stored = pair.owner.store.store(bytes(100_000)).unwrap();
    let (claim, announcement) = stored.claim(&pair.bus).unwrap();
    let other_host = Held {
        host: *FETCHER.key(),
        ..held(&announcement)
    };
    let other_claim = Held {
        claim: CLAIM,
        ..held(&announcement)
    };
    // The fetching host serves no claims.
    let unserved = pair
        .fetcher
        .fetcher
        .fetch(&other_host, deadline())
        .await
        .err();
    assert!(
        matches!(unserved, Some(ClaimFetchError::Bus(_))),
        "{unserved:?}"
    );
    let expired = pair
        .fetcher
        .fetcher
        .fetch(&other_claim, deadline())
        .await
        .err();
    assert_eq!(expired, Some(ClaimFetchError::Expired));
    assert!(!claim.withdraw(), "no part was requested");
    let expired = pair
        .fetcher
        .fetcher
        .fetch(&held(&announcement), deadline())
        .await
        .err();
    assert_eq!(expired, Some(ClaimFetchError::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_part_that_was_not_requested_is_rejected() {
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
        let fetched = pair.fetch_from(20_000, answer).await;
        assert_eq!(fetched, Err(ClaimFetchError::Mismatched), "{what}");
    }
    let fetched = pair.fetch_from(20_000, |_| vec![1, 200, 3]).await;
    assert!(
        matches!(fetched, Err(ClaimFetchError::Malformed(_))),
        "{fetched:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fetch_from_a_silent_host_ends_in_time() {
    let pair = Pair::new().await;
    let (_questions, host) = pair.stranger().await;
    let held = Held {
        host,
        claim: CLAIM,
        total: 20_000,
        bytes: &[],
    };
    let started = Instant::now();
    let fetched = pair
        .fetcher
        .fetcher
        .fetch(&held, started + Duration::from_secs(60));
    assert!(matches!(fetched.await.err(), Some(ClaimFetchError::Bus(_))));
    assert!(started.elapsed() <= Duration::from_secs(6));
    let fetched = pair.fetcher.fetcher.fetch(&held, started).await.err();
    assert!(
        matches!(fetched, Some(ClaimFetchError::Bus(_))),
        "{fetched:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn stored_and_fetched_bytes_are_bounded_and_their_room_is_returned() {
    let pair = Pair::new().await;
    // One page that is not touched stands for all.
    let large = Bytes::from(vec![0; 64 << 20]);
    let fitting = STORED_BYTES_MAX / large.len();
    let store = || pair.owner.store.store(large.clone());
    let mut stored: Vec<_> = (0..fitting).map(|_| store().unwrap()).collect();
    let found = large.len();
    assert_eq!(store().err(), Some(ClaimStoreError::Full { found }));
    stored.pop();
    stored.push(store().unwrap());

    let (_questions, host) = pair.stranger().await;
    let held = Held {
        host,
        claim: CLAIM,
        total: 64 << 20,
        bytes: &[],
    };
    let fitting = FETCHED_BYTES_MAX >> 26;
    let fetches = (0..=fitting).map(|_| pair.fetcher.fetcher.fetch(&held, deadline()));
    let fetched = futures_util::future::join_all(fetches).await;
    let full = ClaimFetchError::Full { total: held.total };
    let refused = fetched
        .iter()
        .filter(|fetched| fetched.as_ref().err() == Some(&full));
    assert_eq!(refused.count(), 1);
    // The other fetches failed and returned their permits.
    let fetched = pair.fetcher.fetcher.fetch(&held, deadline()).await.err();
    assert!(
        matches!(fetched, Some(ClaimFetchError::Bus(_))),
        "{fetched:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// The server of the other host may take smaller messages than that of this one.
    #[test]
    fn parts_shorter_than_requested_make_the_same_frame(
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
            let stored = frame.clone();
            let pair = Pair::new().await;
            let fetched = pair.fetch_from(length as u32, move |fetch| {
                let start = fetch.offset as usize;
                let part = &stored[start..start + shortest.min(fetch.at_most as usize)];
                encoded(&Frame::Part(Part {
                    claim: fetch.claim,
                    offset: fetch.offset,
                    bytes: Some(part),
                }))
            });
            prop_assert_eq!(fetched.await, Ok(frame));
            Ok(())
        })?;
    }

    /// A caller sends a frame that was not fetched whole to another host.
    #[test]
    fn a_claim_withdrawn_as_incomplete_was_not_served_whole(
        fetches in prop::collection::vec((0..12_000_u32, 0..6_000_u32), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let network = LocalNetwork::new(LocalOptions {
                max_payload: MAX_PAYLOAD,
                ..LocalOptions::default()
            });
            let bus = network.join("keeper", &Scope::new("test").unwrap());
            let owner = ClaimStore::new(OWNER);
            let frame = bytes(12_000);
            let stored = owner.store(frame.clone()).unwrap();
            let (claim, announcement) = stored.claim(&bus).unwrap();
            let held = held(&announcement);
            let mut seen = vec![false; frame.len()];
            seen[..held.bytes.len()].fill(true);
            for (offset, at_most) in fetches {
                let fetch = Fetch { claim: held.claim, offset, at_most };
                let Some(part) = owner.part(&fetch, 4_000) else { continue };
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
