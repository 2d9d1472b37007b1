//! The messages of a client on their way to the call, which runs in a task of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::sync::{mpsc, oneshot};

use crate::body_budget::BodyShare;

/// A message as a chunk of the stream, with its memory.
pub(super) type Message = (Vec<u8>, BodyShare);

/// The sending end. Dropping it without [`MessageInput::complete`] leaves the stream incomplete.
pub(super) struct MessageInput {
    sender: mpsc::Sender<Message>,
    is_complete: Arc<AtomicBool>,
}

/// The receiving end, which the call polls once its component waits for a message.
pub(super) struct Messages {
    receiver: mpsc::Receiver<Message>,
    is_complete: Arc<AtomicBool>,
    accepted: Option<oneshot::Sender<()>>,
}

/// The client left before it closed the socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Incomplete;

/// Both ends; the last value is sent when the component waits for the first message.
pub(super) fn messages() -> (MessageInput, Messages, oneshot::Receiver<()>) {
    // The one message that is read ahead of the component.
    let (sender, receiver) = mpsc::channel(1);
    let (accepted, is_accepted) = oneshot::channel();
    let is_complete = Arc::new(AtomicBool::new(false));
    let input = MessageInput {
        sender,
        is_complete: is_complete.clone(),
    };
    let messages = Messages {
        receiver,
        is_complete,
        accepted: Some(accepted),
    };
    (input, messages, is_accepted)
}

impl MessageInput {
    /// Waits for the place of a message; `None` if the component takes no more.
    pub(super) async fn place(&self) -> Option<mpsc::Permit<'_, Message>> {
        self.sender.reserve().await.ok()
    }

    /// Ends the messages.
    pub(super) fn complete(self) {
        self.is_complete.store(true, Ordering::Release);
    }
}

impl Stream for Messages {
    type Item = Result<Vec<u8>, Incomplete>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(accepted) = self.accepted.take() {
            // The request may be over.
            let _ = accepted.send(());
        }
        self.receiver
            .poll_recv(context)
            .map(|message| match message {
                Some((chunk, _share)) => Some(Ok(chunk)),
                None if self.is_complete.load(Ordering::Acquire) => None,
                None => Some(Err(Incomplete)),
            })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    #[tokio::test]
    async fn one_message_is_read_ahead_of_the_component() {
        let (input, mut messages, mut accepted) = messages();
        let first = input.place().await.unwrap();
        first.send((vec![1], BodyShare::default()));
        assert!(input.place().now_or_never().is_none());
        assert!(accepted.try_recv().is_err());
        assert_eq!(messages.next().await, Some(Ok(vec![1])));
        assert!(accepted.try_recv().is_ok());
        assert!(input.place().now_or_never().is_some());
        input.complete();
        assert_eq!(messages.next().await, None);
    }

    #[tokio::test]
    async fn messages_of_a_client_that_left_are_incomplete() {
        let (input, mut messages, _) = messages();
        let first = input.place().await.unwrap();
        first.send((vec![1], BodyShare::default()));
        drop(input);
        assert_eq!(messages.next().await, Some(Ok(vec![1])));
        assert_eq!(messages.next().await, Some(Err(Incomplete)));
    }

    #[tokio::test]
    async fn a_component_that_takes_no_messages_has_no_place_for_them() {
        let (input, messages, _) = messages();
        drop(messages);
        assert!(input.place().await.is_none());
    }
}
