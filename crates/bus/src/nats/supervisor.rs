//! Supervision of a connection: its status, and the effects of a change.
//!
//! The client's events only wake the supervisor, because they can be lost. It reads the client's
//! state and its count of connects, and polls both at an interval.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Shared;
use crate::{Gap, Outage, Status};

/// Polling interval of the client's state. Events come at once; this covers lost ones.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Time limit of the first round trip on a new connection. On timeout the client's pings decide
/// whether the server is alive, and the round trip is repeated.
const FIRST_ECHO_WAIT_MAX: Duration = Duration::from_secs(2);

/// The smallest `max_payload` of a server: a failure with its longest message fits, a heartbeat,
/// and the announcement of a frame that exceeds a message.
const MAX_PAYLOAD_MIN: usize = 8 << 10;

/// Maintains the status of one connection until the bus stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut last_generation = 0;
    loop {
        last_generation = step(&shared, last_generation).await;
        tokio::select! {
            () = shared.events().changed() => {}
            () = sleep(POLL_INTERVAL) => {}
            () = shared.stopping().cancelled() => break,
        }
    }
    set_disconnected(&shared);
    shared.inflight().fail_before(u64::MAX);
    shared.end_dispatchers();
}

/// Updates the status to the client's state, and returns the generation that was observed.
async fn step(shared: &Shared, last_generation: u64) -> u64 {
    let dropped = shared.events().take_dropped();
    if dropped > 0 {
        // The event does not name the subscription; a gap in all of them does no harm.
        shared.push_gap(Gap::Overflow { count: dropped });
    }
    let generation = shared.generation();
    if generation != last_generation {
        set_disconnected(shared);
        shared.inflight().fail_before(generation);
        if last_generation > 0 {
            shared.push_gap(Gap::Reconnected);
        }
    }
    let state = shared.client().connection_state();
    if state != async_nats::connection::State::Connected {
        set_disconnected(shared);
        shared.inflight().fail_before(generation + 1);
        return generation;
    }
    if !shared.status().borrow().is_connected() {
        let max_payload = shared.client().max_payload();
        if max_payload < MAX_PAYLOAD_MIN {
            let outage = Outage::of_max_payload(max_payload, MAX_PAYLOAD_MIN);
            shared.attempts().log_failure(&outage);
            // A new reason wakes the supervisor.
            if shared.events().reason().as_ref() != Some(&outage) {
                shared.events().set_reason(outage);
            }
            set_disconnected(shared);
            return generation;
        }
        let echoed = tokio::select! {
            echoed = timeout(FIRST_ECHO_WAIT_MAX, shared.echo()) => echoed == Ok(true),
            () = shared.stopping().cancelled() => false,
        };
        if echoed && shared.generation() == generation {
            set_connected(shared);
        } else {
            set_disconnected(shared);
            if let Some(outage) = shared.events().reason() {
                shared.attempts().log_failure(&outage);
            }
        }
    }
    generation
}

fn set_connected(shared: &Shared) {
    shared.events().clear_reason();
    shared.attempts().log_success();
    let since = Instant::now();
    shared.status().send_replace(Status::Connected { since });
}

/// Keeps the start of an outage while it lasts; only the reason is updated.
fn set_disconnected(shared: &Shared) {
    let reason = shared.events().reason();
    shared.status().send_if_modified(|status| {
        let next = match status {
            Status::Connected { .. } => Status::Disconnected {
                since: Instant::now(),
                reason,
            },
            Status::Disconnected { since, .. } => Status::Disconnected {
                since: *since,
                reason,
            },
        };
        let is_new = *status != next;
        *status = next;
        is_new
    });
}

/// Combines the status of several connections: connected when all are, since the last one was.
pub(super) fn combined_status(
    mut statuses: Vec<watch::Receiver<Status>>,
    tasks: &TaskTracker,
    stopping: &CancellationToken,
) -> watch::Receiver<Status> {
    if statuses.len() == 1 {
        return statuses.remove(0);
    }
    let (sender, receiver) = watch::channel(worst_status(&mut statuses));
    let stopping = stopping.clone();
    tasks.spawn(async move {
        loop {
            let changed = select_all(statuses.iter_mut().map(|status| Box::pin(status.changed())));
            let is_over = tokio::select! {
                (changed, _, _) = changed => changed.is_err(),
                () = stopping.cancelled() => true,
            };
            let now = if is_over {
                disconnected_now()
            } else {
                worst_status(&mut statuses)
            };
            sender.send_if_modified(|status| {
                let is_new = *status != now;
                *status = now;
                is_new
            });
            if is_over {
                break;
            }
        }
    });
    receiver
}

fn worst_status(statuses: &mut [watch::Receiver<Status>]) -> Status {
    let now = statuses
        .iter_mut()
        .map(|status| status.borrow_and_update().clone());
    let rank = |status: &Status| match status {
        // Disconnected ranks first, and among those the longest outage.
        Status::Disconnected { since, .. } => (1, std::cmp::Reverse(Some(*since)), None),
        // Among connected ones, the most recent.
        Status::Connected { since } => (0, std::cmp::Reverse(None), Some(*since)),
    };
    let worst = now.max_by_key(rank);
    worst.unwrap_or_else(disconnected_now)
}

fn disconnected_now() -> Status {
    Status::Disconnected {
        since: Instant::now(),
        reason: None,
    }
}
