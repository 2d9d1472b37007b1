//! From whoever publishes to the task of the client, many messages at a time.
//!
//! The client's task writes to its socket what it was given until it had its turn. A scheduler that runs next
//! what was woken last gives it that turn after the first message, and each message costs a write of its own, and
//! the server a read. Here messages wait until every task that is ready has had its turn, and are handed to the
//! client messages: a host that is busy writes many at once, as few [batches](super::batch), and one that is not
//! does so after a moment (`docs/performance.md`).

use async_nats::Client;
use async_nats::client::PublishError;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

use super::batch::{BATCH_MESSAGES_MAX, Destination, MessageGroup, Outgoing, group_messages};
use crate::Subject;
use crate::inflight::InflightRequests;

/// How many messages wait to be handed to the client, before whoever publishes waits: one turn's worth. As many are
/// on their way to the client, which has room for more of its own (`options.rs`).
const QUEUED_MAX: usize = BATCH_MESSAGES_MAX;

/// What hands messages to the client of a connection.
pub(super) struct SendTask {
    pub(super) client: Client,
    /// What the subjects of answers begin with.
    pub(super) inbox: String,
    pub(super) inflight: InflightRequests,
}

/// Where messages are put.
pub(super) fn channel() -> (mpsc::Sender<Outgoing>, mpsc::Receiver<Outgoing>) {
    mpsc::channel(QUEUED_MAX)
}

impl SendTask {
    /// Hands messages to the client, in the order of [`group_messages`], until `stopping`.
    pub(super) async fn run(
        self,
        mut queued: mpsc::Receiver<Outgoing>,
        stopping: CancellationToken,
    ) {
        let mut messages = Vec::with_capacity(BATCH_MESSAGES_MAX);
        loop {
            tokio::select! {
                biased;
                count = queued.recv_many(&mut messages, BATCH_MESSAGES_MAX) => if count == 0 {
                    return;
                },
                () = stopping.cancelled() => return,
            }
            yield_now().await;
            while messages.len() < BATCH_MESSAGES_MAX
                && let Ok(outgoing) = queued.try_recv()
            {
                messages.push(outgoing);
            }
            for group in group_messages(messages.drain(..), self.client.max_payload()) {
                tokio::select! {
                    biased;
                    () = self.send_group(group) => {}
                    () = stopping.cancelled() => return,
                }
            }
        }
    }

    async fn send_group(&self, group: MessageGroup) {
        let sent = if group.is_batch() {
            self.send_batch(&group).await
        } else {
            self.send_one(group.first).await
        };
        if let Err(error) = sent {
            // The server was replaced by one that takes less, in this moment, or the client has ended. Whoever
            // waits for an answer has a deadline.
            tracing::debug!(%error, "a message was not sent");
        }
    }

    async fn send_one(
        &self,
        Outgoing {
            destination,
            payload,
        }: Outgoing,
    ) -> Result<(), PublishError> {
        let (subject, reply) = self.addresses(&destination);
        match reply {
            Some(reply) => {
                let sent = self.client.publish_with_reply(subject, reply, payload);
                sent.await
            }
            None => self.client.publish(subject, payload).await,
        }
    }

    async fn send_batch(&self, group: &MessageGroup) -> Result<(), PublishError> {
        let (headers, payload) = match group.encode_batch() {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(%error, "a batch was not written");
                return Ok(());
            }
        };
        let (subject, reply) = self.addresses(&group.first.destination);
        let client = &self.client;
        match reply {
            Some(reply) => {
                if let Destination::Request { number, .. } = group.first.destination {
                    self.inflight.mark_batch(number, group.other_numbers());
                }
                let sent = client.publish_with_reply_and_headers(subject, reply, headers, payload);
                sent.await
            }
            None => {
                let sent = client.publish_with_headers(subject, headers, payload);
                sent.await
            }
        }
    }

    /// Where a message goes, and where its answer is to come.
    fn addresses(&self, destination: &Destination) -> (String, Option<String>) {
        let text = |subject: &Subject| subject.as_str().to_owned();
        match destination {
            Destination::Request { subject, number } => {
                let reply = format!("{}{number}", self.inbox);
                (text(subject), Some(reply))
            }
            Destination::Subject { subject, reply } => (text(subject), reply.as_ref().map(text)),
            Destination::Echo { subject } => (text(subject), None),
        }
    }
}
