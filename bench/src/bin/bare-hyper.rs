//! A minimal hyper server with the response of the guest `hello-http`: the upper bound for a host
//! if running a guest were free.
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
        .context("address to listen on is missing: expected an argument like `127.0.0.1:8080`")?;
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("cannot listen on `{address}`"))?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(serve(stream));
        // Finished connections are removed, as the set would grow without end otherwise.
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream) {
    // Load generators end by resetting their connections.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(hello))
        .await;
}

type Body = StreamBody<stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 1>>>;

/// Responds in chunks, like a guest that sends no content length.
async fn hello(_request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let frame = Ok(Frame::data(Bytes::from_static(b"hello")));
    Ok(Response::new(StreamBody::new(stream::iter([frame]))))
}
