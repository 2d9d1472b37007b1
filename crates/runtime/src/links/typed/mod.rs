//! Functions that are called over a link by their own types, without stub and skeleton: those with
//! a signature in the table of [`signatures`].
//!
//! Strings and byte lists are copied in bulk from one store's memory to the other's. The importer's
//! side is a typed function of the host, and the target's side a typed call of the export.

mod signatures;
mod values;

use std::sync::Arc;

use wasmtime::component::{ComponentNamedList, LinkerInstance, Lower};
use weft_stub::plan::{CallPath, Signature};
use weft_wire::{DecodeError, Decoder, Limits};

use self::values::ReturnType;
use super::encoded_call::{call_encoded, read_reply};
use super::local_call::run_in;
use super::{Callee, Link, LinkFailure, LinkedFunction};
use crate::endpoint::Failure;
use crate::guest::GuestState;

/// True if the table contains a signature.
pub(crate) fn contains(signature: &Signature) -> bool {
    signatures::find(signature).is_some()
}

/// Defines the typed functions of a link in a linker, named by their index: `f3`.
pub(crate) fn bind_all(
    linker: &mut LinkerInstance<'_, GuestState>,
    link: &Arc<Link>,
) -> wasmtime::Result<()> {
    for (index, function) in link.functions.iter().enumerate() {
        let CallPath::Direct(signature) = &function.path else {
            continue;
        };
        let Some(code) = signatures::find(signature) else {
            return Err(wasmtime::Error::msg(
                "the signature is missing from the table",
            ));
        };
        (code.bind)(linker, &format!("f{index}"), function.clone())?;
    }
    Ok(())
}

/// Calls a function with encoded arguments.
pub(crate) async fn serve(
    signature: &Signature,
    callee: &mut Callee,
    target_index: u32,
    arguments: &[u8],
) -> Result<Vec<u8>, Failure> {
    match signatures::find(signature) {
        Some(code) => (code.serve)(callee, target_index, arguments).await,
        None => Err(Failure::BadRequest(
            "the signature is missing from the table".to_owned(),
        )),
    }
}

/// Makes the call in the callee's store.
async fn call<A, R>(callee: &mut Callee, target_index: u32, arguments: A) -> Result<R, Failure>
where
    A: ComponentNamedList + Lower + Send + Sync,
    R: ReturnType,
{
    callee.ready().await?;
    let function = callee.function(target_index)?;
    let function = callee.typed::<A, R>(function)?;
    run_in!(callee, function, arguments)
}

/// Makes an encoded call, for links with a task or a transport between the two stores.
async fn call_over_bytes<R: ReturnType>(
    function: &Arc<LinkedFunction>,
    importer: &mut GuestState,
    arguments: Vec<u8>,
) -> Result<R, LinkFailure> {
    let reply = call_encoded(function, importer, arguments).await?;
    read_reply(function, &reply, R::decode)
}

fn reader(bytes: &[u8]) -> Result<Decoder<'_>, Failure> {
    Decoder::new(bytes, Limits::LINK).map_err(decode_failure)
}

fn decode_failure(error: DecodeError) -> Failure {
    Failure::BadRequest(format!("cannot decode the arguments: {error}"))
}

fn encode_failure(error: &wasmtime::Error) -> Failure {
    Failure::BadRequest(format!("cannot encode the result: {error}"))
}
