//! The host functions that a generated stub imports: one call with bytes both ways, the drop of a
//! handle, and what to do about a reply that cannot be decoded.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, WasmList};
use weft_wire::{FailureCode, MAX_VALUE_BYTES, Malformed};

use super::{Callee, Link, LinkFailure, boxed, in_task, wire};
use crate::entry::Failure;
use crate::guest::GuestState;

/// What `invoke` of a skeleton gives: the encoded result, or what was wrong with the arguments.
type Invoked = Result<WasmList<u8>, u32>;

/// Puts the functions of `weft:link/call` into a linker, for one link.
pub(crate) fn bind(
    linker: &mut LinkerInstance<'_, GuestState>,
    link: &Arc<Link>,
) -> wasmtime::Result<()> {
    let of_call = link.clone();
    linker.func_wrap_async("call", move |importer, (function, arguments)| {
        let link = of_call.clone();
        boxed(move || async move { Ok((call(&link, importer, function, arguments).await?,)) })
    })?;
    let of_drop = link.clone();
    linker.func_wrap_async("drop", move |importer, (handle,)| {
        let link = of_drop.clone();
        boxed(move || async move { drop_handle(&link, importer, handle).await })
    })?;
    let of_malformed = link.clone();
    linker.func_wrap("malformed", move |_, (function, reason): (u32, u32)| {
        Ok((malformed(&of_malformed, function, reason)?,))
    })
}

/// The reply of the target, or the failure in its place.
async fn call(
    link: &Link,
    mut importer: StoreContextMut<'_, GuestState>,
    function: u32,
    arguments: WasmList<u8>,
) -> wasmtime::Result<Vec<u8>> {
    let function = link.function(function)?;
    let carrier = &function.route.carrier;
    let reply = if let Some(frames) = &carrier.frames {
        let arguments = arguments.as_le_slice(&importer).to_vec();
        // Boxed: it is large, and would be moved with every call that goes the other way.
        let importer = importer.data_mut();
        let call = boxed(|| wire::call(frames, function, importer, &arguments));
        Box::into_pin(call).await.map(Vec::from)
    } else {
        let mut callee = match function.begin(importer.data_mut()) {
            Ok(callee) => callee,
            Err(failure) => return function.fail(failure),
        };
        let index = function.target_index;
        let arguments = arguments.as_le_slice(&importer);
        let outcome = if carrier.is_in_task() {
            let arguments = arguments.to_vec();
            let call = async move {
                let outcome = invoke(&mut callee, index, &arguments).await;
                (callee, outcome)
            };
            let outcome;
            (callee, outcome) = in_task(&carrier.tasks, call).await?;
            outcome
        } else {
            invoke(&mut callee, index, arguments).await
        };
        function.end(importer.data_mut(), callee, outcome)
    };
    match reply {
        Ok(reply) => Ok(reply),
        Err(failure) => function.fail(failure),
    }
}

/// Runs the destructor of a resource that the importer dropped.
async fn drop_handle(
    link: &Link,
    mut importer: StoreContextMut<'_, GuestState>,
    handle: u32,
) -> wasmtime::Result<()> {
    let Some(function) = link.functions.first() else {
        return Ok(());
    };
    let carrier = &function.route.carrier;
    let dropped = if let Some(frames) = &carrier.frames {
        let importer = importer.data_mut();
        let telling = boxed(|| wire::drop_handle(frames, function, importer, handle));
        Box::into_pin(telling).await
    } else if importer.data_mut().sessions().is_open(&function.route) {
        let mut callee = function
            .begin(importer.data_mut())
            .map_err(|failure| function.trap(failure))?;
        let outcome = if carrier.is_in_task() {
            let call = async move {
                let outcome = release(&mut callee, handle).await;
                (callee, outcome)
            };
            let outcome;
            (callee, outcome) = in_task(&carrier.tasks, call).await?;
            outcome
        } else {
            release(&mut callee, handle).await
        };
        function.end(importer.data_mut(), callee, outcome)
    } else {
        // Its session ended, and the resource with it.
        Ok(())
    };
    dropped.map_err(|failure| function.trap(failure))
}

/// What stands for a reply that the stub cannot decode: the call ran, and its result is lost.
fn malformed(link: &Link, function: u32, reason: u32) -> wasmtime::Result<Vec<u8>> {
    let function = link.function(function)?;
    let (to, reason) = (&function.route.ends.to, describe(reason));
    let reason = format!("the reply of `{to}` cannot be read: {reason}");
    function.fail(LinkFailure::new(FailureCode::MaybeExecuted, reason))
}

/// Calls the callee's skeleton.
pub(super) async fn invoke(
    callee: &mut Callee,
    index: u32,
    arguments: &[u8],
) -> Result<Vec<u8>, Failure> {
    bounded("arguments", arguments)?;
    callee.ready().await?;
    let invoke = callee.invoke()?;
    let (invoked,): (Invoked,) = callee.run(invoke, (index, arguments)).await?;
    match invoked {
        // The skeleton's memory keeps the reply until its next call.
        Ok(reply) => {
            let reply = reply.as_le_slice(&*callee.store()?);
            bounded("result", reply)?;
            Ok(reply.to_vec())
        }
        Err(reason) => Err(Failure::BadRequest(describe(reason))),
    }
}

/// Drops a handle in the callee's skeleton.
pub(super) async fn release(callee: &mut Callee, handle: u32) -> Result<(), Failure> {
    callee.ready().await?;
    let release = callee.drop_handle()?;
    // A handle that the skeleton does not know is one of a session that has ended, and went with it.
    let (_,): (Result<(), u32>,) = callee.run(release, (handle,)).await?;
    Ok(())
}

/// Refuses more than a link carries, before anything of that size is allocated.
fn bounded(what: &str, bytes: &[u8]) -> Result<(), Failure> {
    if bytes.len() <= MAX_VALUE_BYTES {
        return Ok(());
    }
    Err(Failure::BadRequest(format!(
        "its {what} take {} bytes; a link carries at most {MAX_VALUE_BYTES}",
        bytes.len()
    )))
}

fn describe(reason: u32) -> String {
    match Malformed::from_code(reason) {
        Some(reason) => reason.to_string(),
        None => format!("it is malformed for the unknown reason {reason}"),
    }
}
