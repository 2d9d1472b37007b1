//! A client that makes one request per connection, by HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;

use bytes::Bytes;
use futures_util::stream;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Collected, Full, StreamBody};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::within;

pub(crate) type ClientBody = BoxBody<Bytes, Infallible>;

/// A complete response.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}

/// A request to `path` with a body of known length.
pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<ClientBody> {
    request(path, Full::new(body.into()).boxed())
}

/// A `GET` of `path`.
pub(crate) fn get(path: &str) -> Request<ClientBody> {
    let mut request = post(path, "");
    *request.method_mut() = Method::GET;
    request
}

/// A request to `path` with a body in chunks, without `content-length`.
pub(crate) fn post_chunks(path: &str, chunks: Vec<Bytes>) -> Request<ClientBody> {
    let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk)));
    request(path, StreamBody::new(stream::iter(frames)).boxed())
}

/// A request to `path` that declares the length of its body, but never sends the body.
pub(crate) fn post_head(path: &str, length: usize) -> Request<ClientBody> {
    let mut request = request(path, StreamBody::new(stream::pending()).boxed());
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    request
}

fn request(path: &str, body: ClientBody) -> Request<ClientBody> {
    let request = Request::post(path).header(header::HOST, "localhost");
    request.body(body).unwrap()
}

/// Sends a request and waits for the complete response.
pub(crate) async fn send(address: SocketAddr, request: Request<ClientBody>) -> Received {
    let (head, body) = exchange(address, request).await.unwrap();
    Received {
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    }
}

/// Sends a request and waits for the end of its response. Returns the text and the trailers of the
/// body; `None` if the body is incomplete.
pub(crate) async fn body_of(
    address: SocketAddr,
    request: Request<ClientBody>,
) -> Option<(String, HeaderMap)> {
    let (_, body) = exchange(address, request).await.ok()?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    Some((text, trailers))
}

/// Sends a request by HTTP/2, and waits for the complete response.
pub(crate) async fn send_http2(address: SocketAddr, mut request: Request<ClientBody>) -> Received {
    let host = request.headers_mut().remove(header::HOST).unwrap();
    let target = format!("http://{}{}", host.to_str().unwrap(), request.uri());
    *request.uri_mut() = target.parse().unwrap();
    within(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        let exchange = async move {
            let response = sender.send_request(request).await.unwrap();
            let (head, body) = response.into_parts();
            Received {
                status: head.status,
                headers: head.headers,
                body: body.collect().await.unwrap().to_bytes(),
            }
        };
        let mut exchange = pin!(exchange);
        tokio::select! {
            received = exchange.as_mut() => received,
            _ = connection => exchange.await,
        }
    })
    .await
}

async fn exchange(
    address: SocketAddr,
    request: Request<ClientBody>,
) -> Result<(Parts, Collected<Bytes>), hyper::Error> {
    within(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        let exchange = async move {
            let response = sender.send_request(request).await?;
            let (head, body) = response.into_parts();
            Ok((head, body.collect().await?))
        };
        let mut exchange = pin!(exchange);
        tokio::select! {
            received = exchange.as_mut() => received,
            // The server may close the connection after the response.
            _ = connection => exchange.await,
        }
    })
    .await
}
