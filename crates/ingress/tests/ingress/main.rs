//! The HTTP server over loopback, with fake handlers in place of components.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test, as tests do"
)]

mod client;
mod fake_handler;
mod forward;
mod server;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use weft_ingress::{Route, RouteTable, RouteTarget, Server};
use weft_lattice_config::RouteSpec;

/// Bound of every wait: far longer than any request here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a future, but not forever.
async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}

/// Starts a server whose only route is `/app`.
async fn start(target: RouteTarget) -> Server {
    let spec = RouteSpec {
        host: None,
        path: "/app".parse().unwrap(),
        to: "echo".parse().unwrap(),
    };
    let routes = RouteTable::new(vec![Route { spec, target }]);
    let (_, routes) = watch::channel(Arc::new(routes));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Server::start(address, routes).await.unwrap()
}
