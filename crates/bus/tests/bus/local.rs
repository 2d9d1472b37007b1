//! Faults of the local bus, under a paused clock.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use weft_bus::local::{Faults, LocalNetwork, LocalOptions, RandomSource, alone};
use weft_bus::{Bus, Lane, Pattern, RequestError, Scope, Subscription};

use weft_testkit::bus::subject;

struct Pair {
    network: LocalNetwork,
    from: Bus,
    to: Bus,
}

/// A sufficient generator for tests: a linear congruential one, of which the high bits are used.
fn random(seed: u64) -> RandomSource {
    let mut state = seed;
    Box::new(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.rotate_left(32)
    })
}

impl Pair {
    fn new(seed: u64, faults: Faults) -> Self {
        let network = LocalNetwork::new(LocalOptions {
            random: random(seed),
            ..LocalOptions::default()
        });
        network.set_faults(faults);
        let scope = Scope::new("test").unwrap();
        let (from, to) = (network.join("from", &scope), network.join("to", &scope));
        Self { network, from, to }
    }

    async fn subscribe(&self) -> Subscription {
        let subject = subject(&self.to, &["numbers"]);
        self.to.subscribe(&Pattern::from(&subject)).await
    }

    async fn publish(&self, numbers: std::ops::Range<u32>) {
        let subject = subject(&self.from, &["numbers"]);
        for number in numbers {
            let payload = Bytes::copy_from_slice(&number.to_be_bytes());
            self.from.publish(&subject, None, payload).await.unwrap();
        }
    }
}

/// All messages until nothing is in transit, with the time of arrival.
async fn all(received: &mut Subscription) -> Vec<(Duration, u32)> {
    let start = Instant::now();
    let mut numbers = Vec::new();
    // The paused clock stands still while there is work; otherwise an hour passes at once.
    while let Ok(Some(message)) =
        tokio::time::timeout(Duration::from_secs(3600), received.next_message()).await
    {
        let number = u32::from_be_bytes(message.payload[..].try_into().unwrap());
        numbers.push((start.elapsed(), number));
    }
    numbers
}

fn milliseconds(from: u64, to: u64) -> std::ops::RangeInclusive<Duration> {
    Duration::from_millis(from)..=Duration::from_millis(to)
}

#[tokio::test(start_paused = true)]
async fn delayed_messages_come_in_time_and_in_order() {
    let pair = Pair::new(
        1,
        Faults {
            delay: milliseconds(10, 50),
            ..Faults::default()
        },
    );
    let mut received = pair.subscribe().await;
    pair.publish(0..100).await;
    let arrived = all(&mut received).await;
    let numbers: Vec<u32> = arrived.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    let range = milliseconds(10, 52);
    assert!(
        arrived.iter().all(|(time, _)| range.contains(time)),
        "{arrived:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn loss_duplication_and_reordering_follow_their_probabilities() {
    let faults = Faults {
        loss: 0.2,
        ..Faults::default()
    };
    let pair = Pair::new(2, faults);
    let mut received = pair.subscribe().await;
    pair.publish(0..1000).await;
    let arrived = all(&mut received).await.len();
    assert!(
        (750..=850).contains(&arrived),
        "{arrived} of 1000 arrived with a loss of 0.2"
    );

    pair.network.set_faults(Faults {
        duplication: 0.5,
        ..Faults::default()
    });
    pair.publish(0..1000).await;
    let arrived = all(&mut received).await.len();
    assert!(
        (1400..=1600).contains(&arrived),
        "{arrived} arrived for 1000 with half of them doubled"
    );

    let reordering = 1.0;
    pair.network.set_faults(Faults {
        delay: milliseconds(0, 100),
        reordering,
        ..Faults::default()
    });
    pair.publish(0..100).await;
    let numbers: Vec<u32> = all(&mut received)
        .await
        .into_iter()
        .map(|(_, n)| n)
        .collect();
    assert!(!numbers.is_sorted() && numbers.len() == 100);

    pair.network.heal();
    pair.publish(0..100).await;
    let numbers: Vec<u32> = all(&mut received)
        .await
        .into_iter()
        .map(|(_, n)| n)
        .collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_deliveries() {
    let course = |seed| async move {
        let faults = Faults {
            delay: milliseconds(1, 100),
            loss: 0.1,
            duplication: 0.1,
            reordering: 0.3,
        };
        let pair = Pair::new(seed, faults);
        let mut received = pair.subscribe().await;
        pair.publish(0..200).await;
        all(&mut received).await
    };
    assert_eq!(course(7).await, course(7).await);
    assert_ne!(course(7).await, course(8).await);
}

#[tokio::test(start_paused = true)]
async fn hosts_in_different_partitions_do_not_reach_each_other() {
    let pair = Pair::new(3, Faults::default());
    let mut received = pair.subscribe().await;
    pair.network.partition(&[&["from"]]);
    pair.publish(0..10).await;
    let numbers = subject(&pair.from, &["numbers"]);
    let deadline = Instant::now() + Duration::from_secs(1);
    let reply = pair.from.request(&numbers, Bytes::new(), deadline).await;
    assert!(matches!(reply, Err(RequestError::NoResponders { .. })));
    pair.network.heal();
    pair.publish(10..20).await;
    let arrived: Vec<u32> = all(&mut received)
        .await
        .into_iter()
        .map(|(_, n)| n)
        .collect();
    assert_eq!(arrived, (10..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_fault_in_one_direction_leaves_the_other_alone() {
    let pair = Pair::new(4, Faults::default());
    pair.network.set_faults_between(
        "to",
        "from",
        Faults {
            loss: 1.0,
            ..Faults::default()
        },
    );
    let mut received = pair.subscribe().await;
    let numbers = subject(&pair.from, &["numbers"]);
    let responder = async {
        let request = received.next_message().await.unwrap();
        let reply = request.reply.unwrap();
        pair.to.publish(&reply, None, Bytes::new()).await.unwrap();
    };
    let deadline = Instant::now() + Duration::from_secs(1);
    let reply = pair.from.request(&numbers, Bytes::new(), deadline);
    let (reply, ()) = tokio::join!(reply, responder);
    assert!(matches!(reply, Err(RequestError::Deadline { .. })));
}

#[tokio::test(start_paused = true)]
async fn messages_in_transit_to_a_disconnected_host_are_lost() {
    let pair = Pair::new(
        5,
        Faults {
            delay: milliseconds(10, 10),
            ..Faults::default()
        },
    );
    let mut received = pair.subscribe().await;
    pair.publish(0..5).await;
    pair.network.disconnect("to");
    pair.network.connect("to");
    pair.publish(5..10).await;
    let arrived: Vec<u32> = all(&mut received)
        .await
        .into_iter()
        .map(|(_, n)| n)
        .collect();
    assert_eq!(arrived, (5..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_bus_reports_that_no_other_host_can_join() {
    let scope = Scope::new("test").unwrap();
    let bus = alone(&scope, LocalOptions::default());
    assert!(bus.is_alone());
    assert!(bus.lane(Lane::Calls).is_alone());
    let network = LocalNetwork::new(LocalOptions::default());
    assert!(!network.join("only", &scope).is_alone());
}
