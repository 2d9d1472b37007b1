//! Checks of operations on one key.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::keyvalue::{Bucket, CasOutcome, KEY_LEN_MAX};

/// Number of concurrent tasks, and of rounds per task.
const TASKS: usize = 8;
const ROUNDS: usize = 25;

pub(super) async fn set_and_get(bucket: Arc<dyn Bucket>) {
    assert_eq!(bucket.get("key").await, Ok(None));
    assert_eq!(bucket.exists("key").await, Ok(false));
    for value in [&b"first"[..], b"", b"\x00\xff second"] {
        bucket
            .set("key", Bytes::from_static(value))
            .await
            .expect("set");
        assert_eq!(bucket.get("key").await, Ok(Some(Bytes::from_static(value))));
        assert_eq!(bucket.exists("key").await, Ok(true));
    }
    assert_eq!(bucket.get("ke").await, Ok(None));
}

pub(super) async fn delete(bucket: Arc<dyn Bucket>) {
    bucket
        .delete("key")
        .await
        .expect("a missing key can be deleted");
    bucket
        .set("key", Bytes::from_static(b"value"))
        .await
        .expect("set");
    bucket.delete("key").await.expect("delete");
    assert_eq!(bucket.get("key").await, Ok(None));
}

pub(super) async fn refuse_keys(bucket: Arc<dyn Bucket>) {
    let longest = "k".repeat(KEY_LEN_MAX);
    bucket
        .set(&longest, Bytes::new())
        .await
        .expect("the longest key fits");
    let too_long = "k".repeat(KEY_LEN_MAX + 1);
    for key in ["", "a\nb", too_long.as_str()] {
        assert!(bucket.get(key).await.is_err(), "get {key:?}");
        assert!(bucket.set(key, Bytes::new()).await.is_err(), "set {key:?}");
        assert!(bucket.delete(key).await.is_err(), "delete {key:?}");
        assert!(bucket.exists(key).await.is_err(), "exists {key:?}");
        assert!(bucket.increment(key, 1).await.is_err(), "increment {key:?}");
        assert!(
            bucket
                .compare_and_swap(key, None, Bytes::new())
                .await
                .is_err(),
            "swap {key:?}"
        );
        assert!(
            bucket.get_many(&[key.to_owned()]).await.is_err(),
            "get many {key:?}"
        );
    }
}

pub(super) async fn largest_value(bucket: Arc<dyn Bucket>) {
    let max = bucket.value_len_max();
    bucket
        .set("key", vec![1; max].into())
        .await
        .expect("the largest value fits");
    assert!(bucket.set("key", vec![2; max + 1].into()).await.is_err());
    let value = bucket
        .get("key")
        .await
        .expect("get")
        .expect("the value exists");
    assert_eq!((value.len(), value[0]), (max, 1));
    bucket.delete("key").await.expect("delete");
}

pub(super) async fn count(bucket: Arc<dyn Bucket>) {
    assert_eq!(bucket.increment("key", 5).await, Ok(5));
    assert_eq!(bucket.increment("key", -7).await, Ok(-2));
    assert_eq!(bucket.get("key").await, Ok(Some(Bytes::from_static(b"-2"))));
    bucket
        .set("key", Bytes::from_static(b"40"))
        .await
        .expect("set");
    assert_eq!(bucket.increment("key", 2).await, Ok(42));
}

pub(super) async fn refuse_to_count(bucket: Arc<dyn Bucket>) {
    let largest = i64::MAX.to_string();
    for value in ["seven", "", largest.as_str()] {
        let value = Bytes::from(value.to_owned());
        bucket.set("key", value.clone()).await.expect("set");
        assert!(bucket.increment("key", 1).await.is_err(), "{value:?}");
        assert_eq!(bucket.get("key").await, Ok(Some(value)));
    }
}

pub(super) async fn count_at_once(bucket: Arc<dyn Bucket>) {
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let bucket = Arc::clone(&bucket);
        tasks.spawn(async move {
            for _ in 0..ROUNDS {
                bucket.increment("key", 1).await.expect("increment");
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(
        bucket.increment("key", 0).await,
        Ok((TASKS * ROUNDS) as i64)
    );
}

pub(super) async fn swap(bucket: Arc<dyn Bucket>) {
    let (one, two) = (Bytes::from_static(b"1"), Bytes::from_static(b"2"));
    let conflict = |current: Option<&Bytes>| {
        Ok(CasOutcome::Conflict {
            current: current.cloned(),
        })
    };

    assert_eq!(
        bucket
            .compare_and_swap("key", Some(&one), two.clone())
            .await,
        conflict(None)
    );
    assert_eq!(bucket.get("key").await, Ok(None));
    assert_eq!(
        bucket.compare_and_swap("key", None, one.clone()).await,
        Ok(CasOutcome::Swapped)
    );
    assert_eq!(
        bucket.compare_and_swap("key", None, two.clone()).await,
        conflict(Some(&one))
    );
    assert_eq!(
        bucket
            .compare_and_swap("key", Some(&two), two.clone())
            .await,
        conflict(Some(&one))
    );
    assert_eq!(bucket.get("key").await, Ok(Some(one.clone())));
    assert_eq!(
        bucket
            .compare_and_swap("key", Some(&one), two.clone())
            .await,
        Ok(CasOutcome::Swapped)
    );
    assert_eq!(bucket.get("key").await, Ok(Some(two)));
}

pub(super) async fn swap_at_once(bucket: Arc<dyn Bucket>) {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let bucket = Arc::clone(&bucket);
        tasks.spawn(async move {
            bucket
                .compare_and_swap("key", None, task.to_string().into())
                .await
        });
    }
    let outcomes = tasks.join_all().await;
    let winners = outcomes
        .iter()
        .filter(|outcome| **outcome == Ok(CasOutcome::Swapped))
        .count();
    assert_eq!(winners, 1, "{outcomes:?}");
}
