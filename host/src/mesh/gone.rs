//! Whether a host that was asked is still there: nobody waits for one that is known to be dead.

use std::sync::Arc;

use tokio::sync::watch;
use weft_lattice::membership::HostId;

use super::members::Known;

/// Returns when `host` is dead, has left, or was started anew. Waiters are woken by changes of the view and
/// by nothing else, so one that waits costs nothing.
pub(super) async fn gone(known: &watch::Receiver<Arc<Known>>, host: HostId) {
    let mut known = known.clone();
    let life = life_of(&known.borrow_and_update(), host);
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

/// Which life of a host it is that is alive.
fn life_of(known: &Known, host: HostId) -> Option<u64> {
    let view = known.view.host(host).filter(|view| view.is_alive());
    view.map(|view| view.incarnation)
}
