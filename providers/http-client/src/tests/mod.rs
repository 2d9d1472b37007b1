mod server;

use std::path::Path;
use std::time::Duration;

use ::http::{Method, Request, Response, StatusCode, Version};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use weft_provider::http::{Body, HttpClient, HttpClientError, RequestOptions};
use weft_provider::stores::{ProcessMemory, StoreMemory};

use self::server::Server;
use super::*;

/// A timeout that a test waits for.
const SOON: Duration = Duration::from_millis(100);

fn link() -> LinkContext<'static> {
    LinkContext {
        app: "shop",
        component: "cart",
        provider: "web",
        interface: "wasi:http/client",
        link: None,
    }
}

fn try_bind(
    provider: &HttpClientProvider,
    config: &Value,
) -> Result<Arc<dyn HttpClient>, ConfigProblem> {
    match provider.bind(&link(), config.as_object().unwrap())? {
        Capability::HttpClient(client) => Ok(client),
        other => panic!("{other:?}"),
    }
}

fn client(config: &Value) -> Arc<dyn HttpClient> {
    try_bind(&HttpClientProvider::new(server::root()).unwrap(), config).unwrap()
}

/// A client with access to `server`.
fn client_of(server: &Server) -> Arc<dyn HttpClient> {
    client(&json!({ "allow": [format!("http://{}", server.address)] }))
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(empty()).unwrap()
}

fn uri(server: &Server) -> String {
    format!("http://{}/", server.address)
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn send(client: &dyn HttpClient, uri: &str) -> Result<String, HttpClientError> {
    Ok(text(client.send(get(uri), RequestOptions::default()).await?).await)
}

async fn hello(_: Request<Incoming>) -> Response<Body> {
    Response::new(full("hello"))
}

async fn never(_: Request<Incoming>) -> Response<Body> {
    std::future::pending().await
}

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    async fn echo(request: Request<Incoming>) -> Response<Body> {
        Response::new(
            request
                .into_body()
                .map_err(|error| HttpClientError::Internal(error.to_string()))
                .boxed_unsync(),
        )
    }
    let server = Server::http(echo).await;
    let (parts, queue) = tokio::sync::mpsc::channel::<Bytes>(1);
    let queue = stream::unfold(queue, async |mut queue| {
        queue.recv().await.map(|part| (part, queue))
    });
    let body = StreamBody::new(queue.map(|part| Ok(Frame::data(part))));
    let request = Request::post(uri(&server))
        .body(body.boxed_unsync())
        .unwrap();

    parts.send(Bytes::from_static(b"first")).await.unwrap();
    let response = client_of(&server)
        .send(request, RequestOptions::default())
        .await
        .unwrap();
    let mut body = response.into_body();
    // Each part is returned before the next one is sent.
    for part in ["first", "second"] {
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), part);
        if part == "first" {
            parts.send(Bytes::from_static(b"second")).await.unwrap();
        }
    }
    drop(parts);
    assert!(body.frame().await.is_none());
}

/// The request's trailers, protocol and `te` as trailers of the response.
async fn trailers(request: Request<Incoming>) -> Response<Body> {
    let version = format!("{:?}", request.version());
    let te = request.headers().get("te").cloned();
    let collected = request.into_body().collect().await.unwrap();
    let mut trailers = collected.trailers().cloned().unwrap_or_default();
    trailers.insert("x-version", version.parse().unwrap());
    trailers.insert("x-te", te.unwrap());
    let frames = [
        Frame::data(Bytes::from_static(b"body")),
        Frame::trailers(trailers),
    ];
    let body = StreamBody::new(stream::iter(frames.map(Ok)));
    Response::builder()
        .header("trailer", "x-version, x-te, x-sum")
        .body(body.boxed_unsync())
        .unwrap()
}

#[tokio::test]
async fn trailers_pass_both_ways_by_the_protocol_that_the_server_offers() {
    let servers = [
        ("http", Server::http(trailers).await, "HTTP/1.1"),
        ("https", Server::https(trailers).await, "HTTP/1.1"),
        ("https", Server::https_2(trailers).await, "HTTP/2.0"),
    ];
    for (scheme, server, version) in servers {
        let port = server.address.port();
        let origin = format!("{scheme}://localhost:{port}");
        let client = client(&json!({ "allow-private": [origin] }));
        let sum = [("x-sum".parse().unwrap(), "1".parse().unwrap())];
        let frames = [
            Frame::data(Bytes::from_static(b"sent")),
            Frame::trailers(sum.into_iter().collect()),
        ];
        let body = StreamBody::new(stream::iter(frames.map(Ok)));
        let request = Request::post(format!("{origin}/"))
            .header("trailer", "x-sum")
            .body(body.boxed_unsync())
            .unwrap();
        let response = client.send(request, RequestOptions::default()).await;
        let collected = response.unwrap().into_body().collect().await.unwrap();
        let received = collected.trailers().cloned().unwrap();
        assert_eq!(collected.to_bytes(), "body");
        for (name, value) in [("x-version", version), ("x-te", "trailers"), ("x-sum", "1")] {
            assert_eq!(
                received.get(name).unwrap(),
                value,
                "{origin} {version} {name}"
            );
        }
        // Over HTTP/2, a second request shares the connection.
        if version == "HTTP/2.0" {
            let requests = (0..8).map(|_| send(&*client, &origin));
            for outcome in futures_util::future::join_all(requests).await {
                assert_eq!(outcome.unwrap(), "body");
            }
            assert_eq!(server.connections(), 1);
        }
    }
}

#[tokio::test]
async fn host_is_that_of_the_uri_and_headers_of_the_connection_stay_behind() {
    async fn show(request: Request<Incoming>) -> Response<Body> {
        let mut names: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        names.sort();
        let path = request.uri().to_string();
        let mut response = Response::new(full(format!("{path} {}", names.join(" "))));
        response
            .headers_mut()
            .insert("keep-alive", "timeout=5".parse().unwrap());
        response
    }
    let server = Server::http(show).await;
    let request = Request::get(format!("{}path?query", uri(&server)))
        .version(Version::HTTP_2)
        .header("host", "evil.example")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("te", "gzip")
        .header("x-end", "2")
        .body(empty())
        .unwrap();
    let response = client_of(&server)
        .send(request, RequestOptions::default())
        .await
        .unwrap();
    assert!(!response.headers().contains_key("keep-alive"));
    let host = server.address;
    let expect = format!("/path?query host=\"{host}\" te=\"trailers\" x-end=\"2\"");
    assert_eq!(text(response).await, expect);
}

#[tokio::test]
async fn a_connection_is_used_again_by_its_link_only() {
    let server = Server::http(hello).await;
    let client = client_of(&server);
    for _ in 0..3 {
        assert_eq!(send(client.as_ref(), &uri(&server)).await.unwrap(), "hello");
    }
    assert_eq!(server.connections(), 1);
    send(client_of(&server).as_ref(), &uri(&server))
        .await
        .unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_redirect_is_the_business_of_the_component() {
    async fn elsewhere(_: Request<Incoming>) -> Response<Body> {
        Response::builder()
            .status(StatusCode::FOUND)
            .header("location", "http://evil.example/")
            .body(empty())
            .unwrap()
    }
    let server = Server::http(elsewhere).await;
    let response = client_of(&server)
        .send(get(&uri(&server)), RequestOptions::default())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
}

#[tokio::test]
async fn an_origin_that_is_not_listed_is_denied_before_anything_is_sent() {
    let server = Server::http(hello).await;
    for config in [
        json!({}),
        json!({ "allow": ["http://*", "https://*", "http://127.0.0.1"] }),
    ] {
        let error = send(client(&config).as_ref(), &uri(&server))
            .await
            .unwrap_err();
        let expect = format!(
            "`http://{}` is not allowed; add it to `allow` in the config of \
             the link `wasi:http/client` of component `cart` of app `shop` to provider `web`",
            server.address,
        );
        assert_eq!(error, HttpClientError::Denied(expect));
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_leads_to_this_host_needs_to_be_listed_as_private() {
    let server = Server::http(hello).await;
    let port = server.address.port();
    let localhost = format!("http://localhost:{port}/");
    let check = async |key: &str, pattern: String| {
        send(client(&json!({ (key): [pattern] })).as_ref(), &localhost).await
    };
    let error = check("allow", format!("http://*:{port}"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, HttpClientError::AddressProhibited { host, .. } if host == "localhost"),
        "{error}"
    );
    assert_eq!(server.connections(), 0);

    check("allow", format!("http://localhost:{port}"))
        .await
        .expect("it is named");
    check("allow-private", format!("http://*:{port}"))
        .await
        .expect("it is private");
}

#[tokio::test]
async fn an_address_in_disguise_is_refused_as_well() {
    let config = json!({ "allow": ["http://*", "http://*:8080"] });
    let client = client(&config);
    for uri in [
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1:8080/",
        "http://0177.0.0.1/",
    ] {
        let error = send(client.as_ref(), uri).await.unwrap_err();
        // Some systems resolve these, others do not.
        let is_refused = matches!(
            error,
            HttpClientError::AddressProhibited { .. } | HttpClientError::Dns { .. }
        );
        assert!(is_refused, "{uri}: {error}");
    }
}

#[tokio::test]
async fn https_needs_a_certificate_from_a_known_root() {
    let server = Server::https(hello).await;
    let origin = format!("https://{}", server.address);
    let config = json!({ "allow": [origin] });
    assert_eq!(
        send(client(&config).as_ref(), &origin).await.unwrap(),
        "hello"
    );

    let public_roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let client = try_bind(&HttpClientProvider::new(public_roots).unwrap(), &config).unwrap();
    let error = send(client.as_ref(), &origin).await.unwrap_err();
    assert!(
        matches!(error, HttpClientError::TlsCertificate { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_peer_that_violates_a_protocol_is_an_error_with_its_name() {
    let server = Server::raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").await;
    let origins = [
        format!("http://{}", server.address),
        format!("https://{}", server.address),
    ];
    let client = client(&json!({ "allow": origins }));
    let error = send(client.as_ref(), &origins[0]).await.unwrap_err();
    assert!(matches!(error, HttpClientError::Protocol(_)), "{error}");
    let error = send(client.as_ref(), &origins[1]).await.unwrap_err();
    assert!(matches!(error, HttpClientError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_closed_port_refuses_the_connection_and_an_unknown_name_fails_in_dns() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    drop(listener);
    let origin = format!("http://{authority}");
    let client = client(&json!({ "allow": [origin, "http://*"] }));
    let error = send(client.as_ref(), &origin).await.unwrap_err();
    assert_eq!(error, HttpClientError::ConnectionRefused(authority));
    let error = send(client.as_ref(), "http://no-such-name.invalid/")
        .await
        .unwrap_err();
    assert!(matches!(error, HttpClientError::Dns { .. }), "{error}");
}

#[tokio::test]
async fn each_part_of_a_request_has_its_own_limit() {
    // The system accepts the connection, but the TLS handshake gets no answer.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let origin = format!("https://{authority}");
    let client = client(&json!({ "allow": [origin] }));
    let options = RequestOptions {
        connect_timeout: Some(SOON),
        ..RequestOptions::default()
    };
    let error = client.send(get(&origin), options).await.unwrap_err();
    assert_eq!(
        error,
        HttpClientError::ConnectTimeout {
            authority,
            limit: SOON
        }
    );

    let server = Server::http(never).await;
    let options = RequestOptions {
        first_byte_timeout: Some(SOON),
        ..RequestOptions::default()
    };
    let error = client_of(&server)
        .send(get(&uri(&server)), options)
        .await
        .unwrap_err();
    let authority = server.address.to_string();
    assert_eq!(
        error,
        HttpClientError::FirstByteTimeout {
            authority,
            limit: SOON
        }
    );

    let server = Server::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf-").await;
    let options = RequestOptions {
        between_bytes_timeout: Some(SOON),
        ..RequestOptions::default()
    };
    let response = client_of(&server)
        .send(get(&uri(&server)), options)
        .await
        .unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert_eq!(error, HttpClientError::BetweenBytesTimeout(SOON));
}

#[tokio::test]
async fn a_request_body_that_fails_is_the_error_of_the_request() {
    let server = Server::http(never).await;
    let failed = HttpClientError::RequestBody("the component trapped".to_owned());
    let parts = vec![
        Ok(Frame::data(Bytes::from_static(b"half"))),
        Err(failed.clone()),
    ];
    let body = StreamBody::new(stream::iter(parts)).boxed_unsync();
    let request = Request::post(uri(&server)).body(body).unwrap();
    let error = client_of(&server)
        .send(request, RequestOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error, failed);
}

#[tokio::test]
async fn a_link_has_a_limit_of_requests_in_flight() {
    let server = Server::http(hello).await;
    let client = client_of(&server);
    let mut responses = Vec::new();
    for _ in 0..IN_FLIGHT_MAX {
        responses.push(
            client
                .send(get(&uri(&server)), RequestOptions::default())
                .await
                .unwrap(),
        );
    }
    let error = send(client.as_ref(), &uri(&server)).await.unwrap_err();
    assert_eq!(error, HttpClientError::ConnectionLimit(IN_FLIGHT_MAX));
    responses.pop();
    send(client.as_ref(), &uri(&server))
        .await
        .expect("one has ended");
}

#[tokio::test]
async fn closing_the_provider_ends_its_connections() {
    let server = Server::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf-").await;
    let provider = HttpClientProvider::new(server::root()).unwrap();
    let client = try_bind(
        &provider,
        &json!({ "allow": [uri(&server).trim_end_matches('/')] }),
    )
    .unwrap();
    let response = client
        .send(get(&uri(&server)), RequestOptions::default())
        .await
        .unwrap();
    provider.close().await;
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_request_that_cannot_be_sent_is_refused() {
    let client = client(&json!({ "allow": ["http://*"] }));
    for request in [
        get("/relative"),
        get("ftp://a.example/"),
        get("http://me:secret@a.example/"),
        Request::builder()
            .method(Method::CONNECT)
            .uri("http://a.example/")
            .body(empty())
            .unwrap(),
    ] {
        let error = client
            .send(request, RequestOptions::default())
            .await
            .unwrap_err();
        assert!(
            matches!(error, HttpClientError::InvalidRequest(_)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_mistake_in_the_configuration_says_what_was_meant() {
    let provider = HttpClientProvider::new(server::root()).unwrap();
    let problem = try_bind(&provider, &json!({ "allow": ["api.example.com/v1"] }))
        .err()
        .unwrap();
    assert_eq!(problem.key(), Some("allow"));
    let problem = try_bind(&provider, &json!({ "allow-private": ["orders.svc:8080"] }))
        .err()
        .unwrap();
    assert_eq!(
        problem.to_string(),
        "config of the link `wasi:http/client` of component `cart` of app `shop` to provider `web`, \
         key `allow-private`: invalid value `orders.svc:8080`, expected an origin such as \
         `https://api.example.com`, `http://127.0.0.1:8080` or `https://*.example.org`; \
         the scheme is missing, try `https://orders.svc:8080`",
    );
    assert!(try_bind(&provider, &json!({ "alow": [] })).is_err());

    let memory: Arc<dyn StoreMemory> = Arc::<ProcessMemory>::default();
    let context = Context {
        app: "shop",
        provider: "web",
        data_dir: Path::new("unused"),
        stores: &memory,
    };
    let settings = json!({ "allow": [] });
    assert!(
        HttpClientFactory
            .make(&context, settings.as_object().unwrap())
            .await
            .is_err()
    );
    assert!(
        HttpClientFactory
            .make(&context, &Settings::new())
            .await
            .is_ok()
    );
}
