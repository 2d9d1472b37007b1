//! Responses without a body, whatever their component writes: by both protocols, here and through
//! another host.

use std::sync::Arc;

use http::{Method, Request, StatusCode, header};
use tokio::sync::Semaphore;

use crate::client::{ClientBody, Received, get, send, send_http2};
use crate::fake_handler::FakeHandler;
use crate::forward::OtherHost;
use crate::{start, within};

fn head(path: &str) -> Request<ClientBody> {
    let mut request = get(path);
    *request.method_mut() = Method::HEAD;
    request
}

/// The responses to a request to a handler, over each path and protocol.
async fn responses(
    handler: FakeHandler,
    request: fn(&str) -> Request<ClientBody>,
) -> Vec<Received> {
    let mut received = Vec::new();
    let other = OtherHost::with(Some(handler.clone())).target();
    for target in [handler.target(), other] {
        let server = start(target).await;
        received.push(send(server.address(), request("/app")).await);
        received.push(send_http2(server.address(), request("/app")).await);
    }
    received
}

#[tokio::test]
async fn the_response_to_head_has_the_length_and_no_body() {
    let read = Arc::new(Semaphore::new(0));
    let handler = FakeHandler::Status(StatusCode::OK, read.clone());
    for response in responses(handler, head).await {
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.headers[header::CONTENT_LENGTH], "4");
        assert!(response.body.is_empty(), "{response:?}");
        // The component wrote its body to the end.
        within(read.acquire()).await.unwrap().forget();
    }
}

#[tokio::test]
async fn a_status_without_a_body_has_none() {
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
        for request in [get, head] {
            let read = Arc::new(Semaphore::new(0));
            let handler = FakeHandler::Status(status, read.clone());
            for response in responses(handler, request).await {
                assert_eq!(response.status, status);
                assert!(!response.headers.contains_key(header::CONTENT_LENGTH));
                assert!(response.body.is_empty(), "{response:?}");
                within(read.acquire()).await.unwrap().forget();
            }
        }
    }
}

#[tokio::test]
async fn an_interim_status_of_a_component_is_a_500() {
    for status in [StatusCode::CONTINUE, StatusCode::EARLY_HINTS] {
        let handler = FakeHandler::Status(status, Arc::new(Semaphore::new(0)));
        for response in responses(handler, get).await {
            assert_eq!(response.status, StatusCode::INTERNAL_SERVER_ERROR);
            let status = status.as_u16().to_string();
            assert!(response.text().contains(&status), "{response:?}");
        }
    }
}

#[tokio::test]
async fn responses_of_the_host_to_head_have_the_length_and_no_body() {
    for (path, status) in [
        ("/nothing", StatusCode::NOT_FOUND),
        ("/app", StatusCode::SERVICE_UNAVAILABLE),
        ("/app/../x", StatusCode::BAD_REQUEST),
        (weft_ingress::READY_PATH, StatusCode::OK),
    ] {
        let server = start(FakeHandler::Full.target()).await;
        let with_body = send(server.address(), get(path)).await;
        let length = with_body.body.len().to_string();
        for response in [
            send(server.address(), head(path)).await,
            send_http2(server.address(), head(path)).await,
        ] {
            assert_eq!(response.status, status, "{path}");
            assert_eq!(response.headers[header::CONTENT_LENGTH], *length, "{path}");
            assert!(response.body.is_empty(), "{response:?}");
        }
    }
}
