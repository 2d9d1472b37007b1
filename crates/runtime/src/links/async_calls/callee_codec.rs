//! The exporter's side of a call: from the bytes of a request to those of the reply, and on until all
//! that the call began is over.

use std::future::poll_fn;
use std::sync::Arc;

use wasmtime::component::{Accessor, Func, Val};
use wasmtime::{AsContextMut, Store};

use super::stream_transfer::{Ends, Given, attend};
use crate::links::codec::{CodecError, FunctionShape, decode, encode};
use weft_link::Side;

/// A call as the exporter's store is to make it.
pub(super) struct Call {
    pub(super) function: Func,
    pub(super) shape: Arc<FunctionShape>,
    pub(super) request: Vec<u8>,
}

/// Why a call did not come to its end.
#[derive(Debug)]
pub(super) enum Broken {
    /// The arguments are not of the function's types.
    Request(CodecError),
    /// The reply cannot be carried.
    Reply(CodecError),
    /// The guest trapped, or came to a limit.
    Guest(wasmtime::Error),
}

/// When the reply of a call is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Replied {
    /// Now: the call is over with it.
    Now(Vec<u8>),
    /// Before, while streams were open or the guest went on; now that is over too.
    Before,
}

/// Makes a call. `early` takes the reply if it is not the end of the call.
///
/// The store may be used again afterwards, unless this fails or is dropped.
///
/// # Errors
/// If the guest failed, or request or reply cannot be read or written.
pub(super) async fn run<D: Send + 'static>(
    store: &mut Store<D>,
    side: &Arc<Side>,
    call: Call,
    early: impl FnOnce(Vec<u8>) + Send,
) -> Result<Replied, Broken> {
    let whole = async |accessor: &Accessor<D>| {
        let mut given = Given::default();
        let reply = answer(accessor, side, call, &mut given).await?;
        if !side.is_open() && is_quiet(accessor).await {
            return Ok(Replied::Now(reply));
        }
        early(reply);
        let attended = attend(accessor, side, given).await;
        attended.map_err(Broken::Guest)?;
        poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
        Ok(Replied::Before)
    };
    store.run_concurrent(whole).await.map_err(Broken::Guest)?
}

async fn answer<D: Send + 'static>(
    accessor: &Accessor<D>,
    side: &Arc<Side>,
    call: Call,
    given: &mut Given,
) -> Result<Vec<u8>, Broken> {
    let shape = &call.shape;
    let arguments = accessor.with(|mut access| {
        let (store, given) = (access.as_context_mut(), &mut Given::default());
        decode(
            &call.request,
            &shape.params,
            &mut Ends { store, side, given },
        )
    });
    let arguments = arguments.map_err(Broken::Request)?;
    drop(call.request);
    let mut results = vec![Val::Bool(false); shape.results.len()];
    let function = call.function;
    let called = function.call_concurrent(accessor, &arguments, &mut results);
    called.await.map_err(Broken::Guest)?;
    let reply = accessor.with(|mut access| {
        let store = access.as_context_mut();
        encode(&results, &shape.results, &mut Ends { store, side, given })
    });
    reply.map_err(Broken::Reply)
}

/// Whether the guest has nothing left to do.
async fn is_quiet<D: Send + 'static>(accessor: &Accessor<D>) -> bool {
    poll_fn(|context| {
        let quiet = accessor.poll_no_interesting_tasks(context).is_ready();
        std::task::Poll::Ready(quiet)
    })
    .await
}

/// Tells the other side, when dropped before it is disarmed, that what was written is not complete. It
/// has to be dropped before the store, which ends the streams.
pub(super) struct Guard(Option<Arc<Side>>);

impl Guard {
    pub(super) fn new(side: &Arc<Side>) -> Self {
        Self(Some(side.clone()))
    }

    /// The call came to its end.
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(side) = self.0.take() {
            side.fail();
        }
    }
}
