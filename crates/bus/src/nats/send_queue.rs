//! Queue from publishers to the client's task, which sends many messages at a time.
//!
//! The client's task writes everything that was queued by the time it runs. A scheduler that runs
//! the last woken task first starts it after the first message, so each message costs one write,
//! and one read at the server. Here messages wait until every ready task has run, and are passed to
//! the client together: a busy host sends many at once, in few [batches](super::batch), and an idle
//! one sends after a moment (`docs/performance.md`).

use async_nats::Client;
use async_nats::client::PublishError;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

use super::batch::{BATCH_MESSAGES_MAX, Destination, MessageGroup, Outgoing, group_messages};
use crate::Subject;
use crate::inflight::InflightRequests;

/// Capacity of the queue, after which publishers wait: the messages of one turn. As many are in
/// transit to the client, which has a queue of its own (`options.rs`).
const QUEUED_MAX: usize = BATCH_MESSAGES_MAX;

/// The task that passes messages to the client of a connection.
pub(super) struct SendTask {
    pub(super) client: Client,
    /// Prefix of the reply subjects.
    pub(super) inbox: String,
    pub(super) inflight: InflightRequests,
}

/// The queue, as its two ends.
pub(super) fn channel() -> (mpsc::Sender<Outgoing>, mpsc::Receiver<Outgoing>) {
    mpsc::channel(QUEUED_MAX)
}

impl SendTask {
    /// Passes messages to the client, in the order of [`group_messages`], until `stopping`.
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
            // The client has ended, or the server was just replaced by one with a smaller limit.
            // Requests still fail by their deadline.
            tracing::debug!(%error, "message not sent");
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
                tracing::error!(%error, "batch not encoded, its messages are lost");
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

    /// The subject and the reply subject of a message.
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
