//! Serving one connection until it ends or the server stops: for the ingress and the admin API.

use hyper_util::server::graceful::GracefulConnection;
use tokio_util::sync::CancellationToken;

/// Runs `connection`. When `stop` is cancelled it takes no new request and ends after the one that
/// has begun. What goes wrong on a connection is its client's business, so it is logged only.
pub async fn serve_until<C>(connection: C, stop: &CancellationToken)
where
    C: GracefulConnection<Error: std::fmt::Display>,
{
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended early");
    }
}
