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
//!
//! Who is gone is told to who is left: a reader that leaves ends the writer's stream, a store that ends
//! ends what it wrote. A stream cannot say that it is not complete, so an exporter whose importer left
//! one behind is ended, and a `future<result<_, string>>` of an exporter that failed says so.

mod bind;
mod conversation;
mod element;
mod exchange;
mod future;
mod handover;
mod import;
mod message;
mod serve;
mod stream;
mod target;

pub(crate) use self::bind::bind_all;
