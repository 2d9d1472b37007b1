//! The return of the bus after an outage: hosts come back to it one after the other, so that for a
//! moment a host without responders, or without a reply, may just not be back yet.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use weft_bus::nats::{CONNECT_WAIT_MAX, RECONNECT_PAUSE_MAX};
use weft_bus::{Bus, PublishError, RequestError, Status, Subject};
use weft_membership::routing::Repeat;

/// The longest time from the return of this host's connections to that of another host's: the
/// longest pause between two attempts to connect, and the longest attempt.
pub(super) const SETTLE_TIME: Duration = RECONNECT_PAUSE_MAX.saturating_add(CONNECT_WAIT_MAX);

/// The longest wait after a return for the reply to a call that was sent before the outage. Replies
/// wait for the bus, so they are sent as soon as their host is back: nearly always within the pause
/// between two attempts to connect.
pub(super) const LATE_REPLY_WAIT_MAX: Duration = RECONNECT_PAUSE_MAX.saturating_mul(2);

/// The pause before a request is sent again: a server takes that long to put the subscriptions of a
/// returning host into force.
pub(super) const REQUEST_PAUSE: Duration = Duration::from_millis(50);

/// True if the bus has returned so recently that other hosts may not be back yet.
pub(super) fn is_settling(status: &Status) -> bool {
    match status {
        Status::Connected { since } => since.elapsed() < SETTLE_TIME,
        Status::Disconnected { .. } => false,
    }
}

/// Sends a request once the bus and its responder are there: it is sent again if it certainly did
/// not arrive because the bus was lost. One that may run twice is also sent again if it may have
/// arrived.
///
/// # Errors
/// A [`RequestError`], by `deadline` at the latest.
pub(super) async fn request(
    bus: &Bus,
    subject: &Subject,
    payload: Bytes,
    deadline: Instant,
    repeat: Repeat,
) -> Result<Bytes, RequestError> {
    loop {
        let reply = bus.request(subject, payload.clone(), deadline).await;
        let is_repeated = match &reply {
            Err(RequestError::Disconnected) => true,
            Err(RequestError::NoResponders { .. }) => is_settling(&bus.status().borrow()),
            Err(RequestError::ConnectionLost { .. }) => repeat == Repeat::Idempotent,
            _ => false,
        };
        let again = async {
            sleep(REQUEST_PAUSE).await;
            bus.connected().await
        };
        let is_repeated = is_repeated && timeout_at(deadline, again).await == Ok(true);
        if !is_repeated {
            return reply;
        }
    }
}

/// Sends a reply, once the bus is there. A reply that had to wait is sent twice, because the host
/// that waits for it may return after this one; only the first counts there.
///
/// # Errors
/// If the reply was not sent by `deadline`.
pub(super) async fn send_reply(
    bus: &Bus,
    reply: &Subject,
    message: Bytes,
    deadline: Instant,
) -> Result<(), PublishError> {
    let sent = bus.publish(reply, None, message.clone()).await;
    if sent != Err(PublishError::Disconnected) {
        return sent;
    }
    // Boxed because it is rare: the task of every call would have room for it.
    Box::pin(send_late(bus, reply, message, deadline)).await
}

async fn send_late(
    bus: &Bus,
    reply: &Subject,
    message: Bytes,
    deadline: Instant,
) -> Result<(), PublishError> {
    let sent = bus.publish_until(reply, None, message.clone(), deadline);
    sent.await?;
    let again = Instant::now() + RECONNECT_PAUSE_MAX;
    if again < deadline {
        sleep_until(again).await;
        bus.publish_until(reply, None, message, deadline).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_bus_settles_for_a_bounded_moment_after_its_return() {
        let since = Instant::now();
        let returned = Status::Connected { since };
        assert!(is_settling(&returned));
        tokio::time::advance(SETTLE_TIME).await;
        assert!(!is_settling(&returned));
    }
}
