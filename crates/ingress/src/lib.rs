//! HTTP from clients to components.
//!
//! - [`server`]: sockets, connections, and bounds on what a client sends.
//! - [`routes`]: the component that a request is for; [`target_check`] rejects ambiguous targets.
//! - [`handler`]: a component of this host that handles HTTP, as a trait: the runtime implements it.
//! - [`forward`]: requests for components of other hosts; [`forwarded`] answers those of other hosts,
//!   [`headers`] and [`body_prefix`] are the two halves of a message between them.
//! - [`error_response`]: responses of the host itself.
//! - [`limits`]: bounds of a component's requests.
//! - [`serve_connection`]: a connection that ends when the host stops.

pub mod body_prefix;
pub mod error_response;
pub mod forward;
pub mod forwarded;
pub mod handler;
pub mod headers;
pub mod limits;
pub mod routes;
pub mod serve_connection;
pub mod server;
pub mod target_check;

pub use forward::RemoteComponent;
pub use forwarded::ForwardedRequests;
pub use handler::{Body, BodyError, Handler, Overloaded, RequestBody};
pub use routes::{Route, RouteTable, RouteTarget};
pub use serve_connection::serve_until;
pub use server::Server;
