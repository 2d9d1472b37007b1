//! Whether a host that was asked is still there: nobody waits for one that is known to be dead.

use std::sync::Arc;

use tokio::sync::watch;
use weft_membership::HostId;

use crate::membership_task::MembershipSnapshot;

/// Returns when `host` is dead, has left, or was started anew since this was called. Waiters are woken by
/// changes of the view and by nothing else, so one that waits costs nothing.
pub(super) fn host_death(
    membership: &watch::Receiver<Arc<MembershipSnapshot>>,
    host: HostId,
) -> impl Future<Output = ()> + Send + use<> {
    let mut membership = membership.clone();
    let incarnation = live_incarnation(&membership.borrow_and_update(), host);
    async move {
        // Of a host that nobody has heard of, nothing can be heard either.
        if incarnation.is_none() {
            return;
        }
        let changed = membership
            .wait_for(|membership| live_incarnation(membership, host) != incarnation)
            .await;
        if changed.map(drop).is_err() {
            // This host is about to end, and knows nothing new.
            std::future::pending::<()>().await;
        }
    }
}

/// Which life of a host it is that is alive.
fn live_incarnation(membership: &MembershipSnapshot, host: HostId) -> Option<u64> {
    let view = membership.view.host(host).filter(|view| view.is_alive());
    view.map(|view| view.incarnation)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::test_support::{OTHER, TestMembership, host};

    /// A host that was heard for a while.
    fn heard(incarnation: u64) -> TestMembership {
        let mut rig = TestMembership::new();
        rig.advance(Duration::from_secs(3), &mut [host(OTHER, incarnation)]);
        rig
    }

    #[tokio::test]
    async fn a_host_that_nobody_has_heard_of_is_gone() {
        let membership = watch::Sender::new(TestMembership::new().snapshot());
        host_death(&membership.subscribe(), OTHER).await;
    }

    #[tokio::test]
    async fn a_host_is_gone_when_it_is_dead_and_not_before() {
        let mut rig = heard(1);
        let membership = watch::Sender::new(rig.snapshot());
        let subscription = membership.subscribe();
        let mut death = std::pin::pin!(host_death(&subscription, OTHER));
        assert!(death.as_mut().now_or_never().is_none());
        // It is suspected by then.
        rig.advance(Duration::from_secs(2), &mut []);
        membership.send_replace(rig.snapshot());
        assert!(death.as_mut().now_or_never().is_none());
        rig.advance(Duration::from_secs(2), &mut []);
        membership.send_replace(rig.snapshot());
        death.await;
    }

    #[tokio::test]
    async fn a_host_that_was_started_anew_is_not_the_one_that_was_asked() {
        let mut rig = heard(1);
        let membership = watch::Sender::new(rig.snapshot());
        let subscription = membership.subscribe();
        let mut death = std::pin::pin!(host_death(&subscription, OTHER));
        assert!(death.as_mut().now_or_never().is_none());
        rig.advance(Duration::from_secs(1), &mut [host(OTHER, 2)]);
        membership.send_replace(rig.snapshot());
        death.await;
    }

    #[tokio::test]
    async fn the_end_of_this_host_is_not_that_of_another() {
        let membership = watch::Sender::new(heard(1).snapshot());
        let subscription = membership.subscribe();
        let mut death = std::pin::pin!(host_death(&subscription, OTHER));
        drop(membership);
        assert!(death.as_mut().now_or_never().is_none());
    }
}
