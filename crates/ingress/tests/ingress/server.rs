//! Requests to components of the same host.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use crate::client::{post, post_chunks, post_head, send};
use crate::fake_handler::{BODY_BYTES_MAX, FakeHandler, Gate};
use crate::{PATIENCE, start, within};

#[tokio::test]
async fn a_request_reaches_the_handler_with_its_body() {
    let server = start(FakeHandler::Echo.target()).await;
    let response = send(server.address(), post("/app/orders", "a teapot")).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.headers["x-path"], "/app/orders");
    assert_eq!(response.text(), "a teapot");
}

#[tokio::test]
async fn a_body_is_streamed_to_the_handler_and_back() {
    let server = start(FakeHandler::StreamBack.target()).await;
    let chunks: Vec<_> = (0..16).map(|n| Bytes::from(vec![n; 40_000])).collect();
    let response = send(server.address(), post_chunks("/app", chunks.clone())).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.body, chunks.concat());
}

#[tokio::test]
async fn a_declared_body_over_the_limit_is_rejected_with_413() {
    let server = start(FakeHandler::Echo.target()).await;
    let body = vec![0; BODY_BYTES_MAX];
    let response = send(server.address(), post("/app", body)).await;
    assert_eq!(response.status, StatusCode::OK);

    let request = post_head("/app", BODY_BYTES_MAX + 1);
    let response = send(server.address(), request).await;
    assert_eq!(response.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(response.text().contains("`limits.body`"), "{response:?}");
}

#[tokio::test]
async fn an_undeclared_body_over_the_limit_fails_in_the_handler() {
    let server = start(FakeHandler::Echo.target()).await;
    let chunks = vec![Bytes::from(vec![0; BODY_BYTES_MAX]), Bytes::from("x")];
    let response = send(server.address(), post_chunks("/app", chunks)).await;
    assert_eq!(response.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(response.text().contains("body too large"), "{response:?}");
}

#[tokio::test]
async fn an_overloaded_handler_is_503_with_retry_after() {
    let server = start(FakeHandler::Full.target()).await;
    let response = send(server.address(), post("/app", "x")).await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers[header::RETRY_AFTER], "1");
    assert!(response.text().contains("`app/echo`"), "{response:?}");
}

#[tokio::test]
async fn an_unknown_route_is_404() {
    let server = start(FakeHandler::Echo.target()).await;
    for path in ["/", "/apps", "/other/app"] {
        let response = send(server.address(), post(path, "x")).await;
        assert_eq!(response.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn ambiguous_requests_are_rejected_with_400() {
    let server = start(FakeHandler::Echo.target()).await;
    let mut without_host = post("/app", "x");
    without_host.headers_mut().remove(header::HOST);
    let mut two_hosts = post("/app", "x");
    let other = HeaderValue::from_static("other");
    two_hosts.headers_mut().append(header::HOST, other);
    let dots = post("/app/%2e%2e/admin", "x");
    for request in [without_host, two_hosts, dots] {
        let response = send(server.address(), request).await;
        assert_eq!(response.status, StatusCode::BAD_REQUEST, "{response:?}");
    }
}

#[tokio::test]
async fn a_drain_waits_for_the_current_request() {
    let gate = Arc::new(Gate::default());
    let server = start(FakeHandler::Blocked(gate.clone()).target()).await;
    let request = send(server.address(), post("/app", "x"));
    let drain = async {
        gate.entered.notified().await;
        let release = async { gate.released.notify_one() };
        tokio::join!(server.drain(PATIENCE), release).0
    };
    let (response, is_finished) = within(async { tokio::join!(request, drain) }).await;
    assert_eq!(response.status, StatusCode::OK);
    assert!(is_finished);
}

#[tokio::test]
async fn a_server_that_rejects_requests_answers_503_and_finishes_the_current_one() {
    let gate = Arc::new(Gate::default());
    let server = start(FakeHandler::Blocked(gate.clone()).target()).await;
    let request = send(server.address(), post("/app", "x"));
    let rejected = async {
        gate.entered.notified().await;
        server.reject_requests("this process was superseded");
        let rejected = send(server.address(), post("/app", "x")).await;
        gate.released.notify_one();
        rejected
    };
    let (response, rejected) = within(async { tokio::join!(request, rejected) }).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(rejected.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(rejected.text().contains("superseded"), "{rejected:?}");
}

#[tokio::test]
async fn a_drain_reports_a_request_that_is_unfinished_at_its_deadline() {
    let gate = Arc::new(Gate::default());
    let server = start(FakeHandler::Blocked(gate.clone()).target()).await;
    let request = send(server.address(), post("/app", "x"));
    let drain = async {
        gate.entered.notified().await;
        let is_finished = server.drain(Duration::ZERO).await;
        gate.released.notify_one();
        is_finished
    };
    let (response, is_finished) = within(async { tokio::join!(request, drain) }).await;
    assert_eq!(response.status, StatusCode::OK);
    assert!(!is_finished);
}
