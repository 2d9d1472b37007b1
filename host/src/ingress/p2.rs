//! `wasi:http/incoming-handler` 0.2.

use std::sync::Arc;

use http::Request;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use super::run::{Head, RequestBody};
use crate::entry::{Admission, Entry, Exports, Failure, Instance};

/// Runs the guest to its end; the head of the answer goes to `head` when the guest sets it.
pub(super) async fn run(
    entry: Arc<Entry>,
    _admission: Admission,
    request: Request<RequestBody>,
    head: Head,
) -> Result<(), Failure> {
    let mut instance = entry.instance().await?;
    match call(&mut instance, request, head).await {
        Ok(()) => {
            entry.give_back(instance);
            Ok(())
        }
        Err(error) => Err(Failure::of(error, instance.store.data())),
    }
}

async fn call(
    instance: &mut Instance,
    request: Request<RequestBody>,
    head: Head,
) -> wasmtime::Result<()> {
    let Exports::HttpP2(proxy) = &instance.exports else {
        wasmtime::bail!("the instance has no `wasi:http/incoming-handler`");
    };
    let mut http = instance.store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request)?;
    let response = http.new_response_outparam_from_callback(move |response| {
        let answer = response.map_err(|code| Failure::ErrorCode(format!("{code:?}")));
        // The client may be gone.
        let _ = head.send(answer);
    })?;
    let handler = proxy.wasi_http_incoming_handler();
    handler
        .call_handle(&mut instance.store, request, response)
        .await
}
