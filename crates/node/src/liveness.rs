//! Whether a host that was asked is still there: nobody waits for one that is known to be dead.

use std::sync::Arc;

use tokio::sync::watch;
use weft_membership::HostId;

use crate::membership_task::Known;

/// Returns when `host` is dead, has left, or was started anew since this was called. Waiters are woken by
/// changes of the view and by nothing else, so one that waits costs nothing.
pub(super) fn gone(
    known: &watch::Receiver<Arc<Known>>,
    host: HostId,
) -> impl Future<Output = ()> + Send + use<> {
    let mut known = known.clone();
    let life = life_of(&known.borrow_and_update(), host);
    async move {
        // Of a host that nobody has heard of, nothing can be heard either.
        if life.is_none() {
            return;
        }
        let changed = known.wait_for(|known| life_of(known, host) != life).await;
        if changed.map(drop).is_err() {
            // This host is about to end, and knows nothing new.
            std::future::pending::<()>().await;
        }
    }
}

/// Which life of a host it is that is alive.
fn life_of(known: &Known, host: HostId) -> Option<u64> {
    let view = known.view.host(host).filter(|view| view.is_alive());
    view.map(|view| view.incarnation)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::test_support::{OTHER, Rig, host};

    /// A host that was heard for a while.
    fn heard(incarnation: u64) -> Rig {
        let mut rig = Rig::new();
        rig.pass(Duration::from_secs(3), &mut [host(OTHER, incarnation)]);
        rig
    }

    #[tokio::test]
    async fn a_host_that_nobody_has_heard_of_is_gone() {
        let known = watch::Sender::new(Rig::new().known());
        gone(&known.subscribe(), OTHER).await;
    }

    #[tokio::test]
    async fn a_host_is_gone_when_it_is_dead_and_not_before() {
        let mut rig = heard(1);
        let known = watch::Sender::new(rig.known());
        let known_by_caller = known.subscribe();
        let mut gone = std::pin::pin!(gone(&known_by_caller, OTHER));
        assert!(gone.as_mut().now_or_never().is_none());
        // It is suspected by then.
        rig.pass(Duration::from_secs(2), &mut []);
        known.send_replace(rig.known());
        assert!(gone.as_mut().now_or_never().is_none());
        rig.pass(Duration::from_secs(2), &mut []);
        known.send_replace(rig.known());
        gone.await;
    }

    #[tokio::test]
    async fn a_host_that_was_started_anew_is_not_the_one_that_was_asked() {
        let mut rig = heard(1);
        let known = watch::Sender::new(rig.known());
        let known_by_caller = known.subscribe();
        let mut gone = std::pin::pin!(gone(&known_by_caller, OTHER));
        assert!(gone.as_mut().now_or_never().is_none());
        rig.pass(Duration::from_secs(1), &mut [host(OTHER, 2)]);
        known.send_replace(rig.known());
        gone.await;
    }

    #[tokio::test]
    async fn the_end_of_this_host_is_not_that_of_another() {
        let known = watch::Sender::new(heard(1).known());
        let known_by_caller = known.subscribe();
        let mut gone = std::pin::pin!(gone(&known_by_caller, OTHER));
        drop(known);
        assert!(gone.as_mut().now_or_never().is_none());
    }
}
