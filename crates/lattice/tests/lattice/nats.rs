//! What is NATS' own: servers that are away, hang or ask for more, and foreign clients.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use weft_lattice::bus::nats::{NatsOptions, connect};
use weft_lattice::bus::{Pattern, RequestError, Scope, Status};

use crate::rig::{connected, disconnected, in_time, options, soon, subject};
use crate::server::NatsServer;

#[tokio::test]
async fn a_host_starts_while_its_server_is_away() {
    let mut server = NatsServer::start("").await;
    server.kill();
    let bus = connect(Scope::new("test").unwrap(), &options(&server, "a"))
        .await
        .unwrap();
    let subject = subject(&bus, &["early"]);
    let mut received = soon(bus.subscribe(&Pattern::from(&subject))).await;
    assert!(!bus.status().borrow().is_connected());
    server.start_again().await;
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
async fn a_server_that_hangs_counts_as_gone_within_seconds() {
    let server = NatsServer::start("").await;
    let bus = connect(Scope::new("test").unwrap(), &options(&server, "a"))
        .await
        .unwrap();
    connected(&bus).await;
    let subject = subject(&bus, &["hangs"]);
    let _silent = bus.subscribe(&Pattern::from(&subject)).await;
    server.freeze();
    let frozen = Instant::now();
    let lost = soon(bus.request(&subject, Bytes::new(), in_time())).await;
    assert!(matches!(lost, Err(RequestError::ConnectionLost { .. })));
    disconnected(&bus).await;
    assert!(
        frozen.elapsed() < Duration::from_secs(6),
        "{:?}",
        frozen.elapsed()
    );
    server.thaw();
    connected(&bus).await;
}

#[tokio::test]
async fn a_host_that_the_server_refuses_says_why_and_goes_on_trying() {
    let server = NatsServer::start("authorization { token: secret }").await;
    let bus = connect(Scope::new("test").unwrap(), &options(&server, "a"))
        .await
        .unwrap();
    let is_refused = |status: &Status| match status {
        Status::Disconnected { reason, .. } => reason
            .as_deref()
            .is_some_and(|reason| reason.contains("authorization")),
        Status::Connected { .. } => panic!("connected without the token"),
    };
    soon(bus.status().wait_for(is_refused)).await.unwrap();
}

#[tokio::test]
async fn an_nkey_is_enough_where_the_server_asks_for_it() {
    let seed = "SUACH75SWCM5D2JMJM6EKLR2WDARVGZT4QC6LX3AGHSWOMVAKERABBBRWM";
    let public = nkey_public(seed);
    let users = format!("authorization {{ users = [ {{ nkey: {public} }} ] }}");
    let server = NatsServer::start(&users).await;
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
async fn what_no_host_writes_is_not_delivered() {
    let server = NatsServer::start("").await;
    let bus = connect(Scope::new("test").unwrap(), &options(&server, "a"))
        .await
        .unwrap();
    connected(&bus).await;
    let everything = bus
        .scope()
        .pattern(&[weft_lattice::bus::Part::Rest])
        .unwrap();
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
