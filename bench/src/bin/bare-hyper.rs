//! The least HTTP server that hyper makes, answering what the guest `hello-http` answers: what a host
//! would reach if running a guest cost nothing.
//!
//! ```sh
//! bench-bare-hyper 127.0.0.1:8080
//! ```

use std::convert::Infallible;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args()
        .nth(1)
        .context("expected the address to listen at, as in `127.0.0.1:8080`")?;
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("cannot listen at `{address}`"))?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(serve(stream));
        // Only what has ended is taken: a set that is never emptied grows.
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream) {
    // A client that resets its connection is how a load generator ends.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(hello))
        .await;
}

type Body = StreamBody<stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 1>>>;

/// In chunks, as a guest's answer is that does not say how long it will be.
async fn hello(_request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let frame = Ok(Frame::data(Bytes::from_static(b"hello")));
    Ok(Response::new(StreamBody::new(stream::iter([frame]))))
}
