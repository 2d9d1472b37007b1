//! From whoever publishes to the task of the client, many messages at a time.
//!
//! The client's task writes to its socket what it was given until it had its turn. A scheduler that runs next
//! what was woken last gives it that turn after the first message, and each message costs a write of its own, and
//! the server a read. Here messages wait until every task that is ready has had its turn, and are handed to the
//! client together: a host that is busy writes many at once, and one that is not does so after a moment
//! (`docs/performance.md`).

use async_nats::Client;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

/// How many messages wait to be handed to the client, before whoever publishes waits. The client has room for
/// more of its own.
const WAITING_MAX: usize = 1_024;

/// How many are handed to it together.
const TOGETHER_MAX: usize = 256;

/// A message on its way out.
pub(super) struct Outgoing {
    pub(super) subject: String,
    pub(super) reply: Option<String>,
    pub(super) payload: Bytes,
}

/// Where messages are put.
pub(super) fn outbox() -> (mpsc::Sender<Outgoing>, mpsc::Receiver<Outgoing>) {
    mpsc::channel(WAITING_MAX)
}

/// Hands messages to the client in their order, until `stopping`, and then those that wait and that it takes.
pub(super) async fn run(
    client: Client,
    mut waiting: mpsc::Receiver<Outgoing>,
    stopping: CancellationToken,
) {
    let mut together = Vec::with_capacity(TOGETHER_MAX);
    loop {
        tokio::select! {
            biased;
            count = waiting.recv_many(&mut together, TOGETHER_MAX) => if count == 0 {
                return;
            },
            () = stopping.cancelled() => return,
        }
        yield_now().await;
        while together.len() < TOGETHER_MAX
            && let Ok(outgoing) = waiting.try_recv()
        {
            together.push(outgoing);
        }
        for outgoing in together.drain(..) {
            tokio::select! {
                biased;
                () = hand_over(&client, outgoing) => {}
                () = stopping.cancelled() => return,
            }
        }
    }
}

async fn hand_over(client: &Client, outgoing: Outgoing) {
    let Outgoing {
        subject,
        reply,
        payload,
    } = outgoing;
    let sent = match reply {
        Some(reply) => client.publish_with_reply(subject, reply, payload).await,
        None => client.publish(subject, payload).await,
    };
    if let Err(error) = sent {
        // The server was replaced by one that takes less, in this moment, or the client has ended. Whoever
        // waits for an answer has a deadline.
        tracing::debug!(%error, "a message was not sent");
    }
}
