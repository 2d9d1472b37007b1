//! Responses that are complete before the client has sent its request: the client gets them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use weft_ingress::RouteTarget;

use crate::fake_handler::{BODY_BYTES_MAX, FakeFrame, FakeHandler};
use crate::forward::OtherHost;
use crate::{start, within};

/// Less than a component may accept, and more than fits into the buffers of a connection.
const BODY_BYTES: usize = BODY_BYTES_MAX - 1;

const RESPONSE: &str = "HTTP/1.1 200 OK\r\n";

/// A handler that responds without reading, here and on another host.
fn targets() -> [RouteTarget; 2] {
    let handler = FakeHandler::Frames(vec![FakeFrame::Data("early")]);
    let other = OtherHost::with(Some(handler.clone()));
    [handler.target(), other.target()]
}

fn head(path: &str, bytes: usize, more: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {bytes}\r\n{more}\r\n")
}

/// Reads a response to its end, in one chunk or of known length, and returns it.
async fn response(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    within(async {
        while !bytes.ends_with(b"0\r\n\r\n") && !bytes.ends_with(b"\r\n\r\nearly") {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "{bytes:?}");
        }
    })
    .await;
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_client_that_sends_everything_first_gets_an_early_response() {
    for target in targets() {
        let server = start(target).await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        // Twice on one connection.
        for _ in 0..2 {
            let head = head("/app", BODY_BYTES, "");
            within(stream.write_all(head.as_bytes())).await.unwrap();
            within(stream.write_all(&vec![b'x'; BODY_BYTES]))
                .await
                .unwrap();
            let response = response(&mut stream).await;
            assert!(response.starts_with(RESPONSE), "{response}");
        }
    }
}

#[tokio::test]
async fn a_client_of_a_body_that_is_too_large_gets_the_reason() {
    for target in targets() {
        let server = start(target).await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let bytes = 3 << 20;
        let head = head("/app", bytes, "connection: close\r\n");
        within(stream.write_all(head.as_bytes())).await.unwrap();
        within(stream.write_all(&vec![b'x'; bytes])).await.unwrap();
        let mut response = String::new();
        within(stream.read_to_string(&mut response)).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_sends_the_rest_is_awaited_for_a_bounded_time() {
    for target in targets() {
        let server = start(target).await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = head("/app", BODY_BYTES, "");
        stream.write_all(head.as_bytes()).await.unwrap();
        let start = Instant::now();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with(RESPONSE), "{response}");
        assert!(
            start.elapsed() <= Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
    }
}

#[tokio::test]
async fn a_client_that_waits_for_permission_is_refused_without_it() {
    for target in targets() {
        let server = start(target).await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = head("/nothing", 10, "expect: 100-continue\r\n");
        within(stream.write_all(head.as_bytes())).await.unwrap();
        let mut response = String::new();
        within(stream.read_to_string(&mut response)).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
    }
}
