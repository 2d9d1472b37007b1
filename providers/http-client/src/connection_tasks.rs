//! Connection tasks, which hyper starts and the provider owns.

use hyper::rt::Executor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs connections until they end or the provider closes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionTasks {
    running: TaskTracker,
    closing: CancellationToken,
}

// === impl ConnectionTasks ===

impl ConnectionTasks {
    /// Ends every connection.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.running.close();
        self.running.wait().await;
    }
}

impl<F> Executor<F> for ConnectionTasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.running
            .spawn(self.closing.clone().run_until_cancelled_owned(future));
    }
}
