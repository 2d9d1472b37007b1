//! The threads that no guest enters: those of the bus, the heartbeats, the membership and the admin
//! API.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::context::TokioContext;

/// Number of threads. Their tasks wait for messages and timers, and compute little.
const THREADS: usize = 2;

/// The runtime of everything in a host that must not wait for a guest. Dropping it ends its tasks.
pub(crate) struct ControlRuntime {
    handle: Handle,
    /// `None` once dropped.
    runtime: Option<Runtime>,
}

impl ControlRuntime {
    /// # Errors
    /// The error of the operating system if no thread can be started.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("weft-control")
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Polls a future on the thread of the caller, with its sockets, timers and tasks on this
    /// runtime.
    pub(crate) fn run<F: Future>(&self, future: F) -> TokioContext<F> {
        TokioContext::new(future, self.handle())
    }
}

impl Drop for ControlRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The thread of the caller may belong to a runtime, which must not block.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn tasks_sockets_and_timers_of_a_future_are_on_the_threads_of_the_runtime() {
        let control = ControlRuntime::start().unwrap();
        let name = || std::thread::current().name().map(str::to_owned);
        let spawned = control.run(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            // The task has an owner: this test awaits it.
            Handle::current().spawn(async move { name() }).await
        });
        assert_eq!(spawned.await.unwrap().as_deref(), Some("weft-control"));
    }
}
