//! HTTP/2 with prior knowledge, by hyper: tests of its streams and header limits cannot use the
//! HTTP/1.1 client of `weft-harness`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// One connection; requests on it run side by side.
#[derive(Debug)]
pub struct Client {
    sender: SendRequest<Chunks>,
    /// Drives the connection, and ends with the client.
    _driver: JoinSet<()>,
}

/// A body that is sent bit by bit; it ends when the sender is dropped.
#[derive(Debug)]
pub struct Chunks(mpsc::Receiver<Bytes>);

impl Client {
    /// Connects.
    ///
    /// # Panics
    /// If the host does not speak HTTP/2.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("the host speaks HTTP/2");
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // A connection that breaks shows in the requests on it.
            let _ = connection.await;
        });
        Self {
            sender,
            _driver: driver,
        }
    }

    /// `GET path`: status and body.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn get(&mut self, path: &str) -> (u16, String) {
        let (_, response) = self.send("GET", path).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a whole body");
        (
            status,
            String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        )
    }

    /// `POST path` with a body that is sent through the sender, while the answer is read.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn post(&mut self, path: &str) -> (mpsc::Sender<Bytes>, http::Response<Incoming>) {
        let (chunks, response) = self.send("POST", path).await;
        (chunks.expect("a POST has a body"), response)
    }

    /// `GET path` with so many headers of so many bytes: the status, if the host answers at all.
    pub async fn with_headers(&mut self, path: &str, headers: usize, bytes: usize) -> Option<u16> {
        let mut request = request("GET", path).body(Chunks(mpsc::channel(1).1)).ok()?;
        for number in 0..headers {
            let name = HeaderName::try_from(format!("x-{number}")).ok()?;
            let value = HeaderValue::try_from("y".repeat(bytes)).ok()?;
            request.headers_mut().insert(name, value);
        }
        self.sender.ready().await.ok()?;
        let response = self.sender.send_request(request).await.ok()?;
        Some(response.status().as_u16())
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
    ) -> (Option<mpsc::Sender<Bytes>>, http::Response<Incoming>) {
        let (chunks, body) = mpsc::channel(1);
        // Without a sender the body ends at once.
        let chunks = (method == "POST").then_some(chunks);
        let request = request(method, path).body(Chunks(body)).expect("a request");
        self.sender.ready().await.expect("the connection is open");
        let response = self.sender.send_request(request).await.expect("an answer");
        (chunks, response)
    }
}

fn request(method: &str, path: &str) -> http::request::Builder {
    http::Request::builder()
        .method(method)
        .uri(format!("http://localhost{path}"))
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.poll_recv(context);
        next.map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
