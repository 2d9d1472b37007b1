//! Calls of `async func`s, and streams and futures, between stores.
//!
//! The importer's and the exporter's store are polled in tasks of their own, and neither ever waits
//! within the other. What goes between them is a request, a reply, and messages about streams:
//!
//! - [`bind`]: the host functions of the importer; [`target`]: the task of the exporter.
//! - [`import`]: values of the importer to a request, and a reply to values.
//! - [`serve`]: a request to a call of the exporter, and its result to a reply.
//! - [`handover`]: streams and futures among parameters and results.
//! - [`exchange`]: the streams of one call, with their credit and their ends.
//! - [`conversation`]: the task that a call is made in, and who waits for it.
//! - [`message`]: what is said about them, as it is or as frames of the wire.
//! - [`stream`], [`future`], [`element`]: what the runtime reads and writes.
//! - [`away`]: a side whose other side is on another host.
//! - [`body`]: bodies of HTTP as streams of a call.
//!
//! Who is gone is told to who is left: a reader that leaves ends the writer's stream, a store that ends
//! ends what it wrote. A stream cannot say that it is not complete, so an exporter whose importer left
//! one behind is ended, and a `future<result<_, string>>` of an exporter that failed says so.

mod away;
mod bind;
mod body;
mod conversation;
mod element;
mod exchange;
mod future;
mod stream_transfer;
mod caller_codec;
mod message;
mod callee_codec;
mod stream;
mod callee_task;
#[cfg(test)]
mod tests;

pub(crate) use self::away::Away;
pub(crate) use self::bind::bind_all;
pub(crate) use self::conversation::{Answer, Conversation};
pub(crate) use self::exchange::{Role, Side};
pub(crate) use self::callee_task::{Over, of_frame};
