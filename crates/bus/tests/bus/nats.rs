//! Behaviour specific to NATS: servers that are unavailable, hang or require authentication, and
//! foreign clients.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::time::Instant;
use weft_bus::nats::{NatsOptions, connect};
use weft_bus::{Bus, Pattern, RequestError, Scope, Status};

use weft_testkit::bus::{connected, disconnected, options, soon, subject, test_deadline};
use weft_testkit::nats_server::{NatsServer, start_nats, start_nats_with};

/// A host of the lattice `test`, which may not be connected yet.
async fn host(server: &NatsServer) -> Bus {
    let scope = Scope::new("test").unwrap();
    connect(scope, &options(server, "a")).await.unwrap()
}

/// A connected host, and its server.
async fn connected_host() -> (NatsServer, Bus) {
    let server = start_nats();
    let bus = host(&server).await;
    connected(&bus).await;
    (server, bus)
}

#[tokio::test]
async fn a_host_starts_while_its_server_is_unavailable() {
    let mut server = start_nats();
    server.kill();
    let bus = host(&server).await;
    let subject = subject(&bus, &["early"]);
    let mut received = soon(bus.subscribe(&Pattern::from(&subject))).await;
    assert!(!bus.status().borrow().is_connected());
    server.start().unwrap();
    connected(&bus).await;
    bus.publish(&subject, None, Bytes::from("there"))
        .await
        .unwrap();
    assert_eq!(
        soon(received.next_message()).await.unwrap().payload,
        "there"
    );
}

#[tokio::test]
async fn a_hanging_server_counts_as_dead_within_seconds() {
    let (server, bus) = connected_host().await;
    let subject = subject(&bus, &["hangs"]);
    let _silent = bus.subscribe(&Pattern::from(&subject)).await;
    server.process().unwrap().suspend().unwrap();
    let frozen = Instant::now();
    let lost = soon(bus.request(&subject, Bytes::new(), test_deadline())).await;
    assert!(matches!(lost, Err(RequestError::ConnectionLost { .. })));
    disconnected(&bus).await;
    assert!(
        frozen.elapsed() < Duration::from_secs(6),
        "{:?}",
        frozen.elapsed()
    );
    server.process().unwrap().resume().unwrap();
    connected(&bus).await;
}

#[tokio::test]
async fn a_rejected_host_reports_the_reason_and_keeps_trying() {
    let server = start_nats_with("authorization { token: secret }");
    let bus = host(&server).await;
    let is_refused = |status: &Status| match status {
        Status::Disconnected { reason, .. } => reason
            .as_deref()
            .is_some_and(|reason| reason.contains("authorization")),
        Status::Connected { .. } => panic!("connected without the token"),
    };
    soon(bus.status().wait_for(is_refused)).await.unwrap();
}

#[tokio::test]
async fn an_nkey_authenticates_the_host() {
    let seed = "SUACH75SWCM5D2JMJM6EKLR2WDARVGZT4QC6LX3AGHSWOMVAKERABBBRWM";
    let public = nkey_public(seed);
    let users = format!("authorization {{ users = [ {{ nkey: {public} }} ] }}");
    let server = start_nats_with(&users);
    let with_key = NatsOptions {
        nkey: Some(seed.to_owned()),
        ..options(&server, "a")
    };
    let bus = connect(Scope::new("test").unwrap(), &with_key)
        .await
        .unwrap();
    connected(&bus).await;
    let shown = format!("{with_key:?}");
    assert!(!shown.contains("SUACH"), "{shown}");
}

fn nkey_public(seed: &str) -> String {
    nkeys::KeyPair::from_seed(seed).unwrap().public_key()
}

#[tokio::test]
async fn malformed_subjects_are_not_delivered() {
    let (server, bus) = connected_host().await;
    let everything = bus.scope().pattern(&[weft_bus::Part::Rest]).unwrap();
    let mut received = bus.subscribe(&everything).await;
    let foreign = async_nats::connect(server.url()).await.unwrap();
    for subject in [
        "weft.test.=2a",
        "weft.test.$x",
        "weft.test.a..b",
        "weft.test.ok",
    ] {
        let reply = "$JS.API.STREAM.DELETE.KV";
        let payload = Bytes::from(subject);
        foreign
            .publish_with_reply(subject, reply, payload)
            .await
            .unwrap();
    }
    let message = soon(received.next_message()).await.unwrap();
    assert_eq!(
        (message.subject.as_str(), message.reply),
        ("weft.test.ok", None)
    );
}

#[tokio::test]
async fn concurrent_requests_are_batched() {
    let (server, bus) = connected_host().await;
    let subject = subject(&bus, &["together"]);
    let foreign = async_nats::connect(server.url()).await.unwrap();
    let mut seen = foreign.subscribe(subject.to_string()).await.unwrap();
    // Once a message has come back, the subscription is in force at the server.
    foreign
        .publish(subject.to_string(), Bytes::new())
        .await
        .unwrap();
    soon(seen.next()).await.unwrap();
    let mut requests = (0..50).map(|number: u32| {
        let payload = Bytes::from(number.to_string());
        let (bus, subject) = (&bus, &subject);
        async move { bus.request(subject, payload, test_deadline()).await }
    });
    let first = requests.next().unwrap();
    let rest = join_all(requests);
    let answered = async {
        let mut messages = 0;
        // After the last request all have been seen: the connection for a subject keeps messages in
        // order.
        let last = loop {
            let message = seen.next().await.unwrap();
            messages += 1;
            if message.payload.ends_with(b"49") {
                break message;
            }
        };
        assert!(
            last.headers
                .is_some_and(|headers| headers.get("weft-batch").is_some())
        );
        messages
    };
    tokio::select! {
        messages = soon(answered) => assert!((1..50).contains(&messages), "{messages}"),
        answers = async { tokio::join!(first, rest) } => panic!("nobody answers, found {answers:?}"),
    }
}

#[tokio::test]
async fn malformed_batches_are_not_delivered() {
    let (server, bus) = connected_host().await;
    let subject = subject(&bus, &["calls"]);
    let mut received = bus.subscribe(&Pattern::from(&subject)).await;
    let foreign = async_nats::connect(server.url()).await.unwrap();
    let inbox = "weft-inbox.test.somebody.1";
    // Each with an inbox, a version and a payload; only the last one is valid.
    for (reply, version, payload) in [
        (inbox, "1", &b"\xff\xff\xff\xff\x0f"[..]),
        (inbox, "1", b"\x02\x05\x01x"),
        (inbox, "1", b"\x01\x05\x01xy"),
        (inbox, "2", b"\x01\x05\x01x"),
        ("weft-inbox.other.somebody.1", "1", b"\x01\x05\x01x"),
        ("weft.test.calls", "1", b"\x01\x05\x01x"),
        ("$JS.API.STREAM.DELETE.KV", "1", b"\x01\x05\x01x"),
        (inbox, "1", b"\x02\x05\x01x\x07\x01y"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("weft-batch", version);
        let (subject, payload) = (subject.to_string(), Bytes::from_static(payload));
        let sent =
            foreign.publish_with_reply_and_headers(subject, reply.to_owned(), headers, payload);
        sent.await.unwrap();
    }
    for (payload, reply) in [
        ("x", "weft-inbox.test.somebody.5"),
        ("y", "weft-inbox.test.somebody.7"),
    ] {
        let message = soon(received.next_message()).await.unwrap();
        assert_eq!(message.payload, payload);
        assert_eq!(message.reply.unwrap().as_str(), reply);
    }
}
