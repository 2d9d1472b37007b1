//! Sends the requests of the table by hyper, over either protocol.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;
use weft_tests::PATIENCE;

use super::Way;
use super::case::{Case, Request, Seen};

/// The body of a request.
struct Content {
    data: Option<Bytes>,
    has_trailer: bool,
    /// True if more is announced than comes.
    is_endless: bool,
}

/// Sends a request, and waits for the end of the response.
pub(super) async fn send(way: &Way, case: &Case) -> Seen {
    let exchange = timeout(PATIENCE, exchange(way, &case.request));
    let seen = exchange.await;
    seen.unwrap_or_else(|_| Seen::broken("the response did not end in time".to_owned()))
}

/// Begins an upload by HTTP/2, and sends a part of it. Runs until it is dropped.
pub(super) async fn begin_upload(way: Way, path: &'static str) {
    let stream = TcpStream::connect(way.address).await.unwrap();
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    let target = format!("http://{}{path}", way.host());
    let content = Content {
        data: Some(Bytes::from("some")),
        has_trailer: false,
        is_endless: true,
    };
    let request = http::Request::post(target).body(content).unwrap();
    let response = sender.send_request(request);
    let _ = tokio::join!(response, connection);
}

async fn exchange(way: &Way, request: &Request) -> Seen {
    let stream = TcpStream::connect(way.address).await.unwrap();
    let io = TokioIo::new(stream);
    let host = way.host();
    if way.protocol == "HTTP/2" {
        let request = request.over(&format!("http://{host}{}", request.path), None);
        let handshake = http2::handshake(TokioExecutor::new(), io);
        let (mut sender, connection) = handshake.await.unwrap();
        let seen = pin!(async move { seen(sender.send_request(request).await).await });
        drive(seen, connection).await
    } else {
        let request = request.over(request.path, Some(&host));
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        let seen = pin!(async move { seen(sender.send_request(request).await).await });
        drive(seen, connection).await
    }
}

async fn drive(mut seen: impl Future<Output = Seen> + Unpin, connection: impl Future) -> Seen {
    tokio::select! {
        seen = &mut seen => seen,
        // The host may close the connection after the response.
        _ = connection => seen.await,
    }
}

async fn seen(response: Result<http::Response<Incoming>, hyper::Error>) -> Seen {
    let response = match response {
        Ok(response) => response,
        Err(error) => return Seen::broken(format!("no response: {error:?}")),
    };
    let (head, body) = response.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let mut seen = Seen {
        status: head.status.as_u16(),
        headers: headers.collect(),
        body: Ok(Vec::new()),
        trailer: None,
    };
    match body.collect().await {
        Ok(body) => {
            let trailer = body.trailers().and_then(|fields| fields.get("x-end"));
            let trailer = trailer.and_then(|value| value.to_str().ok());
            seen.trailer = trailer.map(str::to_owned);
            seen.body = Ok(body.to_bytes().to_vec());
        }
        Err(error) => seen.body = Err(format!("{error:?}")),
    }
    seen
}

impl Request {
    fn over(&self, target: &str, host: Option<&str>) -> http::Request<Content> {
        let mut request = http::Request::builder().method(self.method).uri(target);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        let (count, bytes) = self.more_headers;
        for number in 0..count {
            request = request.header(format!("y-{number}"), "y".repeat(bytes));
        }
        if self.has_trailer {
            request = request.header("trailer", "x-trailer");
        }
        let content = Content {
            data: Some(Bytes::from(vec![b'x'; self.body])).filter(|data| !data.is_empty()),
            has_trailer: self.has_trailer,
            is_endless: false,
        };
        request.body(content).unwrap()
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if std::mem::take(&mut self.has_trailer) {
            let trailers = [("x-trailer".parse().unwrap(), "1".parse().unwrap())];
            let trailers = http::HeaderMap::from_iter(trailers);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        match self.is_endless {
            true => Poll::Pending,
            false => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && !self.has_trailer && !self.is_endless
    }

    fn size_hint(&self) -> SizeHint {
        match self.has_trailer || self.is_endless {
            true => SizeHint::default(),
            false => SizeHint::with_exact(self.data.as_ref().map_or(0, Bytes::len) as u64),
        }
    }
}
