//! HTTP from clients to components.
//!
//! - [`Server`]: sockets, connections, and bounds on the requests of clients.
//! - [`RouteTable`]: the component for a request. Ambiguous request targets are rejected before.
//! - [`Handler`]: a component of this host that handles HTTP. The runtime implements it.
//! - [`RemoteComponent`]: a component of another host, to which requests are forwarded;
//!   [`ForwardedRequests`] answers the requests that other hosts forward.
//! - [`TypedRoute`]: a route whose requests are calls of functions.
//! - [`ReadinessSource`]: readiness of the host, for load balancers.
//! - [`error_response`]: responses of the host itself.
//! - [`limits`]: bounds of a component's requests.
//! - [`serve_until`]: serves a connection until the host stops.

mod answer;
mod bodiless;
mod body_budget;
mod body_prefix;
mod connection;
mod faces;
mod form_body;
mod forward;
mod handler;
mod headers;
mod host_problems;
mod kept_alive;
mod readiness;
mod request_target;
mod routes;
mod serve_connection;
mod server;
mod socket;
mod target_check;
mod typed_request;
mod typed_route;
mod upload_body;

pub mod error_response;
pub mod forwarded;
pub mod limits;

pub use body_budget::{BodyBudget, BodyShare};
pub use connection::{CONNECTIONS_MAX, KEEP_ALIVE_DEFAULT};
pub use forward::RemoteComponent;
pub use forwarded::ForwardedRequests;
pub use handler::{Body, BodyError, Handler, Overloaded, RequestBody};
pub use readiness::{READY_PATH, Readiness, ReadinessSource};
pub use routes::{Route, RouteTable, RouteTarget};
pub use serve_connection::serve_until;
pub use server::{Server, ServerSettings};
pub use typed_route::TypedRoute;
