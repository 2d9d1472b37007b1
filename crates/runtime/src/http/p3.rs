//! Calls of `wasi:http/handler` 0.3: an `async` function. The body of its response is a stream of
//! the store, so the store runs until the client has read the body.

use std::future::poll_fn;
use std::pin::Pin;

use http::uri::{Authority, Scheme};
use http::{HeaderMap, Request, header};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::p3::Request as GuestRequest;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{Error, FieldMap, WasiHttpHooks, WasiHttpView};

use super::GuestBody;
use super::invoke::HeadSender;
use super::response_body::ResponseHead;
use crate::endpoint::Failure;
use crate::guest::GuestState;

/// Resolves when the guest no longer reads the body of the request.
type RequestIo = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Runs the guest until the body of the response is read or dropped, and the guest has nothing more
/// to do.
pub(super) async fn call(
    store: &mut Store<GuestState>,
    service: &Service,
    request: Request<GuestBody>,
    head: HeadSender,
) -> wasmtime::Result<()> {
    store
        .run_concurrent(async |store| {
            // The client may have disconnected.
            handle(store, service, request, |response| {
                head.send(response).is_ok()
            })
            .await?;
            // A guest may go on after its response, as one of 0.2 may until it returns.
            poll_fn(|context| store.poll_no_interesting_tasks(context)).await;
            Ok(())
        })
        .await?
}

/// Calls the handler. Passes the head of its response to `respond`, which returns whether a client
/// reads the body, and resolves when that is read or dropped.
pub(super) async fn handle(
    store: &Accessor<GuestState>,
    service: &Service,
    request: Request<GuestBody>,
    respond: impl FnOnce(Result<ResponseHead, Failure>) -> bool,
) -> wasmtime::Result<()> {
    let (request, request_io) =
        store.with(|mut access| guest_request(access.get().http().hooks, request));
    let response = match service.handle(store, request).await? {
        Ok(response) => response,
        Err(code) => {
            respond(Err(Failure::error_code(&code)));
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
    if respond(Ok(response)) {
        // Resolves when the body is dropped, read to its end or not.
        let _ = body_ended.await;
    }
    Ok(())
}

/// Converts a request for the guest. It gets the scheme and the authority that a guest of 0.2 gets:
/// wasmtime takes both from the target alone, which for HTTP/1.1 is a path.
fn guest_request(
    hooks: &mut dyn WasiHttpHooks,
    request: Request<GuestBody>,
) -> (GuestRequest, RequestIo) {
    let (parts, body) = request.into_parts();
    let target = parts.uri.into_parts();
    let authority = target.authority.or_else(|| host(&parts.headers));
    let (request, io) = GuestRequest::new(
        parts.method,
        Some(Scheme::HTTP),
        authority,
        target.path_and_query,
        FieldMap::new_immutable(hooks, parts.headers),
        None,
        body,
    );
    (request, Box::pin(io))
}

/// The authority in the `host` header; `None` if it is missing or invalid.
fn host(headers: &HeaderMap) -> Option<Authority> {
    Authority::try_from(headers.get(header::HOST)?.as_bytes()).ok()
}
