//! Serves one connection until it ends or the server stops, for the ingress and the admin API.

use hyper_util::server::graceful::GracefulConnection;
use tokio_util::sync::CancellationToken;

/// Serves `connection`. After `stop` it accepts no new request and ends with the current one.
/// Errors of a connection are its client's concern, so they are only logged.
pub async fn serve_until<C>(connection: C, stop: &CancellationToken)
where
    C: GracefulConnection<Error: std::fmt::Display>,
{
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        // The connection comes first: a request that is in the socket at the stop is served.
        biased;
        outcome = connection.as_mut() => outcome,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection failed");
    }
}
