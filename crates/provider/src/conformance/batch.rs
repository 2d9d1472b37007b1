//! Checks of operations on many keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::keyvalue::{BATCH_BYTES_MAX, BATCH_KEYS_MAX, Bucket, PAGE_KEYS_MAX};

/// Three pages, the last one short.
const LISTED_KEYS: usize = 2 * PAGE_KEYS_MAX + 10;

pub(super) async fn set_get_delete(bucket: Arc<dyn Bucket>) {
    let value = |text: &'static str| Bytes::from_static(text.as_bytes());
    let keys = |keys: &[&str]| keys.iter().copied().map(str::to_owned).collect::<Vec<_>>();

    let pairs = vec![
        ("b".to_owned(), value("2")),
        ("a".to_owned(), value("1")),
        ("b".to_owned(), value("3")),
    ];
    bucket.set_many(pairs).await.expect("set many");
    let values = bucket.get_many(&keys(&["a", "missing", "b", "a"])).await;
    assert_eq!(
        values,
        Ok(vec![
            Some(value("1")),
            None,
            Some(value("3")),
            Some(value("1"))
        ])
    );
    bucket
        .delete_many(&keys(&["a", "missing", "a"]))
        .await
        .expect("delete many");
    assert_eq!(
        bucket.get_many(&keys(&["a", "b"])).await,
        Ok(vec![None, Some(value("3"))])
    );
    assert_eq!(bucket.get_many(&[]).await, Ok(vec![]));
}

pub(super) async fn refuse(bucket: Arc<dyn Bucket>) {
    let keys: Vec<_> = (0..=BATCH_KEYS_MAX)
        .map(|index| index.to_string())
        .collect();
    let pairs = keys.iter().map(|key| (key.clone(), Bytes::new())).collect();
    assert!(bucket.set_many(pairs).await.is_err(), "set too many");
    assert!(bucket.get_many(&keys).await.is_err(), "get too many");
    assert!(bucket.delete_many(&keys).await.is_err(), "delete too many");

    let max = bucket.value_len_max();
    let value = Bytes::from(vec![0; max]);
    let pairs = (0..=BATCH_BYTES_MAX / max).map(|index| (index.to_string(), value.clone()));
    assert!(
        bucket.set_many(pairs.collect()).await.is_err(),
        "set too much"
    );
    assert_eq!(
        bucket.list_keys(None).await.expect("list").keys,
        Vec::<String>::new()
    );

    bucket.set("large", value).await.expect("set");
    let large = vec!["large".to_owned(); BATCH_BYTES_MAX / max + 1];
    assert!(bucket.get_many(&large).await.is_err(), "get too much");
    bucket.delete("large").await.expect("delete");
}

pub(super) async fn list_in_pages(bucket: Arc<dyn Bucket>) {
    let keys = fill(bucket.as_ref()).await;
    let mut listed = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = bucket.list_keys(cursor.as_deref()).await.expect("list");
        assert!(page.keys.len() <= PAGE_KEYS_MAX);
        listed.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed.len(), keys.len());
    assert_eq!(BTreeSet::from_iter(listed), keys);
    // A guest may invent a cursor; it gets a page or an error, and the host continues.
    let _ = bucket.list_keys(Some("made up")).await;
}

pub(super) async fn list_while_deleting(bucket: Arc<dyn Bucket>) {
    fill(bucket.as_ref()).await;
    let mut pages = 0;
    let mut page = bucket.list_keys(None).await.expect("list");
    loop {
        bucket.delete_many(&page.keys).await.expect("delete many");
        pages += 1;
        assert!(pages <= 3, "listing does not end");
        let Some(cursor) = page.cursor else { break };
        page = bucket.list_keys(Some(&cursor)).await.expect("list");
    }
    assert_eq!(
        bucket.list_keys(None).await.expect("list").keys,
        Vec::<String>::new()
    );
}

async fn fill(bucket: &dyn Bucket) -> BTreeSet<String> {
    let keys: Vec<_> = (0..LISTED_KEYS)
        .map(|index| format!("key-{index}"))
        .collect();
    for keys in keys.chunks(BATCH_KEYS_MAX) {
        let pairs = keys
            .iter()
            .map(|key| (key.clone(), Bytes::from_static(b"v")))
            .collect();
        bucket.set_many(pairs).await.expect("set many");
    }
    keys.into_iter().collect()
}
