//! Calls of `wasi:http/handler` 0.3: an `async` function. The body of its response is a stream of
//! the store, so the store runs until the client has read the body.

use std::pin::Pin;

use http::Request;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3::Request as GuestRequest;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{Error, WasiHttpView};

use super::GuestBody;
use super::invoke::HeadSender;
use super::response_body::ResponseHead;
use crate::endpoint::Failure;
use crate::guest::GuestState;

/// Resolves when the guest no longer reads the body of the request.
type RequestIo = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Runs the guest until the body of the response is read or dropped.
pub(super) async fn call(
    store: &mut Store<GuestState>,
    service: &Service,
    request: Request<GuestBody>,
    head: HeadSender,
) -> wasmtime::Result<()> {
    store
        .run_concurrent(async |store| handle(store, service, request, head).await)
        .await?
}

async fn handle(
    store: &Accessor<GuestState>,
    service: &Service,
    request: Request<GuestBody>,
    head: HeadSender,
) -> wasmtime::Result<()> {
    let (request, request_io) = store.with(|mut access| {
        let (request, io) = GuestRequest::from_http(access.get().http().hooks, request);
        (request, Box::pin(io) as RequestIo)
    });
    let response = match service.handle(store, request).await? {
        Ok(response) => response,
        Err(code) => {
            // The client may have disconnected.
            let _ = head.send(Err(Failure::ErrorCode(format!("{code:?}"))));
            return Ok(());
        }
    };
    let response = store.with(|mut access| {
        response.into_http_with_getter(&mut access, request_io, GuestState::http)
    })?;
    let (body_end, body_ended) = oneshot::channel();
    let response = ResponseHead {
        response,
        body_end: Some(body_end),
    };
    if head.send(Ok(response)).is_ok() {
        // Resolves when the body is dropped, read to its end or not.
        let _ = body_ended.await;
    }
    Ok(())
}
