//! Calls from other hosts: each is answered by the server that answers every frame.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weft_lattice::bus::{Bus, Message, Subscription};

use crate::links::wire::{Server, too_large};

/// The most calls from other hosts at once. Each entry has its own limit far below it, and answers `busy`
/// there; this one bounds what is held before it is known whom a call is for.
const CALLS_MAX: usize = 10_000;

/// Answers what comes to `calls` until `stop`.
pub(super) async fn run(
    mut calls: Subscription,
    bus: Bus,
    server: Arc<Server>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(CALLS_MAX));
    loop {
        let message = tokio::select! {
            message = calls.next_message() => message,
            () = stop.cancelled() => return,
        };
        let Some(message) = message else { return };
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        let (bus, server) = (bus.clone(), server.clone());
        tasks.spawn(async move {
            answer(&bus, &server, message).await;
            drop(permit);
        });
    }
}

async fn answer(bus: &Bus, server: &Server, message: Message) {
    let answer = server.answer(&message.payload).await;
    let Some(reply) = message.reply else {
        return;
    };
    // Whoever asks is told at least that it was dealt with.
    let mut answer = answer.unwrap_or_default();
    let limit = bus.max_payload();
    if answer.len() > limit
        && let Some(shorter) = too_large(&message.payload, answer.len(), limit)
    {
        answer = shorter;
    }
    if let Err(error) = bus.publish(&reply, None, Bytes::from(answer)).await {
        // Whoever asked has a deadline.
        tracing::warn!(%error, "a reply to another host was not sent");
    }
}
