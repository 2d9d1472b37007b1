//! The life of a host that calls wait for, so that callers stop waiting when it is declared dead.

use std::sync::Arc;

use tokio::sync::watch;
use weft_membership::HostId;

use crate::membership_task::MembershipSnapshot;

/// The life of a host, from the construction of this value on.
pub(super) struct HostLife {
    membership: watch::Receiver<Arc<MembershipSnapshot>>,
    host: HostId,
    /// `None` for an unknown host, which counts as dead.
    incarnation: Option<u64>,
}

impl HostLife {
    pub(super) fn new(membership: &watch::Receiver<Arc<MembershipSnapshot>>, host: HostId) -> Self {
        let mut membership = membership.clone();
        let incarnation = live_incarnation(&membership.borrow_and_update(), host);
        Self {
            membership,
            host,
            incarnation,
        }
    }

    pub(super) fn host(&self) -> HostId {
        self.host
    }

    /// Resolves when the host is dead, has left, or has restarted. Waiters are woken by changes of
    /// the view only, so waiting costs nothing. Cancel-safe.
    pub(super) async fn death(&mut self) {
        let (host, incarnation) = (self.host, self.incarnation);
        if incarnation.is_none() {
            return;
        }
        let changed = self
            .membership
            .wait_for(|membership| live_incarnation(membership, host) != incarnation)
            .await;
        if changed.map(drop).is_err() {
            // This host is about to stop, and receives no further news.
            std::future::pending::<()>().await;
        }
    }
}

/// The incarnation of a live host.
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

    /// A membership that has received heartbeats of another host for a while.
    fn with_live_host(incarnation: u64) -> TestMembership {
        let mut local = TestMembership::new();
        local.advance(Duration::from_secs(3), &mut [host(OTHER, incarnation)]);
        local
    }

    #[tokio::test]
    async fn an_unknown_host_counts_as_dead() {
        let membership = watch::Sender::new(TestMembership::new().snapshot());
        HostLife::new(&membership.subscribe(), OTHER).death().await;
    }

    #[tokio::test]
    async fn a_suspected_host_is_not_dead_yet() {
        let mut local = with_live_host(1);
        let membership = watch::Sender::new(local.snapshot());
        let subscription = membership.subscribe();
        let mut life = HostLife::new(&subscription, OTHER);
        let mut death = std::pin::pin!(life.death());
        assert!(death.as_mut().now_or_never().is_none());
        // The host is suspected by now.
        local.advance(Duration::from_secs(2), &mut []);
        membership.send_replace(local.snapshot());
        assert!(death.as_mut().now_or_never().is_none());
        local.advance(Duration::from_secs(2), &mut []);
        membership.send_replace(local.snapshot());
        death.await;
    }

    #[tokio::test]
    async fn a_restart_counts_as_a_death() {
        let mut local = with_live_host(1);
        let membership = watch::Sender::new(local.snapshot());
        let subscription = membership.subscribe();
        let mut life = HostLife::new(&subscription, OTHER);
        let mut death = std::pin::pin!(life.death());
        assert!(death.as_mut().now_or_never().is_none());
        local.advance(Duration::from_secs(1), &mut [host(OTHER, 2)]);
        membership.send_replace(local.snapshot());
        death.await;
    }

    #[tokio::test]
    async fn the_stop_of_this_host_is_not_the_death_of_another() {
        let membership = watch::Sender::new(with_live_host(1).snapshot());
        let subscription = membership.subscribe();
        let mut life = HostLife::new(&subscription, OTHER);
        let mut death = std::pin::pin!(life.death());
        drop(membership);
        assert!(death.as_mut().now_or_never().is_none());
    }
}
