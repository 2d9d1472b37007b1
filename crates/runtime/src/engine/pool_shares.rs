//! The slots of an instance pool, shared between apps.
//!
//! No app has a quota, which would lie idle or have to be configured. An app gets a slot while it
//! has at most [`SHARE_OF_FREE`] times as many as are free. So one app alone takes two thirds of
//! the pool at most, four greedy apps leave a ninth free, and an app with few instances always
//! finds room. (The dynamic thresholds of A. K. Choudhury and E. L. Hahne, 1998, for shared
//! buffers.)

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The slots that an app may have for each free one.
const SHARE_OF_FREE: u32 = 2;

/// The slots of a pool.
#[derive(Debug)]
pub(crate) struct PoolShares {
    slots: u32,
    used: AtomicU32,
    apps: Mutex<HashMap<Arc<str>, Weak<AtomicU32>>>,
}

/// The slots of an app in a pool. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AppShare {
    pool: Arc<PoolShares>,
    used: Arc<AtomicU32>,
}

/// Slots in use; returned on drop.
#[derive(Debug)]
pub(crate) struct Slots {
    share: AppShare,
    count: u32,
}

impl PoolShares {
    pub(super) fn new(slots: u32) -> Arc<Self> {
        Arc::new(Self {
            slots,
            used: AtomicU32::new(0),
            apps: Mutex::default(),
        })
    }

    /// The share of an app, the same for all of its components and revisions.
    pub(crate) fn of_app(self: &Arc<Self>, app: &Arc<str>) -> AppShare {
        // A panic under the lock leaves a valid map.
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let known = apps.get(app).and_then(Weak::upgrade);
        let used = known.unwrap_or_else(|| {
            apps.retain(|_, used| used.strong_count() > 0);
            let used = Arc::new(AtomicU32::new(0));
            apps.insert(app.clone(), Arc::downgrade(&used));
            used
        });
        AppShare {
            pool: self.clone(),
            used,
        }
    }
}

impl AppShare {
    /// Takes slots for an instance; `None` if too few are left for the other apps.
    pub(crate) fn take(&self, count: u32) -> Option<Slots> {
        let slots = Slots {
            share: self.clone(),
            count,
        };
        // Counted first, and returned by the drop if it was too much.
        let used = self.pool.used.fetch_add(count, Ordering::Relaxed) + count;
        let of_app = self.used.fetch_add(count, Ordering::Relaxed) + count;
        let free = self.pool.slots.checked_sub(used)?;
        (of_app <= free.saturating_mul(SHARE_OF_FREE)).then_some(slots)
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        self.share.used.fetch_sub(self.count, Ordering::Relaxed);
        self.share
            .pool
            .used
            .fetch_sub(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes slots, one at a time, until none is given.
    fn fill(share: &AppShare) -> Vec<Slots> {
        std::iter::from_fn(|| share.take(1)).collect()
    }

    #[test]
    fn an_app_alone_gets_two_thirds_and_others_still_find_room() {
        let pool = PoolShares::new(900);
        let greedy: Vec<_> = (0..4)
            .map(|number| pool.of_app(&format!("greedy-{number}").into()))
            .collect();
        let first = fill(&greedy[0]);
        assert_eq!(first.len(), 600);
        let others: Vec<_> = greedy[1..].iter().map(fill).collect();
        assert!(
            others.iter().all(|slots| slots.len() > 20),
            "{:?}",
            others.len()
        );
        let modest = pool.of_app(&"modest".into());
        assert!(modest.take(4).is_some());
        drop(first);
        // The first app has less than before, because the others have their share.
        let again = fill(&greedy[0]);
        assert!((300..600).contains(&again.len()), "{}", again.len());
    }

    #[test]
    fn all_revisions_of_an_app_have_one_share() {
        let pool = PoolShares::new(30);
        let (old, new) = (pool.of_app(&"app".into()), pool.of_app(&"app".into()));
        let _old = fill(&old);
        assert!(new.take(1).is_none());
    }

    #[test]
    fn slots_that_are_not_given_are_not_counted() {
        let pool = PoolShares::new(9);
        let share = pool.of_app(&"app".into());
        for _ in 0..10 {
            assert!(share.take(7).is_none());
            assert!(share.take(u32::from(u8::MAX)).is_none());
        }
        assert_eq!(pool.used.load(Ordering::Relaxed), 0);
        let slots = share.take(6).unwrap();
        assert!(share.take(1).is_none());
        drop(slots);
        assert!(share.take(6).is_some());
    }
}
