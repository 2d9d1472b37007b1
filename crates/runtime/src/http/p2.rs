//! Calls of `wasi:http/incoming-handler` 0.2.

use http::Request;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use super::GuestBody;
use super::invoke::HeadSender;
use super::response_body::ResponseHead;
use crate::endpoint::Failure;
use crate::guest::GuestState;

/// Runs the guest to its end. Sends the head of the response when the guest sets it.
pub(super) async fn call(
    store: &mut Store<GuestState>,
    proxy: &Proxy,
    request: Request<GuestBody>,
    head: HeadSender,
) -> wasmtime::Result<()> {
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request)?;
    let response = http.new_response_outparam_from_callback(move |response| {
        let response = response.map(|response| ResponseHead {
            response,
            body_end: None,
        });
        let response = response.map_err(|code| Failure::error_code(&code));
        // The client may have disconnected.
        let _ = head.send(response);
    })?;
    let handler = proxy.wasi_http_incoming_handler();
    handler.call_handle(store, request, response).await
}
