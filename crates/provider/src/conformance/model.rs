//! A property: after any operations, a bucket returns the same values as a map.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::keyvalue::{Bucket, CasOutcome, KeyValue, add_to_counter};

/// Number of sequences: each write of a durable backend waits for its disk.
const SEQUENCES: u32 = 32;
const OPERATIONS_MAX: usize = 24;

type Model = BTreeMap<String, Bytes>;

#[derive(Clone, Debug)]
enum Operation {
    Set(String, Bytes),
    SetMany(Vec<(String, Bytes)>),
    Delete(String),
    DeleteMany(Vec<String>),
    Increment(String, i64),
    Swap(String, Option<Bytes>, Bytes),
    /// A swap that expects the current value.
    Replace(String, Bytes),
}

pub(super) fn check(runtime: &Runtime, key_value: &dyn KeyValue) {
    let sequences = AtomicUsize::new(0);
    let config = Config {
        cases: SEQUENCES,
        failure_persistence: None,
        ..Config::default()
    };
    let operations = prop::collection::vec(operation(), 1..OPERATIONS_MAX);
    let result = TestRunner::new(config).run(&operations, |operations| {
        let name = format!("model-{}", sequences.fetch_add(1, Ordering::Relaxed));
        runtime.block_on(async {
            let bucket = key_value
                .open(&name)
                .await
                .expect("every identifier is served");
            check_sequence(bucket.as_ref(), operations).await
        })
    });
    if let Err(error) = result {
        panic!("the backend differs from a map: {error}");
    }
}

async fn check_sequence(
    bucket: &dyn Bucket,
    operations: Vec<Operation>,
) -> Result<(), TestCaseError> {
    let mut model = Model::new();
    for operation in operations {
        check_operation(bucket, &mut model, operation).await?;
    }
    let page = bucket.list_keys(None).await?;
    prop_assert_eq!(page.cursor, None);
    let mut keys = page.keys;
    keys.sort();
    prop_assert_eq!(&keys, &model.keys().cloned().collect::<Vec<_>>());
    let values: Option<Vec<_>> = bucket.get_many(&keys).await?.into_iter().collect();
    prop_assert_eq!(values, Some(model.into_values().collect()));
    Ok(())
}

async fn check_operation(
    bucket: &dyn Bucket,
    model: &mut Model,
    operation: Operation,
) -> Result<(), TestCaseError> {
    match operation {
        Operation::Set(key, value) => {
            bucket.set(&key, value.clone()).await?;
            model.insert(key, value);
        }
        Operation::SetMany(pairs) => {
            bucket.set_many(pairs.clone()).await?;
            model.extend(pairs);
        }
        Operation::Delete(key) => {
            bucket.delete(&key).await?;
            model.remove(&key);
        }
        Operation::DeleteMany(keys) => {
            bucket.delete_many(&keys).await?;
            model.retain(|key, _| !keys.contains(key));
        }
        Operation::Increment(key, delta) => {
            let expect = add_to_counter(model.get(&key).map(AsRef::as_ref), delta);
            prop_assert_eq!(
                bucket.increment(&key, delta).await.ok(),
                expect.clone().ok()
            );
            model.extend(expect.ok().map(|sum| (key, Bytes::from(sum.to_string()))));
        }
        Operation::Replace(key, new) => {
            let expected = model.get(&key).cloned();
            return check_swap(bucket, model, key, expected, new).await;
        }
        Operation::Swap(key, expected, new) => {
            return check_swap(bucket, model, key, expected, new).await;
        }
    }
    Ok(())
}

async fn check_swap(
    bucket: &dyn Bucket,
    model: &mut Model,
    key: String,
    expected: Option<Bytes>,
    new: Bytes,
) -> Result<(), TestCaseError> {
    let outcome = bucket
        .compare_and_swap(&key, expected.as_deref(), new.clone())
        .await?;
    let current = model.get(&key).cloned();
    if current == expected {
        prop_assert_eq!(outcome, CasOutcome::Swapped);
        model.insert(key, new);
    } else {
        prop_assert_eq!(outcome, CasOutcome::Conflict { current });
    }
    Ok(())
}

fn operation() -> impl Strategy<Value = Operation> {
    // Few keys and values, so that operations collide.
    let key = || prop::sample::select(vec!["a", "aa", "b", "ä", "z"]).prop_map(str::to_owned);
    let value = || {
        prop::sample::select(vec!["", "1", "-7", "text"])
            .prop_map(|text| Bytes::from_static(text.as_bytes()))
    };
    prop_oneof![
        (key(), value()).prop_map(|(key, value)| Operation::Set(key, value)),
        prop::collection::vec((key(), value()), 0..4).prop_map(Operation::SetMany),
        key().prop_map(Operation::Delete),
        prop::collection::vec(key(), 0..4).prop_map(Operation::DeleteMany),
        (key(), -10..10_i64).prop_map(|(key, delta)| Operation::Increment(key, delta)),
        (key(), prop::option::of(value()), value())
            .prop_map(|(key, old, new)| Operation::Swap(key, old, new)),
        (key(), value()).prop_map(|(key, new)| Operation::Replace(key, new)),
    ]
}
