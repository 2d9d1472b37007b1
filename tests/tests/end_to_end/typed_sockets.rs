//! Routes that serve functions as WebSockets, at the host that runs the component and through another
//! one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, WebSocket};
use weft_tests::http::{Connection, Request, Response};
use weft_tests::{PATIENCE, eventually};

use crate::feeds::Lattice;

/// As in `typed_streams`: `feed` has more time than a test takes, and `hasty` has none to lose.
const SPEC: &str = "\
components:
- {name: feed, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {body: 100KB, deadline: 5m}}
- {name: hasty, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {deadline: 1s}}
- {name: narrow, source: {file: guest:feed}, placement: {require: {place: back}}, limits: {concurrency: 1, deadline: 5m}}
routes:
- path: /api
  to: feed
  interface: fixture:feed/feed
  operations:
  - {func: plain, as: 'GET /plain/{value}'}
  - {func: chat, as: 'GET /chat?prefix={prefix=}'}
  - {func: mirror, as: GET /mirror}
  - {func: greet, as: GET /greet}
  - {func: reject, as: GET /reject}
  - {func: few, as: 'GET /few/{count}'}
  - {func: deaf, as: GET /deaf}
  - {func: pour, as: 'GET /pour/{length}'}
  - {func: crash, as: GET /crash}
- path: /hasty
  to: hasty
  interface: fixture:feed/feed
  operations:
  - {func: deaf, as: GET /deaf}
- path: /narrow
  to: narrow
  interface: fixture:feed/feed
  operations:
  - {func: deaf, as: GET /deaf}
";

const READY: &str = "/api/plain/ready";

/// The handshake of RFC 6455, section 1.3.
const UPGRADE: &str = "connection: Upgrade\nupgrade: websocket\nsec-websocket-version: 13\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n";

type Socket = WebSocket<TcpStream>;

fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\nhost: feeds\n{headers}\n")
}

/// Opens a socket, with `bytes` behind the request in one packet.
fn open_with(address: SocketAddr, path: &str, bytes: &[u8]) -> Socket {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = request(path, UPGRADE).replace('\n', "\r\n");
    stream
        .write_all(&[request.as_bytes(), bytes].concat())
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{path}: {head}");
    for expected in [
        "upgrade: websocket\r\n",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
    ] {
        assert!(head.contains(expected), "{path}: {head}");
    }
    WebSocket::from_raw_socket(stream, Role::Client, None)
}

fn open(address: SocketAddr, path: &str) -> Socket {
    open_with(address, path, b"")
}

/// A frame of a client, with a mask of zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let mut frame = vec![0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend(payload);
    frame
}

fn text(socket: &mut Socket) -> String {
    match socket.read().unwrap() {
        Message::Text(text) => text.to_string(),
        other => panic!("expected a text, found {other:?}"),
    }
}

/// Reads to the end; the code and the reason of the host.
fn end(socket: &mut Socket) -> (u16, String) {
    loop {
        match socket.read() {
            Ok(Message::Close(Some(CloseFrame { code, reason }))) => {
                // The reply goes with the next read, which finds the end of the connection.
                let closed = socket.read();
                assert!(
                    matches!(closed, Err(Error::ConnectionClosed)),
                    "after the close: {closed:?}"
                );
                return (code.into(), reason.to_string());
            }
            Ok(Message::Close(None)) => panic!("a close without a code"),
            Ok(_) => {}
            Err(error) => panic!("expected a close, found {error}"),
        }
    }
}

fn refused(address: SocketAddr, head: &str) -> Response {
    Connection::with(address, head).response().unwrap()
}

/// Waits until the component has this number of calls.
fn in_flight(lattice: &Lattice, component: &str, count: u64) {
    eventually("calls are in flight", PATIENCE, || {
        let rows = lattice.back.own("components");
        let mut of_component = rows.iter().filter(|row| row["component"] == component);
        let found = of_component.any(|row| row["in_flight"] == count);
        found.then_some(()).ok_or(format!("{rows:?}"))
    });
}

#[test]
fn messages_go_both_ways_on_every_host() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        // The first message is in the packet of the request.
        let mut chat = open_with(address, "/api/chat?prefix=%3E", &frame(1, b"first"));
        assert_eq!(text(&mut chat), ">first", "{place}");
        let long = "é".repeat(45_000);
        for message in ["", "hé", &long, "\0\r\n"] {
            chat.send(Message::text(message)).unwrap();
            assert_eq!(text(&mut chat), format!(">{message}"), "{place}");
        }
        // Many before the first reply, a ping between them, and a message in two frames.
        for number in 0..200 {
            chat.write(Message::text(number.to_string())).unwrap();
        }
        chat.write(Message::Ping(Bytes::from_static(b"alive")))
            .unwrap();
        chat.flush().unwrap();
        let fragment = |opcode, payload: &[u8]| {
            let mut bytes = frame(opcode, payload);
            bytes[0] &= 0x7f;
            bytes
        };
        chat.get_mut().write_all(&fragment(1, b"two ")).unwrap();
        chat.get_mut().write_all(&frame(9, b"within")).unwrap();
        chat.get_mut().write_all(&frame(0, b"frames")).unwrap();
        let (mut texts, mut pongs) = (Vec::new(), Vec::new());
        while texts.len() < 201 {
            match chat.read().unwrap() {
                Message::Text(text) => texts.push(text.to_string()),
                Message::Pong(payload) => pongs.push(payload),
                other => panic!("{place}: {other:?}"),
            }
        }
        let numbers: Vec<_> = (0..200).map(|number| format!(">{number}")).collect();
        assert_eq!(texts[..200], numbers, "{place}");
        assert_eq!(texts[200], ">two frames", "{place}");
        assert!(
            pongs.contains(&Bytes::from_static(b"within")),
            "{place}: {pongs:?}"
        );

        let mut mirror = open(address, "/api/mirror");
        for length in [0, 1, 255, 90_000] {
            let bytes: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            mirror.send(Message::binary(bytes.clone())).unwrap();
            assert_eq!(mirror.read().unwrap(), Message::binary(bytes), "{place}");
        }
        for mut socket in [chat, mirror] {
            socket.close(None).unwrap();
            let reply = socket.read();
            assert!(matches!(reply, Ok(Message::Close(_))), "{place}: {reply:?}");
            let closed = socket.read();
            assert!(
                matches!(closed, Err(Error::ConnectionClosed)),
                "{place}: {closed:?}"
            );
        }
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_socket_ends_with_its_component_and_its_deadline() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        let mut few = open(address, "/api/few/3");
        for number in ["0", "1", "2"] {
            assert_eq!(text(&mut few), number, "{place}");
        }
        assert_eq!(end(&mut few), (1000, String::new()), "{place}");

        let mut crash = open(address, "/api/crash");
        crash.send(Message::text("one")).unwrap();
        assert_eq!(text(&mut crash), "one", "{place}");
        crash.send(Message::text("two")).unwrap();
        let (code, reason) = end(&mut crash);
        assert_eq!(code, 1011, "{place}: {reason}");
        assert!(reason.starts_with("error "), "{place}: {reason}");

        let mut late = open(address, "/hasty/deaf");
        let (code, reason) = end(&mut late);
        assert_eq!(code, 1011, "{place}: {reason}");
        assert!(reason.contains("deadline"), "{place}: {reason}");

        // A function that reads before it returns.
        let mut greeted = open(address, "/api/greet");
        greeted.send(Message::text("hello")).unwrap();
        assert_eq!(text(&mut greeted), "hello", "{place}");
        assert_eq!(end(&mut greeted).0, 1000, "{place}");
        let mut rejected = open(address, "/api/greet");
        rejected.send(Message::text("no")).unwrap();
        let (code, reason) = end(&mut rejected);
        assert!(reason.starts_with("error "), "{place}: {reason}");
        assert_eq!(code, 1011, "{place}");
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_client_that_breaks_the_protocol_gets_the_reason() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        let large = Message::text("a".repeat(100_001));
        let unmasked = b"\x81\x01a".to_vec();
        for (path, message, bytes, expected) in [
            ("/api/chat", Some(large), vec![], 1009),
            ("/api/chat", Some(Message::binary(vec![1])), vec![], 1003),
            ("/api/mirror", Some(Message::text("a")), vec![], 1003),
            ("/api/chat", None, frame(1, b"\xff\xfe"), 1007),
            ("/api/chat", None, frame(3, b""), 1002),
            ("/api/chat", None, unmasked, 1002),
        ] {
            let mut socket = open(address, path);
            match message {
                Some(message) => socket.send(message).unwrap(),
                None => socket.get_mut().write_all(&bytes).unwrap(),
            }
            let (code, reason) = end(&mut socket);
            assert_eq!(code, expected, "{place}, {path}: {reason}");
        }
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn requests_that_open_no_socket_get_a_problem() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        let old = UPGRADE.replace("version: 13", "version: 8");
        let no_key = UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "short");
        let foreign = format!("{UPGRADE}origin: https://evil.example\n");
        let with_body = format!("{UPGRADE}content-length: 1\n");
        for (path, headers, status) in [
            ("/api/chat", "", 426),
            ("/api/chat", old.as_str(), 426),
            ("/api/chat", &no_key, 400),
            ("/api/chat", &foreign, 403),
            ("/api/chat", &with_body, 400),
            ("/api/chat?room=1", UPGRADE, 400),
            ("/api/few/many", UPGRADE, 400),
            ("/api/nothing", UPGRADE, 404),
            ("/api/reject", UPGRADE, 500),
        ] {
            let answer = refused(address, &request(path, headers));
            assert_eq!(answer.status, status, "{place}, {path}: {}", answer.text());
            let media_type = answer.header("content-type");
            assert_eq!(
                media_type,
                Some("application/problem+json"),
                "{place}, {path}"
            );
            let upgrade = (status == 426).then_some("websocket");
            assert_eq!(answer.header("upgrade"), upgrade, "{place}, {path}");
        }
        let post = format!("POST /api/chat HTTP/1.1\nhost: feeds\n{UPGRADE}content-length: 0\n\n");
        assert_eq!(refused(address, &post).status, 405, "{place}");
        let own = format!("{UPGRADE}origin: http://localhost:3000\n");
        let head = request("/api/chat", &own);
        let opened = Connection::with(address, &head).head().unwrap();
        assert_eq!(opened.status, 101, "{place}");
        lattice.nothing_in_flight(place);

        let taken = open(address, "/narrow/deaf");
        let busy = refused(address, &request("/narrow/deaf", UPGRADE));
        assert_eq!(busy.status, 503, "{place}: {}", busy.text());
        drop(taken);
        lattice.nothing_in_flight(place);
        // Another operation of the route is a request like any other.
        let plain = Request::get("/api/plain/text").send(address);
        assert_eq!(plain.text(), "\"text\"", "{place}");
    }
}

#[test]
fn a_client_that_leaves_ends_its_call() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        // The component neither reads nor writes, so it would not notice by itself. A client with
        // unread messages is noticed, too.
        for messages in [0, 1, 10] {
            let mut socket = open(address, "/api/deaf");
            assert_eq!(text(&mut socket), "one", "{place}");
            for _ in 0..messages {
                socket.send(Message::text("unread")).unwrap();
            }
            in_flight(&lattice, "feed", 1);
            drop(socket);
            lattice.nothing_in_flight(place);
        }
        let mut closed = open(address, "/api/deaf");
        closed.close(None).unwrap();
        lattice.nothing_in_flight(place);
        let poured = open(address, "/api/pour/1000");
        in_flight(&lattice, "feed", 1);
        drop(poured);
        lattice.nothing_in_flight(place);
        // Its function waits for the first message, and has not returned.
        let waiting = open(address, "/api/greet");
        in_flight(&lattice, "feed", 1);
        drop(waiting);
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_client_is_read_as_fast_as_its_component_reads() {
    let lattice = Lattice::start(SPEC, READY);
    for (place, address) in lattice.places() {
        let mut socket = open(address, "/api/deaf");
        let brief = Some(Duration::from_secs(1));
        socket.get_mut().set_write_timeout(brief).unwrap();
        let message = "a".repeat(90_000);
        // The buffers of the system take some megabytes.
        let sent = (0..1000).take_while(|_| socket.send(Message::text(&*message)).is_ok());
        let sent = sent.count();
        assert!(sent < 500, "{place}: {sent} messages were accepted");
        drop(socket);
        lattice.nothing_in_flight(place);
    }
}

#[test]
fn a_client_that_never_reads_is_ended() {
    let lattice = Lattice::start(SPEC, READY);
    let places = lattice.places();
    let unread = places.map(|(_, address)| open(address, "/api/pour/100000"));
    in_flight(&lattice, "feed", 2);
    // A minute without progress, as for other responses.
    eventually("the instances are free", Duration::from_secs(90), || {
        let rows = lattice.back.own("components");
        let free = rows.iter().all(|row| row["in_flight"] == 0);
        free.then_some(()).ok_or(format!("{rows:?}"))
    });
    drop(unread);
}

#[test]
fn a_host_that_stops_closes_its_sockets() {
    let lattice = Lattice::start(SPEC, READY);
    let sockets = lattice.places().map(|(place, address)| {
        let mut socket = open(address, "/api/chat");
        socket.send(Message::text("one")).unwrap();
        assert_eq!(text(&mut socket), "one", "{place}");
        (place, socket)
    });
    let [(_, mut here), (_, mut elsewhere)] = sockets;
    // The front first: its calls run on the other host.
    lattice.front.process().terminate().unwrap();
    assert_eq!(end(&mut elsewhere).0, 1001);
    in_flight(&lattice, "feed", 1);
    lattice.back.process().terminate().unwrap();
    assert_eq!(end(&mut here).0, 1001);
    let Lattice { front, back, .. } = lattice;
    for host in [front, back] {
        host.ended(PATIENCE)
            .expect_code(0)
            .expect_stderr(&["drained"]);
    }
}
