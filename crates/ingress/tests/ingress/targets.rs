//! Targets of requests: what routes and components see does not depend on the form in which the
//! client sends it, nor on the host that runs the component.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weft_ingress::{Readiness, Route, RouteTable, RouteTarget, Server};
use weft_lattice_config::RouteSpec;

use crate::fake_handler::FakeHandler;
use crate::forward::OtherHost;
use crate::{start_with, within};

/// A server whose only route is that of `shop.test`.
async fn shop(target: RouteTarget) -> Server {
    let host = Some("shop.test".parse().unwrap());
    let spec = RouteSpec::raw(host, "/".parse().unwrap(), "echo".parse().unwrap());
    let routes = RouteTable::new(vec![Route { spec, target }]);
    start_with(routes, || Readiness::Ready).await
}

/// The response to a request, whose lines end with `\n` here.
async fn response(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = request.replace('\n', "\r\n");
    let mut response = String::new();
    within(async {
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_string(&mut response).await.unwrap();
    })
    .await;
    response
}

fn targets() -> [RouteTarget; 2] {
    let other = OtherHost::with(Some(FakeHandler::Echo));
    [FakeHandler::Echo.target(), other.target()]
}

#[tokio::test]
async fn a_component_sees_the_authority_that_the_route_saw() {
    for target in targets() {
        let server = shop(target).await;
        for (request, seen) in [
            ("GET /a HTTP/1.1\nhost: shop.test", "shop.test"),
            ("GET /a HTTP/1.1\nhost: shop.test:81", "shop.test:81"),
            ("GET /a HTTP/1.1\nhost: shop.test.", "shop.test."),
            (
                "GET http://shop.test/a HTTP/1.1\nhost: evil.test",
                "shop.test",
            ),
            ("GET http://shop.test/a HTTP/1.1", "shop.test"),
            ("GET http://shop.test/a HTTP/1.0", "shop.test"),
        ] {
            let request = format!("{request}\nconnection: close\n\n");
            let response = response(&server, &request).await;
            assert!(response.contains(" 200 OK\r\n"), "{request}: {response}");
            for name in ["x-authority", "x-host"] {
                let line = format!("\r\n{name}: {seen}\r\n");
                assert!(response.contains(&line), "{request}: {response}");
            }
        }
    }
}

#[tokio::test]
async fn a_target_that_routes_and_components_may_read_differently_is_rejected() {
    for target in targets() {
        let server = shop(target).await;
        for (request, status) in [
            ("GET http://evil.test/ HTTP/1.1\nhost: shop.test", 404),
            ("GET http://u@shop.test/ HTTP/1.1\nhost: shop.test", 400),
            ("GET ftp://shop.test/ HTTP/1.1\nhost: shop.test", 400),
            ("GET / HTTP/1.1\nhost: u@shop.test", 400),
            ("GET / HTTP/1.1\nhost: shop.test, evil.test", 400),
            ("GET / HTTP/1.1\nhost: shop.test\nhost: shop.test", 400),
            ("GET / HTTP/1.1", 400),
            ("GET * HTTP/1.1\nhost: shop.test", 400),
            ("CONNECT shop.test:80 HTTP/1.1\nhost: shop.test", 405),
        ] {
            let request = format!("{request}\nconnection: close\n\n");
            let response = response(&server, &request).await;
            let line = format!("HTTP/1.1 {status} ");
            assert!(response.starts_with(&line), "{request}: {response}");
        }
    }
}

#[tokio::test]
async fn a_request_about_the_host_itself_reaches_no_component() {
    let server = shop(FakeHandler::Echo.target()).await;
    let request = "OPTIONS * HTTP/1.1\nhost: shop.test\nconnection: close\n\n";
    let response = response(&server, request).await;
    assert!(response.starts_with("HTTP/1.1 204 "), "{response}");
    assert!(!response.contains("x-authority"), "{response}");
}

#[tokio::test]
async fn a_request_by_http_1_0_without_a_host_goes_to_a_route_of_any_host() {
    for target in targets() {
        let server = crate::start(target).await;
        let response = response(&server, "GET /app HTTP/1.0\n\n").await;
        assert!(response.contains(" 200 OK\r\n"), "{response}");
        let line = format!("\r\nx-authority: {}\r\n", server.address());
        assert!(response.contains(&line), "{response}");
    }
}
