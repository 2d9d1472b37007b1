use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::stores::ProcessMemory;

/// A store in memory, which counts the reads of its mark.
#[derive(Default)]
struct TestStore {
    mark: Mutex<Option<String>>,
    reads: AtomicUsize,
}

#[async_trait]
impl MarkedStore for TestStore {
    type Error = Infallible;

    async fn mark(&self) -> Result<Option<String>, Infallible> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.mark.lock().unwrap().clone())
    }

    async fn make(&self, mark: &str) -> Result<String, Infallible> {
        // Hosts that make it at the same time take turns here.
        tokio::task::yield_now().await;
        let mut stored = self.mark.lock().unwrap();
        Ok(stored.get_or_insert_with(|| mark.to_owned()).clone())
    }
}

fn name() -> StoreName {
    StoreName {
        app: "shop".to_owned(),
        provider: "orders".to_owned(),
        place: "here".to_owned(),
    }
}

fn guard(memory: &Arc<ProcessMemory>) -> StoreGuard {
    StoreGuard::new(memory.clone(), name(), Duration::ZERO)
}

#[tokio::test]
async fn hosts_that_make_a_store_at_the_same_time_agree_on_its_mark() {
    let (memory, store) = (Arc::<ProcessMemory>::default(), TestStore::default());
    let (one, other) = (guard(&memory), guard(&memory));
    let checked = tokio::join!(one.check(&store, None), other.check(&store, None));
    assert!(matches!(checked, (Ok(()), Ok(()))));
}

#[tokio::test]
async fn a_store_that_was_made_and_not_remembered_is_taken() {
    let (memory, store) = (Arc::<ProcessMemory>::default(), TestStore::default());
    let made = store.make("made before a crash").await.unwrap();
    guard(&memory).check(&store, None).await.unwrap();
    let remembered = memory.recall(&name(), None).await.unwrap();
    assert_eq!(remembered, Some(made));
}

#[tokio::test]
async fn a_store_that_is_missing_or_another_one_fails_until_an_operator_agrees() {
    let (memory, store) = (Arc::<ProcessMemory>::default(), TestStore::default());
    let guard = guard(&memory);
    guard.check(&store, None).await.unwrap();
    for (mark, found) in [(None, "missing"), (Some("other"), "another store")] {
        *store.mark.lock().unwrap() = mark.map(str::to_owned);
        let error = guard.check(&store, None).await.unwrap_err().to_string();
        assert!(error.contains(found), "{error}");
        assert!(
            error.contains("`weft keyvalue accept shop orders`"),
            "{error}"
        );
        assert_eq!(store.mark.lock().unwrap().as_deref(), mark);
    }
    memory.forget(&name());
    guard.check(&store, None).await.unwrap();
    assert_eq!(store.mark.lock().unwrap().as_deref(), Some("other"));
}

#[tokio::test]
async fn a_comparison_counts_for_its_session_and_until_it_is_forgotten() {
    let (memory, store) = (Arc::<ProcessMemory>::default(), TestStore::default());
    let guard = StoreGuard::new(memory, name(), Duration::MAX);
    let reads = || store.reads.load(Ordering::Relaxed);
    let session = Instant::now();
    for _ in 0..2 {
        guard.check(&store, Some(session)).await.unwrap();
        assert_eq!(reads(), 1);
    }
    let next = Some(session + Duration::from_secs(1));
    guard.check(&store, next).await.unwrap();
    assert_eq!(reads(), 2);
    guard.forget();
    guard.check(&store, next).await.unwrap();
    assert_eq!(reads(), 3);
}
