//! A call in a task of its own, and the importer that waits for its answer.

use std::future::Future;

use tokio::sync::oneshot;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// What the importer's side is given.
#[derive(Debug)]
pub enum Answer<O> {
    /// The call is over, and how.
    Over(O),
    /// The reply, of a call that goes on in its task.
    GoesOn(Vec<u8>),
}

impl<O> Answer<O> {
    /// The answer with its end converted.
    pub fn map<P>(self, convert: impl FnOnce(O) -> P) -> Answer<P> {
        match self {
            Self::Over(end) => Answer::Over(convert(end)),
            Self::GoesOn(reply) => Answer::GoesOn(reply),
        }
    }
}

/// A call that runs. Dropped before there is an answer, it ends: nobody waits for it.
pub struct Conversation<O> {
    task: AbortOnDropHandle<()>,
    answer: oneshot::Receiver<Answer<O>>,
}

impl<O: Send + 'static> Conversation<O> {
    /// Begins a call. `serve` sends the one answer.
    pub fn begin<F>(
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

    /// Waits for the answer. None if the task panicked, or the host is going away.
    pub async fn answer(self) -> Option<Answer<O>> {
        let answer = self.answer.await.ok()?;
        if matches!(answer, Answer::GoesOn(_)) {
            drop(self.task.detach());
        }
        Some(answer)
    }
}
