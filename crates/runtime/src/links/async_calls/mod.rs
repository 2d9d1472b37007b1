//! Calls of `async func`s, and streams and futures, between stores.
//!
//! The importer's and the exporter's store are polled in tasks of their own, and neither ever waits
//! within the other. What goes between them is a request, a reply, and messages about streams:
//!
//! - [`bind`]: the host functions of the importer; [`callee_task`]: the task of the exporter.
//! - [`caller_codec`]: values of the importer to a request, and a reply to values.
//! - [`callee_codec`]: a request to a call of the exporter, and its result to a reply.
//! - [`stream_transfer`]: streams and futures among parameters and results.
//! - [`stream`], [`future`], [`element`]: streams and futures as the runtime reads and writes them.
//!
//! The streams of a call, their credit and their ends are `weft_link`'s.
//!
//! Who is gone is told to who is left: a reader that leaves ends the writer's stream, a store that ends
//! ends what it wrote. A stream cannot say that it is not complete, so an exporter whose importer left
//! one behind is ended, and a `future<result<_, string>>` of an exporter that failed says so.

mod bind;
mod callee_codec;
mod callee_task;
mod caller_codec;
mod element;
mod future;
mod stream;
mod stream_transfer;
#[cfg(test)]
mod tests;

pub(crate) use self::bind::bind_all;
pub(crate) use self::callee_task::{serve_frame, serve_request};
