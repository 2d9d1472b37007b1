//! The host functions that a generated stub imports: one call with bytes both ways, the drop of a
//! handle, and what to do about a reply that cannot be decoded.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::LinkerInstance;
use weft_wire::{FailureCode, MAX_VALUE_BYTES, Malformed};

use super::encoded_call::exchange;
use super::inline_bytes::{Arguments, Few, Reply};
use super::local_call::run_in;
use super::skeleton_exports::Invoked;
use super::{Callee, Link, LinkFailure, boxed, in_task, remote, scalar_calls};
use crate::endpoint::Failure;
use crate::guest::GuestState;

/// Puts the functions of `weft:link/call` into a linker, for one link.
pub(crate) fn bind(
    linker: &mut LinkerInstance<'_, GuestState>,
    link: &Arc<Link>,
) -> wasmtime::Result<()> {
    let of_call = link.clone();
    linker.func_wrap_async("call", move |importer, (function, arguments)| {
        let link = of_call.clone();
        let arguments = Arguments::Many(arguments);
        boxed(move || async move {
            let reply = call(&link, importer, function, arguments).await?;
            Ok((reply.give_back(),))
        })
    })?;
    let of_call_small = link.clone();
    linker.func_wrap_async(
        "call-small",
        move |importer, (function, length, a, b, c, d)| {
            let link = of_call_small.clone();
            boxed(move || async move {
                let arguments = Arguments::Few(Few::given((length, a, b, c, d))?);
                let reply = call(&link, importer, function, arguments).await?;
                Ok((reply.give_back(),))
            })
        },
    )?;
    scalar_calls::bind(linker, link)?;
    let of_drop = link.clone();
    linker.func_wrap_async("drop", move |importer, (handle,)| {
        let link = of_drop.clone();
        boxed(move || async move { drop_handle(&link, importer, handle).await })
    })?;
    let of_malformed = link.clone();
    linker.func_wrap("malformed", move |_, (function, reason): (u32, u32)| {
        let reply = malformed(&of_malformed, function, reason)?;
        Ok((Reply::from(reply).give_back(),))
    })
}

/// The reply of the target, or the failure in its place.
async fn call(
    link: &Link,
    mut importer: StoreContextMut<'_, GuestState>,
    function: u32,
    arguments: Arguments,
) -> wasmtime::Result<Reply> {
    let function = link.function(function)?;
    let reply = if function.route.carrier.is_inline() {
        match function.begin(importer.data_mut()) {
            Ok(mut callee) => {
                let index = function.target_index;
                let outcome = match arguments {
                    Arguments::Few(few) => invoke_small(&mut callee, index, few).await,
                    Arguments::Many(list) => {
                        invoke_large(&mut callee, index, list.as_le_slice(&importer)).await
                    }
                };
                function.end(importer.data_mut(), callee, outcome)
            }
            Err(failure) => Err(failure),
        }
    } else {
        let arguments = arguments.to_vec(&importer);
        // Boxed: it is large, and would be moved with every call that goes the other way.
        let importer = importer.data_mut();
        let call = boxed(|| exchange(function, importer, arguments));
        Box::into_pin(call).await.map(Reply::from)
    };
    reply.or_else(|failure| function.fail(failure).map(Reply::from))
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
        let telling = boxed(|| remote::drop_handle(frames, function, importer, handle));
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
) -> Result<Reply, Failure> {
    match Few::of(arguments) {
        Some(few) => invoke_small(callee, index, few).await,
        None => invoke_large(callee, index, arguments).await,
    }
}

async fn invoke_small(callee: &mut Callee, index: u32, arguments: Few) -> Result<Reply, Failure> {
    callee.ready().await?;
    let invoke = callee.invoke_small()?;
    let (length, a, b, c, d) = arguments.flat();
    let arguments = (index, length, a, b, c, d);
    let (invoked,) = run_in!(callee, invoke, arguments)?;
    given_back(callee, invoked)
}

async fn invoke_large(callee: &mut Callee, index: u32, arguments: &[u8]) -> Result<Reply, Failure> {
    bounded("arguments", arguments)?;
    callee.ready().await?;
    let invoke = callee.invoke()?;
    let (invoked,) = callee.run(invoke, (index, arguments)).await?;
    given_back(callee, invoked)
}

fn given_back(callee: &mut Callee, invoked: Invoked) -> Result<Reply, Failure> {
    match invoked {
        Ok((length, a, b, c, d, None)) => match Few::given((length, a, b, c, d)) {
            Ok(few) => Ok(Reply::Few(few)),
            Err(error) => Err(callee.failure(Some(error))),
        },
        // The skeleton's memory keeps the reply until its next call.
        Ok((.., Some(reply))) => {
            let reply = reply.as_le_slice(&*callee.store()?);
            bounded("result", reply)?;
            Ok(Reply::Many(reply.to_vec()))
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
