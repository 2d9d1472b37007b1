//! The guarantees of the bus, tested on each implementation.

use std::time::Duration;

use bytes::Bytes;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use tokio::time::Instant;
use weft_bus::{
    Bounds, Bus, Delivery, FlushError, Gap, Lane, Message, Part, Pattern, PublishError,
    RequestError, Subscription,
};

use weft_testkit::bus::{MAX_PAYLOAD, Rig, connected, disconnected, soon, subject, test_deadline};

macro_rules! for_each_bus {
    ($($behaviour:ident)*) => {
        mod over_nats {
            $(#[tokio::test] async fn $behaviour() {
                super::$behaviour(super::Rig::nats()).await;
            })*
        }

        mod in_one_process {
            $(#[tokio::test] async fn $behaviour() {
                super::$behaviour(super::Rig::local()).await;
            })*
        }
    };
}

for_each_bus! {
    messages_of_one_publisher_come_in_order
    a_wildcard_matches_its_subjects_and_no_others
    every_subscriber_gets_every_message
    a_request_gets_its_reply
    concurrent_requests_each_get_their_own_reply
    a_request_without_a_subscriber_fails_at_once
    concurrent_requests_without_a_subscriber_all_fail_at_once
    an_unanswered_request_fails_by_its_deadline
    missing_responders_are_reported_on_the_reply_subject
    missing_responders_are_reported_whatever_the_subjects
    messages_beside_a_subscription_come_in_order
    an_ended_subscription_receives_nothing
    messages_dropped_for_a_slow_subscriber_are_counted_and_marked
    a_payload_over_the_limit_is_refused_before_it_is_sent
    hostile_names_reach_only_their_own_subject
    lattices_on_one_server_do_not_see_each_other
    a_reply_subject_of_another_lattice_is_dropped
    a_lost_connection_fails_requests_and_restores_subscriptions
    a_message_waits_for_its_connection_until_its_deadline
    a_request_across_a_loss_gets_a_late_reply
    a_request_across_a_loss_fails_soon_after_the_return
    closing_a_bus_ends_every_wait
    closing_a_bus_ends_subscriptions_and_publishing
}

async fn messages_of_one_publisher_come_in_order(rig: Rig) {
    let (publisher, subscriber) = (rig.join("a").await, rig.join("b").await);
    for lane in [Lane::Calls, Lane::Control, Lane::Heartbeats] {
        let (publisher, subscriber) = (publisher.lane(lane), subscriber.lane(lane));
        let subject = subject(&publisher, &["order"]);
        let mut received = subscriber.subscribe(&Pattern::from(&subject)).await;
        for number in 0..1000 {
            let payload = Bytes::from(format!("{lane:?} {number}"));
            publisher.publish(&subject, None, payload).await.unwrap();
        }
        for number in 0..1000 {
            let message = message(&mut received).await;
            assert_eq!(message.payload, format!("{lane:?} {number}"));
        }
    }
}

async fn a_wildcard_matches_its_subjects_and_no_others(rig: Rig) {
    use Part::{Any, Name, Rest};
    let bus = rig.join("a").await;
    for (parts, expected) in [
        (vec![Name("a"), Any], vec!["a.b", "a.c"]),
        (vec![Any, Name("b")], vec!["a.b"]),
        (vec![Name("a"), Rest], vec!["a.b", "a.b.c", "a.c"]),
        (vec![Name("a"), Name("b")], vec!["a.b"]),
        (vec![Name("b"), Any], vec![]),
    ] {
        let pattern = bus.scope().pattern(&parts).unwrap();
        let mut received = bus.subscribe(&pattern).await;
        for names in [
            &["a", "b"][..],
            &["a", "b", "c"],
            &["a", "c"],
            &["a"],
            &["end"],
        ] {
            let subject = subject(&bus, names);
            bus.publish(&subject, None, Bytes::new()).await.unwrap();
        }
        received_until_now(&bus, &pattern, &mut received, &expected).await;
    }
}

/// Asserts that exactly `expected` has arrived, by a last message that also matches the pattern.
async fn received_until_now(
    bus: &Bus,
    pattern: &Pattern,
    received: &mut Subscription,
    expected: &[&str],
) {
    let last = pattern.as_str().replace(['*', '>'], "last");
    let last = bus.scope().parse(&last).unwrap();
    bus.publish(&last, None, Bytes::from("last")).await.unwrap();
    let mut names = Vec::new();
    loop {
        let message = message(received).await;
        if message.payload == "last" {
            break;
        }
        names.push(message.subject.names().collect::<Vec<_>>().join("."));
    }
    assert_eq!(names, expected);
}

async fn every_subscriber_gets_every_message(rig: Rig) {
    let (one, two) = (rig.join("a").await, rig.join("b").await);
    let subject = subject(&one, &["news"]);
    let pattern = Pattern::from(&subject);
    let mut all = [
        one.subscribe(&pattern).await,
        one.subscribe(&pattern).await,
        two.subscribe(&pattern).await,
    ];
    one.publish(&subject, None, Bytes::from("first"))
        .await
        .unwrap();
    for received in &mut all {
        assert_eq!(message(received).await.payload, "first");
    }
}

async fn a_request_gets_its_reply(rig: Rig) {
    let (requester, responder) = (rig.join("a").await, rig.join("b").await);
    let subject = subject(&requester, &["echo"]);
    let mut requests = responder.subscribe(&Pattern::from(&subject)).await;
    let answer = async {
        let request = message(&mut requests).await;
        let reply = request.reply.unwrap();
        responder
            .publish(&reply, None, request.payload)
            .await
            .unwrap();
        // Only the first reply counts; a second one matches no request.
        responder
            .publish(&reply, None, Bytes::from("again"))
            .await
            .unwrap();
    };
    let request = requester.request(&subject, Bytes::from("hello"), test_deadline());
    let (answer, ()) = tokio::join!(request, answer);
    assert_eq!(answer.unwrap(), "hello");
}

async fn concurrent_requests_each_get_their_own_reply(rig: Rig) {
    let requester = rig.join("a").await.lane(Lane::Calls);
    let responder = rig.join("b").await.lane(Lane::Calls);
    let subject = subject(&requester, &["echo"]);
    let mut requests = responder.subscribe(&Pattern::from(&subject)).await;
    let answers = async {
        let mut received = Vec::new();
        for _ in 0..100 {
            received.push(message(&mut requests).await);
        }
        // Replies in reverse order of arrival.
        for request in received.into_iter().rev() {
            let reply = request.reply.unwrap();
            responder
                .publish(&reply, None, request.payload)
                .await
                .unwrap();
        }
    };
    let requests = (0..100).map(|number| {
        let payload = Bytes::from(format!("number {number}"));
        let (requester, subject) = (&requester, &subject);
        async move {
            let answer = requester
                .request(subject, payload.clone(), test_deadline())
                .await;
            assert_eq!(answer.unwrap(), payload);
        }
    });
    tokio::join!(futures_util::future::join_all(requests), answers);
}

async fn a_request_without_a_subscriber_fails_at_once(rig: Rig) {
    let bus = rig.join("a").await;
    let subject = subject(&bus, &["nobody"]);
    let error = bus
        .request(&subject, Bytes::new(), test_deadline())
        .await
        .unwrap_err();
    assert_eq!(error, RequestError::NoResponders { subject });
    assert!(!error.may_have_arrived());
}

async fn concurrent_requests_without_a_subscriber_all_fail_at_once(rig: Rig) {
    let (bus, other) = (rig.join("a").await, rig.join("b").await);
    let (nobody, somebody) = (subject(&bus, &["nobody"]), subject(&bus, &["somebody"]));
    let mut requests = other.subscribe(&Pattern::from(&somebody)).await;
    let failures = (0..100).map(|_| bus.request(&nobody, Bytes::new(), test_deadline()));
    let taken = bus.request(&somebody, Bytes::from("taken"), test_deadline());
    let answer = async {
        let reply = message(&mut requests).await.reply.unwrap();
        other.publish(&reply, None, Bytes::new()).await.unwrap();
    };
    let failures = futures_util::future::join_all(failures);
    let (failures, taken, ()) = soon(async { tokio::join!(failures, taken, answer) }).await;
    taken.unwrap();
    for error in failures {
        let subject = nobody.clone();
        assert_eq!(error, Err(RequestError::NoResponders { subject }));
    }
}

async fn an_unanswered_request_fails_by_its_deadline(rig: Rig) {
    let bus = rig.join("a").await;
    let subject = subject(&bus, &["silence"]);
    let mut silent = bus.subscribe(&Pattern::from(&subject)).await;
    let deadline = Instant::now() + Duration::from_millis(50);
    let error = bus
        .request(&subject, Bytes::new(), deadline)
        .await
        .unwrap_err();
    assert_eq!(error, RequestError::Deadline { subject });
    assert!(error.may_have_arrived() && Instant::now() >= deadline);
    // A late reply has no effect.
    let reply = message(&mut silent).await.reply.unwrap();
    bus.publish(&reply, None, Bytes::from("late"))
        .await
        .unwrap();
    bus.flush().await.unwrap();
}

async fn missing_responders_are_reported_on_the_reply_subject(rig: Rig) {
    let bus = rig.join("a").await;
    let answers = subject(&bus, &["answers", "here"]);
    let mut received = bus.subscribe(&Pattern::from(&answers)).await;
    let nobody = subject(&bus, &["nobody"]);
    bus.publish(&nobody, Some(&answers), Bytes::new())
        .await
        .unwrap();
    let noted = soon(received.next()).await.unwrap();
    assert_eq!(noted, Delivery::NoResponders { subject: answers });
}

async fn missing_responders_are_reported_whatever_the_subjects(rig: Rig) {
    let bus = rig.join("a").await.lane(Lane::Calls);
    let answers = ["1", "2", "3"].map(|name| subject(&bus, &["answers", name, "here"]));
    let mut subscriptions = Vec::new();
    for answers in &answers {
        let names: Vec<_> = answers.names().collect();
        let pattern = [Part::Name("answers"), Part::Name(&names[1]), Part::Any];
        let pattern = bus.scope().pattern(&pattern).unwrap();
        subscriptions.push(bus.subscribe(&pattern).await);
    }
    for number in 0..16 {
        let nobody = subject(&bus, &["nobody", &number.to_string()]);
        for (answers, received) in answers.iter().zip(&mut subscriptions) {
            let published = bus.publish(&nobody, Some(answers), Bytes::new());
            published.await.unwrap();
            let subject = answers.clone();
            let reported = soon(received.next()).await;
            assert_eq!(reported, Some(Delivery::NoResponders { subject }));
        }
    }
}

async fn messages_beside_a_subscription_come_in_order(rig: Rig) {
    let publisher = rig.join("a").await.lane(Lane::Calls);
    let subscriber = rig.join("b").await.lane(Lane::Calls);
    let ends = ["1", "2"].map(|name| subject(&publisher, &["end", name]));
    let mut subscriptions = Vec::new();
    for end in &ends {
        subscriptions.push(publisher.subscribe(&Pattern::from(end)).await);
    }
    let order = subject(&publisher, &["order"]);
    let mut received = subscriber.subscribe(&Pattern::from(&order)).await;
    for end in &ends {
        let beside = publisher.beside(end);
        for number in 0..1000 {
            let reply = (number % 3 > 0).then_some(end);
            let payload = Bytes::from(number.to_string());
            beside.publish(&order, reply, payload).await.unwrap();
        }
        for number in 0..1000 {
            assert_eq!(message(&mut received).await.payload, number.to_string());
        }
    }
}

async fn an_ended_subscription_receives_nothing(rig: Rig) {
    let (requester, responder) = (rig.join("a").await, rig.join("b").await);
    let subject = subject(&requester, &["gone"]);
    let pattern = Pattern::from(&subject);
    // Closed: the server stops delivering at once.
    let closed = responder.subscribe(&pattern).await;
    soon(closed.close()).await;
    responder.flush().await.unwrap();
    let error = requester
        .request(&subject, Bytes::new(), test_deadline())
        .await
        .unwrap_err();
    assert!(matches!(error, RequestError::NoResponders { .. }));
    // Dropped: the server stops delivering soon.
    drop(responder.subscribe(&pattern).await);
    let no_responders = async {
        loop {
            let deadline = Instant::now() + Duration::from_millis(20);
            match requester.request(&subject, Bytes::new(), deadline).await {
                Err(RequestError::NoResponders { .. }) => break,
                Err(RequestError::Deadline { .. }) => {}
                other => panic!("expected no responder, found {other:?}"),
            }
        }
    };
    soon(no_responders).await;
}

async fn messages_dropped_for_a_slow_subscriber_are_counted_and_marked(rig: Rig) {
    let (publisher, subscriber) = (rig.join("a").await, rig.join("b").await);
    let subject = subject(&publisher, &["fast"]);
    let bounds = Bounds {
        messages: 10,
        bytes: 1 << 20,
    };
    let mut slow = subscriber
        .subscribe_within(&Pattern::from(&subject), bounds)
        .await;
    let mut quick = subscriber.subscribe(&Pattern::from(&subject)).await;
    for number in 0..100 {
        let payload = Bytes::from(format!("{number}"));
        publisher.publish(&subject, None, payload).await.unwrap();
    }
    // The quick one has received all, so the slow one was sent all too.
    for number in 0..100 {
        assert_eq!(message(&mut quick).await.payload, format!("{number}"));
    }
    soon(async {
        while slow.lost() < 90 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for number in 0..10 {
        assert_eq!(message(&mut slow).await.payload, format!("{number}"));
    }
    let gap = Delivery::Gap(Gap::Overflow { count: 90 });
    assert_eq!(soon(slow.next()).await, Some(gap));
    assert_eq!((slow.lost(), quick.lost()), (90, 0));
    publisher
        .publish(&subject, None, Bytes::from("next"))
        .await
        .unwrap();
    assert_eq!(message(&mut slow).await.payload, "next");
}

async fn a_payload_over_the_limit_is_refused_before_it_is_sent(rig: Rig) {
    let bus = rig.join("a").await;
    assert_eq!(bus.max_payload(), MAX_PAYLOAD);
    let subject = subject(&bus, &["large"]);
    let mut received = bus.subscribe(&Pattern::from(&subject)).await;
    let (found, max) = (MAX_PAYLOAD + 1, MAX_PAYLOAD);
    let large = Bytes::from(vec![7; found]);
    let published = bus.publish(&subject, None, large.clone()).await;
    assert_eq!(published, Err(PublishError::TooLarge { found, max }));
    let requested = bus.request(&subject, large.clone(), test_deadline()).await;
    assert_eq!(requested, Err(RequestError::TooLarge { found, max }));
    let largest = large.slice(1..);
    bus.publish(&subject, None, largest.clone()).await.unwrap();
    assert_eq!(message(&mut received).await.payload, largest);
}

async fn hostile_names_reach_only_their_own_subject(rig: Rig) {
    let bus = rig.join("a").await;
    let plain = subject(&bus, &["to", "plain"]);
    let mut bystander = bus.subscribe(&Pattern::from(&plain)).await;
    let mut names: Vec<String> = [
        "*", ">", ".", "..", "../x", "a.b", " ", "\r\n", "\0", "=2A", "ä",
    ]
    .map(str::to_owned)
    .into();
    names.push("n".repeat(255));
    let mut runner = TestRunner::new(Config {
        cases: 20,
        ..Config::default()
    });
    for _ in 0..20 {
        let name = "[ -~]{1,20}|\\PC{1,10}".new_tree(&mut runner).unwrap();
        names.push(name.current());
    }
    for name in names.iter().filter(|name| *name != "plain") {
        let subject = subject(&bus, &["to", name]);
        let mut received = bus.subscribe(&Pattern::from(&subject)).await;
        bus.publish(&subject, Some(&subject), Bytes::from(name.clone()))
            .await
            .unwrap();
        let message = message(&mut received).await;
        assert_eq!(message.subject.names().last(), Some(name.clone()));
        assert_eq!(
            (message.reply, message.payload),
            (Some(subject), Bytes::from(name.clone()))
        );
    }
    bus.publish(&plain, None, Bytes::from("plain"))
        .await
        .unwrap();
    assert_eq!(message(&mut bystander).await.payload, "plain");
}

async fn lattices_on_one_server_do_not_see_each_other(rig: Rig) {
    let ours = rig.join_lattice("a", "one").await;
    for name in ["two", "one.*", "on", "*", ">"] {
        let theirs = rig.join_lattice("b", name).await;
        let everything = theirs.scope().pattern(&[Part::Rest]).unwrap();
        let mut received = theirs.subscribe(&everything).await;
        let subject_ours = subject(&ours, &["secret"]);
        ours.publish(&subject_ours, None, Bytes::from("ours"))
            .await
            .unwrap();
        let error = ours
            .request(&subject_ours, Bytes::new(), test_deadline())
            .await
            .unwrap_err();
        assert!(matches!(error, RequestError::NoResponders { .. }), "{name}");
        ours.flush().await.unwrap();
        let subject_theirs = subject(&theirs, &["secret"]);
        theirs
            .publish(&subject_theirs, None, Bytes::from("theirs"))
            .await
            .unwrap();
        assert_eq!(message(&mut received).await.payload, "theirs");
    }
}

async fn a_reply_subject_of_another_lattice_is_dropped(rig: Rig) {
    let (ours, theirs) = (
        rig.join_lattice("a", "one").await,
        rig.join_lattice("b", "two").await,
    );
    let subject_ours = subject(&ours, &["question"]);
    let mut received = ours.subscribe(&Pattern::from(&subject_ours)).await;
    let subject_theirs = subject(&theirs, &["answer"]);
    ours.publish(&subject_ours, Some(&subject_theirs), Bytes::new())
        .await
        .unwrap();
    assert_eq!(message(&mut received).await.reply, None);
}

async fn a_lost_connection_fails_requests_and_restores_subscriptions(mut rig: Rig) {
    let hosts = ["a", "b"];
    let (one, two) = (rig.join("a").await, rig.join("b").await);
    let subject = subject(&one, &["kept"]);
    let mut received = two.subscribe(&Pattern::from(&subject)).await;
    let cut = async {
        assert_eq!(message(&mut received).await.payload, "pending");
        rig.cut(&hosts);
    };
    let request = one.request(&subject, Bytes::from("pending"), test_deadline());
    let (lost, ()) = tokio::join!(request, cut);
    let subject_lost = subject.clone();
    assert_eq!(
        lost,
        Err(RequestError::ConnectionLost {
            subject: subject_lost
        })
    );
    disconnected(&one).await;
    disconnected(&two).await;
    let published = one.publish(&subject, None, Bytes::new()).await;
    assert_eq!(published, Err(PublishError::Disconnected));
    let requested = one.request(&subject, Bytes::new(), test_deadline()).await;
    assert_eq!(requested, Err(RequestError::Disconnected));
    assert_eq!(one.flush().await, Err(FlushError::Disconnected));
    // Made while disconnected, and in force after the reconnect.
    let mut late = soon(two.subscribe(&Pattern::from(&subject))).await;

    rig.restore(&hosts);
    connected(&one).await;
    connected(&two).await;
    one.publish(&subject, None, Bytes::from("again"))
        .await
        .unwrap();
    assert_eq!(
        soon(received.next()).await,
        Some(Delivery::Gap(Gap::Reconnected))
    );
    for received in [&mut received, &mut late] {
        assert_eq!(message(received).await.payload, "again");
    }
}

async fn a_message_waits_for_its_connection_until_its_deadline(mut rig: Rig) {
    let bus = rig.join("a").await.lane(Lane::Calls);
    let subjects = ["1", "2", "3", "4"].map(|name| subject(&bus, &["late", name]));
    let pattern = bus.scope().pattern(&[Part::Name("late"), Part::Any]);
    let mut received = bus.subscribe(&pattern.unwrap()).await;
    rig.cut(&["a"]);
    disconnected(&bus).await;
    let in_vain = Instant::now() + Duration::from_millis(50);
    let [first, ..] = &subjects;
    let lost = bus.publish_until(first, None, Bytes::new(), in_vain).await;
    assert_eq!(lost, Err(PublishError::Disconnected));
    assert!(Instant::now() >= in_vain);
    let publishing = subjects.iter().map(|subject| {
        let payload = Bytes::from(subject.to_string());
        bus.publish_until(subject, None, payload, test_deadline())
    });
    let publishing = futures_util::future::try_join_all(publishing);
    let restoring = async { rig.restore(&["a"]) };
    let (published, ()) = soon(async { tokio::join!(publishing, restoring) }).await;
    published.unwrap();
    // The connections of a lane return one after the other, so some may arrive before the
    // subscription is restored.
    connected(&bus).await;
    bus.publish_until(first, None, Bytes::from("last"), test_deadline())
        .await
        .unwrap();
    while message(&mut received).await.payload != "last" {}
}

async fn a_request_across_a_loss_gets_a_late_reply(mut rig: Rig) {
    let requester = rig.join("a").await.lane(Lane::Calls);
    let responder = rig.join("b").await.lane(Lane::Calls);
    let hosts = ["a", "b"];
    let subject = subject(&requester, &["slow"]);
    let mut requests = responder.subscribe(&Pattern::from(&subject)).await;
    let answered = async {
        let request = message(&mut requests).await;
        rig.cut(&hosts);
        disconnected(&requester).await;
        disconnected(&responder).await;
        rig.restore(&hosts);
        connected(&requester).await;
        let reply = request.reply.unwrap();
        let payload = Bytes::from("late");
        responder
            .publish_until(&reply, None, payload, test_deadline())
            .await
    };
    let request = requester.request_across_losses(
        &subject,
        Bytes::new(),
        test_deadline(),
        Duration::from_secs(10),
    );
    let (reply, answered) = soon(async { tokio::join!(request, answered) }).await;
    answered.unwrap();
    assert_eq!(reply.unwrap(), "late");
}

async fn a_request_across_a_loss_fails_soon_after_the_return(mut rig: Rig) {
    let bus = rig.join("a").await.lane(Lane::Calls);
    let subject = subject(&bus, &["silence"]);
    let mut silent = bus.subscribe(&Pattern::from(&subject)).await;
    let wait = Duration::from_millis(10);
    let request = bus.request_across_losses(&subject, Bytes::new(), test_deadline(), wait);
    let cut = async {
        message(&mut silent).await;
        rig.cut(&["a"]);
        disconnected(&bus).await;
        rig.restore(&["a"]);
    };
    let (lost, ()) = soon(async { tokio::join!(request, cut) }).await;
    assert_eq!(lost, Err(RequestError::ConnectionLost { subject }));
}

async fn closing_a_bus_ends_every_wait(mut rig: Rig) {
    let bus = rig.join("a").await.lane(Lane::Calls);
    let silence = subject(&bus, &["silence"]);
    let mut silent = bus.subscribe(&Pattern::from(&silence)).await;
    let request =
        bus.request_across_losses(&silence, Bytes::new(), test_deadline(), Duration::ZERO);
    let closing = async {
        message(&mut silent).await;
        rig.cut(&["a"]);
        disconnected(&bus).await;
        let publish = bus.publish_until(&silence, None, Bytes::new(), test_deadline());
        let (published, ()) = tokio::join!(publish, bus.close());
        assert_eq!(published, Err(PublishError::Disconnected));
    };
    let (lost, ()) = soon(async { tokio::join!(request, closing) }).await;
    assert!(matches!(lost, Err(RequestError::ConnectionLost { .. })));
}

async fn closing_a_bus_ends_subscriptions_and_publishing(rig: Rig) {
    let (closing, other) = (rig.join("a").await, rig.join("b").await);
    let subject = subject(&closing, &["closing"]);
    let mut received = closing.subscribe(&Pattern::from(&subject)).await;
    soon(closing.close()).await;
    assert_eq!(soon(received.next()).await, None);
    disconnected(&closing).await;
    let published = closing.publish(&subject, None, Bytes::new()).await;
    assert_eq!(published, Err(PublishError::Disconnected));
    other.publish(&subject, None, Bytes::new()).await.unwrap();
}

async fn message(subscription: &mut Subscription) -> Message {
    soon(subscription.next_message())
        .await
        .expect("the bus is open")
}
