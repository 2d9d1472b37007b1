//! Calls of `async func`s, and streams and futures, between stores.
//!
//! The stores of importer and exporter are polled in separate tasks, and neither ever waits within
//! the other. They exchange a request, a reply, and messages about streams:
//!
//! - [`bind`]: the host functions of the importer; [`callee_task`]: the task of the exporter.
//! - [`caller_codec`]: encodes an importer's request, and decodes its reply.
//! - [`callee_codec`]: decodes an exporter's request, makes the call, and encodes its reply.
//! - [`stream_transfer`]: streams and futures among parameters and results.
//! - [`stream`], [`future`], [`chunk`]: streams and futures as the runtime reads and writes them.
//!
//! The table of a call's streams, with their credit and ends, is in `weft_link`.
//!
//! Failures reach the other end: a dropped reader ends the writer's stream, and the end of a store
//! ends the streams that it wrote. A stream cannot report that it is incomplete, so an exporter is
//! ended if its importer left a stream incomplete; a `future<result<_, string>>` of a failed
//! exporter resolves to an error.

mod bind;
mod callee_codec;
mod callee_task;
mod caller_codec;
mod chunk;
mod future;
mod stream;
mod stream_transfer;
#[cfg(test)]
mod tests;

pub(crate) use self::bind::bind_all;
pub(crate) use self::callee_task::serve_request;
