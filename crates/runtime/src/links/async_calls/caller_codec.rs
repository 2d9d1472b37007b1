//! The importer's side of a call: encodes values into a request, and decodes a reply into values.
//!
//! Each function here runs within one poll of the importer's store. The time between request and
//! reply passes in another task.

use std::sync::Arc;

use wasmtime::component::{Accessor, AccessorTask, Val};
use wasmtime::{AsContextMut, StoreContextMut};
use weft_link::CallSide;

use super::stream_transfer::{SentFutures, StoreTransfer, attend};
use crate::links::codec::{CodecError, FunctionShape, decode, encode};

/// Encodes the arguments of a call. Their streams and futures belong to `side` from here on.
///
/// # Errors
/// If the arguments cannot be encoded; their streams and futures are closed then.
pub(super) fn request<D: Send + 'static>(
    mut store: StoreContextMut<'_, D>,
    side: &Arc<CallSide>,
    shape: &FunctionShape,
    arguments: &[Val],
) -> Result<Vec<u8>, CodecError> {
    let mut sent = SentFutures::default();
    let mut ends = StoreTransfer {
        store: store.as_context_mut(),
        side,
        sent: &mut sent,
    };
    match encode(arguments, &shape.params, &mut ends) {
        Ok(request) => {
            if side.is_open() {
                let side = side.clone();
                let attendant = Attendant { side, sent };
                store.spawn(attendant).map_err(CodecError::store)?;
            }
            Ok(request)
        }
        Err(error) => {
            close(store, arguments);
            Err(error)
        }
    }
}

/// Decodes the result of a call from its reply.
///
/// # Errors
/// If the reply does not have the function's types.
pub(super) fn reply<D: 'static>(
    store: StoreContextMut<'_, D>,
    side: &Arc<CallSide>,
    shape: &FunctionShape,
    reply: &[u8],
) -> Result<Vec<Val>, CodecError> {
    // A reply contains no streams of the importer.
    let sent = &mut SentFutures::default();
    decode(
        reply,
        &shape.results,
        &mut StoreTransfer { store, side, sent },
    )
}

/// Closes the streams and futures among values that are not sent, so that their writers are
/// notified.
pub(super) fn close<D: 'static>(mut store: StoreContextMut<'_, D>, values: &[Val]) {
    for value in values {
        // Those that were sent before a later one failed are closed already.
        let _ = match value {
            Val::Stream(stream) => stream.clone().close(&mut store),
            Val::Future(future) => future.clone().close(&mut store),
            _ => Ok(()),
        };
    }
}

/// Runs in the importer's store while streams that the importer sent are open. If the store ends
/// earlier, the attendant is dropped with it and marks them as incomplete.
struct Attendant {
    side: Arc<CallSide>,
    sent: SentFutures,
}

impl<D: Send + 'static> AccessorTask<D> for Attendant {
    async fn run(mut self, accessor: &Accessor<D>) -> wasmtime::Result<()> {
        let sent = std::mem::take(&mut self.sent);
        attend(accessor, &self.side, sent).await
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        // No effect on streams that are complete.
        self.side.fail();
    }
}
