//! Calls with encoded arguments and results, for links with a task or a transport between the two
//! stores.

use std::sync::Arc;

use bytes::Bytes;
use weft_stub::plan::CallPath;
use weft_wire::{DecodeError, Decoder, Encoder, FailureCode, Limits, MAX_VALUE_BYTES};

use super::inline_bytes::Reply;
use super::{Callee, LinkFailure, LinkedFunction, in_task, remote, stub_imports, typed};
use crate::endpoint::Failure;
use crate::guest::GuestState;

/// Makes a call with encoded arguments, and returns its encoded result.
///
/// # Errors
/// The failure of the call.
pub(super) async fn call_encoded(
    function: &Arc<LinkedFunction>,
    importer: &mut GuestState,
    arguments: Vec<u8>,
) -> Result<Bytes, LinkFailure> {
    let delivery = &function.target.delivery;
    if let Some(frames) = &delivery.frames {
        return remote::call(frames, function, importer, &arguments).await;
    }
    let mut callee = function.begin(importer)?;
    let endpoint = callee.endpoint().clone();
    let called = function.clone();
    let call = async move {
        let outcome = serve(&called.path, &mut callee, called.target_index, &arguments).await;
        (callee, outcome)
    };
    let (callee, outcome) = in_task(&delivery.tasks, endpoint.in_turns(call))
        .await
        .map_err(|error| LinkFailure::new(FailureCode::MaybeExecuted, error.to_string()))?;
    function.end(importer, callee, outcome).map(Bytes::from)
}

/// Calls a function of the callee, given by the target's index and call path, with encoded
/// arguments.
///
/// # Errors
/// If the callee fails, the arguments are malformed, or the function has another call path.
pub(super) async fn serve(
    path: &CallPath,
    callee: &mut Callee,
    index: u32,
    arguments: &[u8],
) -> Result<Vec<u8>, Failure> {
    match path {
        CallPath::Direct(signature) => typed::serve(signature, callee, index, arguments).await,
        CallPath::Scalars(_) | CallPath::Stub => {
            let reply = stub_imports::invoke(callee, index, arguments).await;
            reply.map(Reply::into_vec)
        }
        CallPath::Concurrent => Err(Failure::BadRequest(
            "a concurrent function cannot be called by a unary request".to_owned(),
        )),
    }
}

/// Encodes a value with `write`.
///
/// # Errors
/// The error of `write`, or the encoded value exceeds the limit of a link.
pub(super) fn encode_with(
    write: impl FnOnce(&mut Encoder<'_>) -> wasmtime::Result<()>,
) -> wasmtime::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write(&mut Encoder::new(&mut bytes, MAX_VALUE_BYTES))?;
    Ok(bytes)
}

/// Decodes the reply to a call with `decode`, to its last byte.
///
/// # Errors
/// `maybe-executed`: the call ran, and its result is lost.
pub(super) fn read_reply<T>(
    function: &LinkedFunction,
    reply: &[u8],
    decode: impl FnOnce(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<T, LinkFailure> {
    let decoded = Decoder::new(reply, Limits::LINK).and_then(|mut decoder| {
        let value = decode(&mut decoder)?;
        decoder.finish()?;
        Ok(value)
    });
    decoded.map_err(|error| {
        let to = &function.target.ends.to;
        let reason = format!("cannot decode the reply of `{to}`: {error}");
        LinkFailure::new(FailureCode::MaybeExecuted, reason)
    })
}
