//! `wasi:http/handler` 0.3: an `async` function whose answer's body is a stream of the store, so the
//! store runs until the client has read it all.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3::Request as GuestRequest;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{Error, WasiHttpView};

use super::GuestBody;
use super::invoke::Head;
use crate::endpoint::Failure;
use crate::guest::GuestState;

/// Resolves when the guest is done with the body of the request.
type RequestIo = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Runs the guest until the answer's body is read or dropped.
pub(super) async fn call(
    store: &mut Store<GuestState>,
    service: &Service,
    request: Request<GuestBody>,
    head: Head,
) -> wasmtime::Result<()> {
    store
        .run_concurrent(async |store| handle(store, service, request, head).await)
        .await?
}

async fn handle(
    store: &Accessor<GuestState>,
    service: &Service,
    request: Request<GuestBody>,
    head: Head,
) -> wasmtime::Result<()> {
    let (request, request_io) = store.with(|mut access| {
        let (request, io) = GuestRequest::from_http(access.get().http().hooks, request);
        (request, Box::pin(io) as RequestIo)
    });
    let response = match service.handle(store, request).await? {
        Ok(response) => response,
        Err(code) => {
            // The client may be gone.
            let _ = head.send(Err(Failure::ErrorCode(format!("{code:?}"))));
            return Ok(());
        }
    };
    let response = store.with(|mut access| {
        response.into_http_with_getter(&mut access, request_io, GuestState::http)
    })?;
    let (read, body_is_read) = oneshot::channel();
    if head.send(Ok(watched(response, read))).is_ok() {
        // Resolves when the body is dropped, whether it was read to its end or not.
        let _ = body_is_read.await;
    }
    Ok(())
}

/// A response whose body drops `read` when it is dropped itself.
fn watched(response: Response<GuestBody>, read: oneshot::Sender<()>) -> Response<GuestBody> {
    response.map(|body| Watched { body, _read: read }.boxed_unsync())
}

struct Watched {
    body: GuestBody,
    _read: oneshot::Sender<()>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
