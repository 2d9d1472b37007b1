//! The HTTP server over loopback, with fake handlers in place of components.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test, as tests do"
)]

mod bodiless;
mod client;
mod connections;
mod early_responses;
mod fake_handler;
mod forward;
mod readiness;
mod server;
mod targets;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use weft_ingress::{
    Readiness, ReadinessSource, Route, RouteTable, RouteTarget, Server, ServerSettings,
};
use weft_lattice_config::RouteSpec;

/// Bound of every wait: far longer than any request here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a future, but not forever.
async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}

/// Starts a server whose only route is `/app`.
async fn start(target: RouteTarget) -> Server {
    start_with(RouteTable::new(vec![route(target)]), || Readiness::Ready).await
}

/// A route of `/app`.
fn route(target: RouteTarget) -> Route {
    let spec = RouteSpec::raw(None, "/app".parse().unwrap(), "echo".parse().unwrap());
    Route { spec, target }
}

/// Starts a server with these routes and this readiness.
async fn start_with(
    routes: RouteTable,
    readiness: impl Fn() -> Readiness + Send + Sync + 'static,
) -> Server {
    start_set(routes, readiness, ServerSettings::default()).await
}

/// Starts a server with these routes, this readiness and these settings.
async fn start_set(
    routes: RouteTable,
    readiness: impl Fn() -> Readiness + Send + Sync + 'static,
    settings: ServerSettings,
) -> Server {
    let (_, routes) = watch::channel(Arc::new(routes));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let readiness = Arc::new(ReadinessSource::new(readiness));
    let server = Server::start(address, routes, readiness, settings);
    server.await.unwrap()
}
