//! The memory that the bodies of requests take together: some are received as a whole, as uploads
//! and the arguments of functions, and many may arrive at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The most bytes of bodies at once: four of the largest components.
const BYTES_MAX: usize = 256 << 20;

/// The unit in which the bytes are counted.
const UNIT_BYTES: usize = 64 << 10;

/// The longest time that a request waits until others have ended.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The budget of a host. Cheap to clone.
#[derive(Clone)]
pub struct BodyBudget(Arc<Semaphore>);

/// The share of a body; returned on drop.
#[derive(Default)]
pub struct BodyShare {
    permit: Option<OwnedSemaphorePermit>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BYTES_MAX / UNIT_BYTES)))
    }
}

impl BodyBudget {
    /// Waits for room for a body of at most `bytes`; `None` if no room comes in time.
    pub async fn take(&self, bytes: usize) -> Option<BodyShare> {
        let units = u32::try_from(bytes.min(BYTES_MAX).div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let permits = self.0.clone().acquire_many_owned(units);
        let permit = timeout(WAIT_MAX, permits).await.ok()?;
        // The semaphore is never closed.
        Some(BodyShare {
            permit: permit.ok(),
        })
    }

    /// Grows the share of a body of which `bytes` have arrived. Returns false without room: bodies
    /// that grow must not wait for each other. The first [`UNIT_BYTES`] are free.
    pub(crate) fn grow(&self, share: &mut BodyShare, bytes: usize) -> bool {
        let held = share
            .permit
            .as_ref()
            .map_or(0, |permit| permit.num_permits());
        let missing = (bytes / UNIT_BYTES).saturating_sub(held);
        let Ok(missing @ 1..) = u32::try_from(missing) else {
            return missing == 0;
        };
        let Ok(more) = self.0.clone().try_acquire_many_owned(missing) else {
            return false;
        };
        match &mut share.permit {
            Some(permit) => permit.merge(more),
            None => share.permit = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bodies_wait_for_room_for_a_bounded_time() {
        let budget = BodyBudget::default();
        let upload = 60 << 20;
        let mut shares = Vec::new();
        while let Some(Some(share)) = budget.take(upload).now_or_never() {
            shares.push(share);
        }
        assert_eq!(shares.len(), BYTES_MAX / upload);
        assert!(
            budget.take(1 << 10).now_or_never().is_some(),
            "what is small fits"
        );
        assert!(budget.take(upload).await.is_none());
        shares.pop();
        assert!(budget.take(upload).await.is_some());
    }

    #[tokio::test]
    async fn growing_bodies_have_a_bound_together_and_small_ones_need_no_room() {
        let budget = BodyBudget::default();
        let mut first = BodyShare::default();
        for bytes in (0..=BYTES_MAX).step_by(BYTES_MAX / 8) {
            assert!(budget.grow(&mut first, bytes));
        }
        let mut second = BodyShare::default();
        assert!(budget.grow(&mut second, UNIT_BYTES - 1));
        assert!(!budget.grow(&mut second, UNIT_BYTES));
        drop(first);
        assert!(budget.grow(&mut second, UNIT_BYTES));
    }

    #[tokio::test]
    async fn a_body_without_a_length_takes_the_most_that_it_may_have() {
        let budget = BodyBudget::default();
        let _share = budget.take(usize::MAX).await.unwrap();
        assert!(budget.take(1).now_or_never().is_none());
    }
}
