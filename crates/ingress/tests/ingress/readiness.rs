//! Readiness of a host, and its responses while it starts and ends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use http::{Method, StatusCode, header};
use weft_ingress::{READY_PATH, Readiness, RouteTable, RouteTarget};

use crate::client::{get, post, send};
use crate::fake_handler::FakeHandler;
use crate::{PATIENCE, route, start, start_with, within};

#[tokio::test]
async fn the_readiness_has_a_status_and_a_reason() {
    for (readiness, status, text) in [
        (Readiness::Ready, StatusCode::OK, "ready"),
        (
            Readiness::Starting,
            StatusCode::SERVICE_UNAVAILABLE,
            "starts",
        ),
        (
            Readiness::Draining,
            StatusCode::SERVICE_UNAVAILABLE,
            "drains",
        ),
    ] {
        let routes = RouteTable::new(vec![route(FakeHandler::Echo.target())]);
        let server = start_with(routes, move || readiness).await;
        let response = send(server.address(), get(READY_PATH)).await;
        assert_eq!(response.status, status, "{readiness:?}");
        assert!(response.text().contains(text), "{response:?}");
        let mut head = get(READY_PATH);
        *head.method_mut() = Method::HEAD;
        assert_eq!(send(server.address(), head).await.status, status);
        // A host that is not ready answers the requests that still arrive.
        let response = send(server.address(), post("/app", "a teapot")).await;
        assert_eq!(response.text(), "a teapot", "{readiness:?}");
    }
}

#[tokio::test]
async fn the_readiness_cannot_be_posted() {
    let server = start(FakeHandler::Echo.target()).await;
    let response = send(server.address(), post(READY_PATH, "")).await;
    assert_eq!(response.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_host_that_may_lack_routes_answers_503_where_it_has_none_and_never_404() {
    let routes = RouteTable::partial(vec![route(FakeHandler::Echo.target())]);
    let server = start_with(routes, || Readiness::Starting).await;
    let response = send(server.address(), post("/app", "a teapot")).await;
    assert_eq!(response.text(), "a teapot");
    let response = send(server.address(), post("/other", "x")).await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers[header::RETRY_AFTER], "1");
    assert!(response.text().contains("`/other`"), "{response:?}");
}

#[tokio::test]
async fn a_component_that_runs_on_no_host_is_503_with_the_reason() {
    let server = start(RouteTarget::Unavailable("`app/echo` is broken".into())).await;
    let response = send(server.address(), post("/app", "x")).await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.text().contains("`app/echo` is broken"));
}

#[tokio::test]
async fn a_server_that_is_about_to_end_serves_and_closes_each_connection() {
    let server = start(FakeHandler::Echo.target()).await;
    let response = send(server.address(), post("/app", "before")).await;
    assert!(!response.headers.contains_key(header::CONNECTION));
    server.announce_end();
    for path in ["/app", "/other", READY_PATH] {
        let response = send(server.address(), post(path, "after")).await;
        assert_eq!(response.headers[header::CONNECTION], "close", "{path}");
    }
    let response = send(server.address(), post("/app", "after")).await;
    assert_eq!(response.text(), "after");
}

#[tokio::test]
async fn a_request_that_the_system_accepted_before_the_drain_is_served() {
    let server = start(FakeHandler::Echo.target()).await;
    // The server does not run before the next await: the system alone takes the request.
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "POST /app HTTP/1.1\r\nhost: localhost\r\ncontent-length: 6\r\n\r\nteapot";
    client.write_all(request.as_bytes()).unwrap();
    let is_finished = within(server.drain(PATIENCE)).await;
    assert!(is_finished);
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(response.ends_with("teapot"), "{response}");
}
