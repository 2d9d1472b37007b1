//! Calls in tasks of their own, and their callers that wait for the answer.

use std::future::Future;

use tokio::sync::oneshot;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// The answer to a caller.
#[derive(Debug)]
pub enum Answer<O> {
    /// The call has ended.
    Ended(O),
    /// The reply of a call that continues in its task.
    Streaming(Vec<u8>),
}

impl<O> Answer<O> {
    /// Converts the end of the call.
    #[must_use]
    pub fn map<P>(self, convert: impl FnOnce(O) -> P) -> Answer<P> {
        match self {
            Self::Ended(end) => Answer::Ended(convert(end)),
            Self::Streaming(reply) => Answer::Streaming(reply),
        }
    }
}

/// A running call. Dropping it before the answer cancels the call, because no caller waits for it.
pub struct CallTask<O> {
    task: AbortOnDropHandle<()>,
    answer: oneshot::Receiver<Answer<O>>,
}

impl<O: Send + 'static> CallTask<O> {
    /// Starts a call in `tasks`. `serve` sends one answer.
    pub fn spawn<F>(
        tasks: &TaskTracker,
        serve: impl FnOnce(oneshot::Sender<Answer<O>>) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let task = AbortOnDropHandle::new(tasks.spawn(serve(sender)));
        Self { task, answer }
    }

    /// Waits for the answer; `None` if the task ended without one, as by a panic. After
    /// [`Answer::Streaming`] the call continues without its caller.
    pub async fn answer(self) -> Option<Answer<O>> {
        let (answer, task) = self.answer_and_task().await?;
        if matches!(answer, Answer::Streaming(_)) {
            drop(task.detach());
        }
        Some(answer)
    }

    /// Waits for the answer as [`CallTask::answer`]. The call continues until the returned task is
    /// dropped.
    pub(crate) async fn answer_and_task(self) -> Option<(Answer<O>, AbortOnDropHandle<()>)> {
        let answer = self.answer.await.ok()?;
        Some((answer, self.task))
    }
}
