//! HTTP from outside to components.
//!
//! [`server`] owns sockets and connections, [`routes`] says which component a request is for,
//! [`path`] refuses targets that mean two things, [`run`] runs the guest and streams both ways
//! ([`p2`], [`p3`], [`body`]), [`answer`] is what the host says itself.

mod answer;
mod body;
mod p2;
mod p3;
mod path;
mod routes;
mod run;
mod server;

use http_body_util::combinators::UnsyncBoxBody;

pub(crate) use self::routes::{Route, RouteTable};
pub(crate) use self::server::Server;

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<bytes::Bytes, wasmtime_wasi_http::Error>;
