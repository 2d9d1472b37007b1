//! The host functions that a generated stub imports: calls with encoded arguments and results, the
//! drop of a handle, and the fallback for a reply that cannot be decoded.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::LinkerInstance;
use weft_wire::{FailureCode, MAX_VALUE_BYTES, Malformed};

use super::encoded_call::call_encoded;
use super::inline_bytes::{Arguments, InlineBytes, Reply};
use super::local_call::run_in;
use super::skeleton_exports::InvokeResult;
use super::{Callee, Link, LinkFailure, boxed, in_task, remote, scalar_calls};
use crate::endpoint::Failure;
use crate::guest::GuestState;

/// Defines the functions of `weft:link/call` in a linker, for one link.
pub(crate) fn bind(
    linker: &mut LinkerInstance<'_, GuestState>,
    link: &Arc<Link>,
) -> wasmtime::Result<()> {
    let call_link = link.clone();
    linker.func_wrap_async("call", move |importer, (function, arguments)| {
        let link = call_link.clone();
        let arguments = Arguments::List(arguments);
        boxed(move || async move {
            let reply = call(&link, importer, function, arguments).await?;
            Ok((reply.into_flat(),))
        })
    })?;
    let call_small_link = link.clone();
    linker.func_wrap_async(
        "call-small",
        move |importer, (function, length, a, b, c, d)| {
            let link = call_small_link.clone();
            boxed(move || async move {
                let arguments = Arguments::Inline(InlineBytes::from_flat((length, a, b, c, d))?);
                let reply = call(&link, importer, function, arguments).await?;
                Ok((reply.into_flat(),))
            })
        },
    )?;
    scalar_calls::bind(linker, link)?;
    let drop_link = link.clone();
    linker.func_wrap_async("drop", move |importer, (handle,)| {
        let link = drop_link.clone();
        boxed(move || async move { drop_handle(&link, importer, handle).await })
    })?;
    let malformed_link = link.clone();
    linker.func_wrap("malformed", move |_, (function, reason): (u32, u32)| {
        let reply = malformed(&malformed_link, function, reason)?;
        Ok((Reply::from(reply).into_flat(),))
    })
}

/// The reply of the target, or the encoded failure.
async fn call(
    link: &Link,
    mut importer: StoreContextMut<'_, GuestState>,
    function: u32,
    arguments: Arguments,
) -> wasmtime::Result<Reply> {
    let function = link.function(function)?;
    let reply = if function.target.delivery.is_inline() {
        match function.begin(importer.data_mut()) {
            Ok(mut callee) => {
                let index = function.target_index;
                let outcome = match arguments {
                    Arguments::Inline(inline) => invoke_small(&mut callee, index, inline).await,
                    Arguments::List(list) => {
                        invoke_large(&mut callee, index, list.as_le_slice(&importer)).await
                    }
                };
                function.end(importer.data_mut(), callee, outcome)
            }
            Err(failure) => Err(failure),
        }
    } else {
        let arguments = arguments.to_vec(&importer);
        // Boxed: the future is large, and would be moved with every call on the other path.
        let importer = importer.data_mut();
        let call = boxed(|| call_encoded(function, importer, arguments));
        Box::into_pin(call).await.map(Reply::from)
    };
    reply.or_else(|failure| function.failure_reply(failure).map(Reply::from))
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
    let delivery = &function.target.delivery;
    let dropped = if let Some(frames) = &delivery.frames {
        let importer = importer.data_mut();
        let sending = boxed(|| remote::drop_handle(frames, function, importer, handle));
        Box::into_pin(sending).await
    } else if importer.data_mut().sessions().is_open(&function.target) {
        let mut callee = function
            .begin(importer.data_mut())
            .map_err(|failure| function.trap(failure))?;
        let outcome = if delivery.is_in_task() {
            let endpoint = callee.endpoint().clone();
            let call = async move {
                let outcome = release(&mut callee, handle).await;
                (callee, outcome)
            };
            let outcome;
            (callee, outcome) = in_task(&delivery.tasks, endpoint.in_turns(call)).await?;
            outcome
        } else {
            release(&mut callee, handle).await
        };
        function.end(importer.data_mut(), callee, outcome)
    } else {
        // The session has ended, and the resource with it.
        Ok(())
    };
    dropped.map_err(|failure| function.trap(failure))
}

/// The failure in place of a reply that the stub cannot decode: the call ran, and its result is
/// lost.
fn malformed(link: &Link, function: u32, reason: u32) -> wasmtime::Result<Vec<u8>> {
    let function = link.function(function)?;
    let (to, reason) = (&function.target.ends.to, describe(reason));
    let reason = format!("cannot decode the reply of `{to}`: {reason}");
    function.failure_reply(LinkFailure::new(FailureCode::MaybeExecuted, reason))
}

/// Calls the callee's skeleton.
pub(super) async fn invoke(
    callee: &mut Callee,
    index: u32,
    arguments: &[u8],
) -> Result<Reply, Failure> {
    match InlineBytes::new(arguments) {
        Some(inline) => invoke_small(callee, index, inline).await,
        None => invoke_large(callee, index, arguments).await,
    }
}

async fn invoke_small(
    callee: &mut Callee,
    index: u32,
    arguments: InlineBytes,
) -> Result<Reply, Failure> {
    callee.ready().await?;
    let invoke = callee.invoke_small()?;
    let (length, a, b, c, d) = arguments.to_flat();
    let arguments = (index, length, a, b, c, d);
    let (result,) = run_in!(callee, invoke, arguments)?;
    reply_of(callee, result)
}

async fn invoke_large(callee: &mut Callee, index: u32, arguments: &[u8]) -> Result<Reply, Failure> {
    check_size("arguments", arguments)?;
    callee.ready().await?;
    let invoke = callee.invoke()?;
    let (result,) = callee.run(invoke, (index, arguments)).await?;
    reply_of(callee, result)
}

fn reply_of(callee: &mut Callee, result: InvokeResult) -> Result<Reply, Failure> {
    match result {
        Ok((length, a, b, c, d, None)) => match InlineBytes::from_flat((length, a, b, c, d)) {
            Ok(inline) => Ok(Reply::Inline(inline)),
            Err(error) => Err(callee.failure(Some(error))),
        },
        // The reply lies in the skeleton's memory until its next call.
        Ok((.., Some(reply))) => {
            let reply = reply.as_le_slice(&*callee.store()?);
            check_size("result", reply)?;
            Ok(Reply::Heap(reply.to_vec()))
        }
        Err(reason) => Err(Failure::BadRequest(describe(reason))),
    }
}

/// Drops a handle in the callee's skeleton.
pub(super) async fn release(callee: &mut Callee, handle: u32) -> Result<(), Failure> {
    callee.ready().await?;
    let release = callee.drop_handle()?;
    // An unknown handle belongs to an ended session, whose resources are dropped already.
    let (_,): (Result<(), u32>,) = callee.run(release, (handle,)).await?;
    Ok(())
}

/// Rejects values over the limit of a link before anything of that size is allocated.
fn check_size(name: &str, bytes: &[u8]) -> Result<(), Failure> {
    if bytes.len() <= MAX_VALUE_BYTES {
        return Ok(());
    }
    Err(Failure::BadRequest(format!(
        "expected {name} of at most {MAX_VALUE_BYTES} bytes, found {}",
        bytes.len()
    )))
}

fn describe(reason: u32) -> String {
    match Malformed::from_number(reason) {
        Some(reason) => reason.to_string(),
        None => format!("unknown decode error {reason}"),
    }
}
