//! The memory that the bodies of requests take together: an upload is received as a whole before it
//! is stored, and many may arrive at once.

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
pub(super) struct BodyBudget(Arc<Semaphore>);

/// The share of a body; returned on drop.
pub(super) struct BodyShare {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BYTES_MAX / UNIT_BYTES)))
    }
}

impl BodyBudget {
    /// Waits for room for a body of at most `bytes`; `None` if there is none in time.
    pub(super) async fn take(&self, bytes: usize) -> Option<BodyShare> {
        let units = u32::try_from(bytes.min(BYTES_MAX).div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let permits = self.0.clone().acquire_many_owned(units);
        let permit = timeout(WAIT_MAX, permits).await.ok()?;
        // The semaphore is never closed.
        Some(BodyShare {
            _permit: permit.ok(),
        })
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
    async fn a_body_without_a_length_takes_the_most_that_it_may_have() {
        let budget = BodyBudget::default();
        let _share = budget.take(usize::MAX).await.unwrap();
        assert!(budget.take(1).now_or_never().is_none());
    }
}
