//! Connections whose clients send nothing, read nothing, or leave. The clock is the test's: it jumps
//! while nothing else happens.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use weft_ingress::{Readiness, RouteTable, Server, ServerSettings};

use crate::client::get;
use crate::fake_handler::FakeHandler;
use crate::{PATIENCE, route, start, start_set};

/// The bytes with which a client of HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An empty `SETTINGS` frame.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Longer than every bound here.
const LONG: Duration = Duration::from_secs(600);

const KEEP_ALIVE: Duration = Duration::from_secs(20);

async fn start_keeping_alive(handler: FakeHandler) -> Server {
    let routes = RouteTable::new(vec![route(handler.target())]);
    let settings = ServerSettings {
        keep_alive: KEEP_ALIVE,
        ..ServerSettings::default()
    };
    start_set(routes, || Readiness::Ready, settings).await
}

/// A connection that has sent these bytes.
async fn sent(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Reads until the server closes the connection, and returns what came and the time.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, Duration) {
    let (mut bytes, start) = (Vec::new(), Instant::now());
    // A reset ends it too.
    let _ = timeout(LONG, stream.read_to_end(&mut bytes)).await.unwrap();
    (bytes, start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_closes() {
    let server = start(FakeHandler::Echo.target()).await;
    let half_a_head = b"GET /app HTTP/1.1\r\nhost: loc".as_slice();
    let preface = [PREFACE, SETTINGS].concat();
    let cases: [&[u8]; 6] = [b"", b"P", &PREFACE[..10], PREFACE, &preface, half_a_head];
    for bytes in cases {
        let (_, after) = rest(&mut sent(&server, bytes).await).await;
        assert!(after >= Duration::from_secs(9), "{after:?}: {bytes:?}");
        assert!(after <= Duration::from_secs(20), "{after:?}: {bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_closes_after_the_keep_alive() {
    let server = start_keeping_alive(FakeHandler::Frames(vec![])).await;
    let request = b"GET /app HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut stream = sent(&server, request).await;
    let (answer, after) = rest(&mut stream).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    assert!(after >= KEEP_ALIVE, "{after:?}");
    assert!(after <= KEEP_ALIVE + Duration::from_secs(12), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_http2_connection_closes_after_the_keep_alive() {
    let server = start_keeping_alive(FakeHandler::Frames(vec![])).await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    let mut request = get("/app");
    *request.uri_mut() = "http://localhost/app".parse().unwrap();
    let used = async move {
        let response = sender.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        let start = Instant::now();
        std::future::pending::<()>().await;
        drop((sender, start));
    };
    let start = Instant::now();
    tokio::select! {
        () = used => {}
        _ = timeout(LONG, connection) => {}
    }
    let after = start.elapsed();
    assert!(after >= KEEP_ALIVE, "{after:?}");
    assert!(after <= KEEP_ALIVE + Duration::from_secs(15), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_loses_its_connection() {
    let dropped = Arc::new(Semaphore::new(0));
    let server = start(FakeHandler::Endless(dropped.clone()).target()).await;
    let _stream = sent(&server, b"GET /app HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let permit = timeout(LONG, dropped.acquire()).await.unwrap();
    permit.unwrap().forget();

    // The same with a window of HTTP/2 that stays closed.
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(0);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    let mut request = get("/app");
    *request.uri_mut() = "http://localhost/app".parse().unwrap();
    let used = async move {
        let response = sender.send_request(request).await.unwrap();
        std::future::pending::<()>().await;
        drop((sender, response));
    };
    tokio::select! {
        () = used => {}
        closed = timeout(LONG, connection) => drop(closed.unwrap()),
    }
    let permit = timeout(LONG, dropped.acquire()).await.unwrap();
    permit.unwrap().forget();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_does_not_hold_a_drain() {
    let dropped = Arc::new(Semaphore::new(0));
    let server = start(FakeHandler::Endless(dropped).target()).await;
    let _stream = sent(&server, b"GET /app HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let start = Instant::now();
    assert!(server.drain(PATIENCE).await);
    assert!(
        start.elapsed() <= Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_client_gets_its_answer() {
    let server = start(FakeHandler::Late(Duration::from_secs(3)).target()).await;
    let mut stream = sent(&server, b"GET /app HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    stream.shutdown().await.unwrap();
    let (answer, _) = rest(&mut stream).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_its_request() {
    let upload = b"POST /app HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\nsome";
    for request in [
        b"GET /app HTTP/1.1\r\nhost: localhost\r\n\r\n".as_slice(),
        upload,
    ] {
        let dropped = Arc::new(Semaphore::new(0));
        let server = start(FakeHandler::Waiting(dropped.clone()).target()).await;
        drop(sent(&server, request).await);
        let start = Instant::now();
        timeout(LONG, dropped.acquire())
            .await
            .unwrap()
            .unwrap()
            .forget();
        assert!(
            start.elapsed() <= Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
    }
}
