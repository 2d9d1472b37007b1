//! Behaviour specific to NATS: servers that are unavailable, hang or require authentication, and
//! foreign clients.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::time::Instant;
use weft_bus::nats::{Login, NatsOptions, TlsIdentity, TlsOptions, connect};
use weft_bus::{Bus, OutageKind, Pattern, RequestError, Scope, Status};

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

/// A host with a login, which may not be connected yet.
async fn host_with_login(server: &NatsServer, login: Option<Login>) -> Bus {
    let options = NatsOptions {
        login,
        ..options(server, "a")
    };
    connect(Scope::new("test").unwrap(), &options)
        .await
        .unwrap()
}

/// Waits until a host is rejected, and returns the reason.
async fn rejected(bus: &Bus) -> (OutageKind, String) {
    let mut status = bus.status();
    let is_decided = |status: &Status| {
        status.is_connected() || status.outage().is_some_and(|it| it.is_rejection())
    };
    let status = soon(status.wait_for(is_decided)).await.unwrap();
    let outage = status.outage().expect("the host is rejected");
    (outage.kind(), outage.to_string())
}

const SEED: &str = "SUACH75SWCM5D2JMJM6EKLR2WDARVGZT4QC6LX3AGHSWOMVAKERABBBRWM";

fn nkey_public(seed: &str) -> String {
    nkeys::KeyPair::from_seed(seed).unwrap().public_key()
}

#[tokio::test]
async fn every_form_of_login_is_accepted_and_a_wrong_one_rejected_with_the_reason() {
    let password = |password: &str| Login::Password {
        user: "north".to_owned(),
        password: password.to_owned(),
    };
    let directory = tempfile::tempdir().unwrap();
    let seed_file = |name: &str, seed: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, format!("{seed}\n")).unwrap();
        Login::NkeyFile(path)
    };
    let other_seed = nkeys::KeyPair::new_user().seed().unwrap();
    let nkey = format!("users = [ {{ nkey: {} }} ]", nkey_public(SEED));
    for (users, right, wrong) in [
        (
            "token: secret",
            Login::Token("secret".to_owned()),
            Login::Token("wr0ng".to_owned()),
        ),
        (
            "user: north, password: secret",
            password("secret"),
            password("wr0ng"),
        ),
        (
            &nkey,
            Login::Nkey(SEED.to_owned()),
            Login::Nkey(other_seed.clone()),
        ),
        (
            &nkey,
            seed_file("right", SEED),
            seed_file("wrong", &other_seed),
        ),
    ] {
        let server = start_nats_with(&format!("authorization {{ {users} }}"));
        let host = host_with_login(&server, Some(right)).await;
        connected(&host).await;
        for login in [None, Some(wrong)] {
            let shown = format!("{login:?}");
            let (kind, reason) = rejected(&host_with_login(&server, login).await).await;
            assert_eq!(kind, OutageKind::Login, "{reason}");
            assert!(reason.contains("authorization violation"), "{reason}");
            for text in [shown, reason] {
                assert!(!text.contains("wr0ng") && !text.contains("SUA"), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_login_in_the_address_is_used_and_never_shown() {
    let server = start_nats_with("authorization { user: north, password: \"se/cr@t\" }");
    for (user_info, is_right) in [("north:se%2Fcr%40t", true), ("north:wr0ng", false)] {
        let address = server
            .url()
            .replace("nats://", &format!("nats://{user_info}@"));
        let options = NatsOptions {
            servers: vec![address],
            ..options(&server, "a")
        };
        assert_eq!(options.shown_servers(), server.url());
        let bus = connect(Scope::new("test").unwrap(), &options)
            .await
            .unwrap();
        if is_right {
            connected(&bus).await;
        } else {
            let (kind, reason) = rejected(&bus).await;
            assert_eq!(kind, OutageKind::Login, "{reason}");
            assert!(!reason.contains("wr0ng"), "{reason}");
        }
    }
}

#[tokio::test]
async fn a_login_without_the_permissions_of_a_host_is_rejected_with_the_reason() {
    let users =
        "users = [ { user: north, password: secret, permissions: { subscribe: \"nothing\" } } ]";
    let server = start_nats_with(&format!("authorization {{ {users} }}"));
    let login = Login::Password {
        user: "north".to_owned(),
        password: "secret".to_owned(),
    };
    let (kind, reason) = rejected(&host_with_login(&server, Some(login)).await).await;
    assert_eq!(kind, OutageKind::Login);
    assert!(reason.contains("Permissions Violation"), "{reason}");
}

#[tokio::test]
async fn a_server_that_accepts_only_tiny_messages_is_rejected_with_the_reason() {
    let server = start_nats_with("max_payload: 1024");
    let (kind, reason) = rejected(&host_with_login(&server, None).await).await;
    assert_eq!(kind, OutageKind::MaxPayload);
    let expected = "expected a `max_payload` of at least 8192 bytes, found 1024";
    assert!(reason.contains(expected), "{reason}");
    let server = start_nats_with("max_payload: 8192");
    connected(&host_with_login(&server, None).await).await;
}

/// A file of the test's certificates, whose README names them.
fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/certificates")
        .join(name)
}

#[tokio::test]
async fn a_client_certificate_is_a_login_and_mistakes_in_tls_are_reported_as_such() {
    let file = |name: &str| certificate(name).display().to_string();
    let server = start_nats_with(&format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        file("server.pem"),
        file("server-key.pem"),
        file("authority.pem"),
    ));
    let client = || {
        Some(TlsIdentity {
            cert: certificate("client.pem"),
            key: certificate("client-key.pem"),
        })
    };
    for (ca, identity, expected) in [
        ("authority.pem", client(), None),
        ("authority.pem", None, Some("ertificate")),
        ("stranger.pem", client(), Some("certificate")),
    ] {
        let ca = Some(certificate(ca));
        let options = NatsOptions {
            tls: Some(TlsOptions { ca, identity }),
            ..options(&server, "a")
        };
        let bus = connect(Scope::new("test").unwrap(), &options)
            .await
            .unwrap();
        match expected {
            None => connected(&bus).await,
            Some(expected) => {
                let (kind, reason) = rejected(&bus).await;
                assert_eq!(kind, OutageKind::Tls, "{reason}");
                assert!(reason.contains(expected), "{reason}");
            }
        }
    }
}

#[tokio::test]
async fn tls_to_a_server_without_it_fails_with_the_reason() {
    let server = start_nats();
    let options = NatsOptions {
        servers: vec![server.url().replace("nats://", "tls://")],
        ..options(&server, "a")
    };
    let bus = connect(Scope::new("test").unwrap(), &options)
        .await
        .unwrap();
    let (kind, reason) = rejected(&bus).await;
    assert_eq!(kind, OutageKind::Tls, "{reason}");
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
