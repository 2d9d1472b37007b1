//! The exporter's side of a call: decodes the request, encodes the reply, and runs the store until
//! all streams and tasks of the call are done.

use std::future::poll_fn;
use std::sync::Arc;

use wasmtime::component::{Accessor, Func, Val};
use wasmtime::{AsContextMut, Store};
use weft_link::CallSide;

use super::stream_transfer::{SentFutures, StoreTransfer, attend};
use crate::links::codec::{CodecError, FunctionShape, decode, encode};

/// A call in the exporter's store.
pub(super) struct Call {
    pub(super) function: Func,
    pub(super) shape: Arc<FunctionShape>,
    pub(super) request: Vec<u8>,
}

/// The reason why a call was not completed.
#[derive(Debug)]
pub(super) enum CallError {
    /// The arguments do not have the function's types.
    Request(CodecError),
    /// The reply cannot be encoded.
    Reply(CodecError),
    /// The guest trapped, or reached a limit.
    Guest(wasmtime::Error),
}

/// Completion of a call, relative to its reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Completion {
    /// The reply, of a call that is complete.
    WithReply(Vec<u8>),
    /// The reply was sent earlier, while streams were open or the guest was running; both are done
    /// now.
    AfterReply,
}

/// Makes a call. `early_reply` receives the reply if the call continues after it.
///
/// The store can be used again afterwards, unless this fails or is dropped.
///
/// # Errors
/// If the guest fails, the request is malformed, or the reply cannot be encoded.
pub(super) async fn run<D: Send + 'static>(
    store: &mut Store<D>,
    side: &Arc<CallSide>,
    call: Call,
    early_reply: impl FnOnce(Vec<u8>) + Send,
) -> Result<Completion, CallError> {
    let task = async |accessor: &Accessor<D>| {
        let mut sent = SentFutures::default();
        let reply = invoke(accessor, side, call, &mut sent).await?;
        if !side.is_open() && is_idle(accessor).await {
            return Ok(Completion::WithReply(reply));
        }
        early_reply(reply);
        let closed = attend(accessor, side, sent).await;
        closed.map_err(CallError::Guest)?;
        poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
        Ok(Completion::AfterReply)
    };
    store.run_concurrent(task).await.map_err(CallError::Guest)?
}

async fn invoke<D: Send + 'static>(
    accessor: &Accessor<D>,
    side: &Arc<CallSide>,
    call: Call,
    sent: &mut SentFutures,
) -> Result<Vec<u8>, CallError> {
    let shape = &call.shape;
    let arguments = accessor.with(|mut access| {
        let (store, sent) = (access.as_context_mut(), &mut SentFutures::default());
        decode(
            &call.request,
            &shape.params,
            &mut StoreTransfer { store, side, sent },
        )
    });
    let arguments = arguments.map_err(CallError::Request)?;
    drop(call.request);
    let mut results = vec![Val::Bool(false); shape.results.len()];
    let function = call.function;
    let called = function.call_concurrent(accessor, &arguments, &mut results);
    called.await.map_err(CallError::Guest)?;
    let reply = accessor.with(|mut access| {
        let store = access.as_context_mut();
        encode(
            &results,
            &shape.results,
            &mut StoreTransfer { store, side, sent },
        )
    });
    reply.map_err(CallError::Reply)
}

/// True if the guest has no task left to run.
async fn is_idle<D: Send + 'static>(accessor: &Accessor<D>) -> bool {
    poll_fn(|context| {
        let idle = accessor.poll_no_interesting_tasks(context).is_ready();
        std::task::Poll::Ready(idle)
    })
    .await
}

/// Marks everything that this side wrote as incomplete, unless disarmed before it is dropped. Must
/// be dropped before the store, whose end closes the streams as if they were complete.
pub(super) struct FailureGuard(Option<Arc<CallSide>>);

impl FailureGuard {
    pub(super) fn new(side: &Arc<CallSide>) -> Self {
        Self(Some(side.clone()))
    }

    /// Marks the call as complete.
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for FailureGuard {
    fn drop(&mut self) {
        if let Some(side) = self.0.take() {
            side.fail();
        }
    }
}
