//! The end of the wait for a reply across the loss of a connection.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::Status;

/// Resolves `wait` after the connection was lost and has returned; never if it is not lost, or does
/// not return.
pub(crate) async fn after_return(mut status: watch::Receiver<Status>, wait: Duration) {
    // From here on a change is noticed even if both changes come between two polls.
    let is_connected = status.borrow_and_update().is_connected();
    let returned = async {
        if is_connected {
            status.changed().await?;
        }
        status.wait_for(Status::is_connected).await.map(drop)
    };
    if returned.await.is_err() {
        // The bus was closed, which ends all requests.
        return std::future::pending().await;
    }
    sleep(wait).await;
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::Instant;

    use super::*;

    const WAIT: Duration = Duration::from_secs(1);

    fn connected() -> Status {
        let since = Instant::now();
        Status::Connected { since }
    }

    fn disconnected() -> Status {
        let since = Instant::now();
        let reason = None;
        Status::Disconnected { since, reason }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_reply_is_expected_for_a_moment_after_the_return() {
        let status = watch::Sender::new(connected());
        let mut wait = std::pin::pin!(after_return(status.subscribe(), WAIT));
        assert!(wait.as_mut().now_or_never().is_none());
        status.send_replace(disconnected());
        assert!(wait.as_mut().now_or_never().is_none());
        status.send_replace(connected());
        let returned = Instant::now();
        wait.await;
        assert_eq!(returned.elapsed(), WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_between_two_polls_is_not_missed() {
        let status = watch::Sender::new(connected());
        let mut wait = std::pin::pin!(after_return(status.subscribe(), WAIT));
        assert!(wait.as_mut().now_or_never().is_none());
        status.send_replace(disconnected());
        status.send_replace(connected());
        let returned = Instant::now();
        wait.await;
        assert_eq!(returned.elapsed(), WAIT);
    }
}
