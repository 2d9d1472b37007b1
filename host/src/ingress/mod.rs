//! HTTP from outside to components.
//!
//! [`server`] owns sockets and connections, [`routes`] says which component a request is for,
//! [`path`] refuses targets that mean two things, [`run`] runs the guest and streams both ways
//! ([`p2`], [`p3`], [`body`]), [`answer`] is what the host says itself. A component that runs on another host
//! is asked there ([`away`]), and answers what comes from other hosts
//! ([`answering`]; [`headers`] and [`beginning`] say how the two halves of a message go).

mod answer;
mod answering;
mod away;
mod beginning;
mod body;
mod headers;
mod p2;
mod p3;
mod path;
mod routes;
mod run;
mod server;

use http_body_util::combinators::UnsyncBoxBody;

pub(crate) use self::answering::Answering;
pub(crate) use self::away::Elsewhere;
pub(crate) use self::routes::{Place, Route, RouteTable};
pub(crate) use self::server::Server;

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<bytes::Bytes, wasmtime_wasi_http::Error>;
