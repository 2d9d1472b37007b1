//! The importer's side of a call: from its values to the bytes of a request, and from those of the
//! reply to its values.
//!
//! Everything here takes place within one poll of the importer's store; what lies between request and
//! reply does so elsewhere, and is waited for over a channel.

use std::sync::Arc;

use wasmtime::component::{Accessor, AccessorTask, Val};
use wasmtime::{AsContextMut, StoreContextMut};
use weft_link::Side;

use super::stream_transfer::{SentFutures, StoreTransfer, attend};
use crate::links::codec::{CodecError, FunctionShape, decode, encode};

/// Encodes the arguments of a call. Their streams and futures belong to `side` from here on.
///
/// # Errors
/// If they cannot be carried; their streams and futures are closed then.
pub(super) fn request<D: Send + 'static>(
    mut store: StoreContextMut<'_, D>,
    side: &Arc<Side>,
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

/// The result of a call, from its reply.
///
/// # Errors
/// If the reply is not one of this function.
pub(super) fn reply<D: 'static>(
    store: StoreContextMut<'_, D>,
    side: &Arc<Side>,
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

/// Closes the streams and futures among values that go nowhere, so that whoever writes them is told.
pub(super) fn close<D: 'static>(mut store: StoreContextMut<'_, D>, values: &[Val]) {
    for value in values {
        // Those that were given away before a later one failed are closed already.
        let _ = match value {
            Val::Stream(stream) => stream.clone().close(&mut store),
            Val::Future(future) => future.clone().close(&mut store),
            _ => Ok(()),
        };
    }
}

/// Stays in the importer's store while what it gave away is open. A store that ends before that takes
/// the attendant with it, and what was written is not complete.
struct Attendant {
    side: Arc<Side>,
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
        // Without meaning for streams that are over.
        self.side.fail();
    }
}
