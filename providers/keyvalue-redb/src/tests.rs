use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};
use serde_json::{Value, json};
use tempfile::TempDir;
use weft_provider::keyvalue::{Bucket, KeyValue, KeyValueError};
use weft_provider::stores::{ProcessMemory, StoreMemory};

use super::*;

/// Timeout for an expected state.
const WAIT_MAX: Duration = Duration::from_secs(20);

async fn make(directory: &Path, config: Value) -> Result<Arc<dyn Provider>, MakeError> {
    make_with(&(Arc::<ProcessMemory>::default() as _), directory, config).await
}

async fn make_with(
    memory: &Arc<dyn StoreMemory>,
    directory: &Path,
    config: Value,
) -> Result<Arc<dyn Provider>, MakeError> {
    let context = Context {
        app: "shop",
        provider: "store",
        data_dir: directory,
        stores: memory,
    };
    RedbFactory
        .make(&context, config.as_object().unwrap())
        .await
}

async fn open(provider: &dyn Provider, identifier: &str) -> Arc<dyn Bucket> {
    bind(provider).open(identifier).await.unwrap()
}

fn bind(provider: &dyn Provider) -> Arc<dyn KeyValue> {
    let link = LinkContext {
        app: "shop",
        component: "cart",
        provider: "store",
        interface: "wasi:keyvalue",
        link: None,
    };
    match provider.bind(&link, &Settings::new()).unwrap() {
        Capability::KeyValue(key_value) => key_value,
        other => panic!("{other:?}"),
    }
}

fn store_name() -> StoreName {
    StoreName {
        app: "shop".to_owned(),
        provider: "store".to_owned(),
        place: PLACE.to_owned(),
    }
}

fn chain(error: &dyn Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    error.to_string() + &cause.unwrap_or_default()
}

/// Reads a key from a copy of the file, as after a crash at this moment.
async fn read_copy(directory: &Path, key: &str) -> Option<Bytes> {
    let copy = TempDir::new().unwrap();
    fs::copy(directory.join(FILE_NAME), copy.path().join(FILE_NAME)).unwrap();
    let provider = make(copy.path(), json!({})).await.unwrap();
    let value = open(provider.as_ref(), "bucket")
        .await
        .get(key)
        .await
        .unwrap();
    provider.close().await;
    value
}

#[test]
fn it_passes_the_conformance_checks() {
    let directory = TempDir::new().unwrap();
    weft_provider::conformance::check(async || {
        bind(make(directory.path(), json!({})).await.unwrap().as_ref())
    });
}

#[test]
fn it_passes_the_conformance_checks_with_eventual_durability() {
    let directory = TempDir::new().unwrap();
    weft_provider::conformance::check(async || {
        bind(
            make(directory.path(), json!({ "durability": "eventual" }))
                .await
                .unwrap()
                .as_ref(),
        )
    });
}

#[tokio::test]
async fn data_survive_reopening() {
    let directory = TempDir::new().unwrap();
    let nested = directory.path().join("made/lazily");
    for durability in ["immediate", "eventual"] {
        let provider = make(&nested, json!({ "durability": durability }))
            .await
            .unwrap();
        let bucket = open(provider.as_ref(), "bucket").await;
        bucket
            .set(durability, Bytes::from_static(b"kept"))
            .await
            .unwrap();
        provider.close().await;
        assert!(
            bucket.get(durability).await.is_err(),
            "a closed provider still answers"
        );
        assert!(
            bucket.delete(durability).await.is_err(),
            "a closed provider still writes"
        );
    }
    let provider = make(&nested, json!({})).await.unwrap();
    let keys = open(provider.as_ref(), "bucket")
        .await
        .list_keys(None)
        .await
        .unwrap()
        .keys;
    assert_eq!(keys, ["eventual", "immediate"]);
}

#[tokio::test]
async fn a_deleted_file_is_not_taken_for_a_new_one_until_an_operator_agrees() {
    let directory = TempDir::new().unwrap();
    let memory = Arc::<ProcessMemory>::default();
    let shared: Arc<dyn StoreMemory> = memory.clone();
    let provider = make_with(&shared, directory.path(), json!({})).await;
    let bucket = open(provider.as_ref().unwrap().as_ref(), "orders").await;
    assert_eq!(bucket.increment("number", 1).await, Ok(1));
    provider.unwrap().close().await;
    fs::remove_file(directory.path().join(FILE_NAME)).unwrap();

    let provider = make_with(&shared, directory.path(), json!({})).await;
    let bucket = open(provider.as_ref().unwrap().as_ref(), "orders").await;
    let lost = |error: KeyValueError| {
        let text = error.to_string();
        assert!(text.contains("weft keyvalue accept shop store"), "{text}");
    };
    lost(bucket.increment("number", 1).await.unwrap_err());
    lost(bucket.get("number").await.unwrap_err());
    lost(bucket.exists("number").await.unwrap_err());
    lost(bucket.list_keys(None).await.unwrap_err());
    lost(bucket.get_many(&["number".to_owned()]).await.unwrap_err());
    memory.forget(&store_name());
    let waited = tokio::time::timeout(WAIT_MAX, async {
        while bucket.increment("number", 1).await != Ok(1) {}
    });
    waited.await.unwrap();
}

#[tokio::test]
async fn a_file_of_an_earlier_release_is_remembered_as_it_is() {
    let directory = TempDir::new().unwrap();
    let database = Database::create(directory.path().join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut table = transaction.open_table(database::ENTRIES).unwrap();
    table.insert(("orders", "number"), &b"7"[..]).unwrap();
    drop(table);
    transaction.commit().unwrap();
    drop(database);
    let provider = make(directory.path(), json!({})).await.unwrap();
    let bucket = open(provider.as_ref(), "orders").await;
    assert_eq!(bucket.increment("number", 1).await, Ok(8));
}

#[tokio::test]
async fn an_acknowledged_write_is_on_disk() {
    let directory = TempDir::new().unwrap();
    let provider = make(directory.path(), json!({})).await.unwrap();
    let bucket = open(provider.as_ref(), "bucket").await;
    for value in ["1", "2", "3"] {
        bucket.set("key", Bytes::from(value)).await.unwrap();
        assert_eq!(
            read_copy(directory.path(), "key").await,
            Some(Bytes::from(value))
        );
    }
}

#[tokio::test]
async fn an_eventual_write_gets_to_disk_by_itself() {
    let directory = TempDir::new().unwrap();
    let provider = make(directory.path(), json!({ "durability": "eventual" }))
        .await
        .unwrap();
    let bucket = open(provider.as_ref(), "bucket").await;
    bucket.set("key", Bytes::from_static(b"1")).await.unwrap();
    let on_disk = async {
        while read_copy(directory.path(), "key").await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, on_disk)
        .await
        .expect("the write is flushed");
}

#[tokio::test]
async fn two_providers_cannot_share_a_file() {
    let directory = TempDir::new().unwrap();
    let first = make(directory.path(), json!({})).await.unwrap();
    let error = chain(&make(directory.path(), json!({})).await.err().unwrap());
    assert!(
        error.starts_with("provider `store` of app `shop` cannot start: "),
        "{error}"
    );
    assert!(error.contains("data.redb` is already open"), "{error}");
    first.close().await;
    make(directory.path(), json!({}))
        .await
        .expect("the file is closed");
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(FILE_NAME);
    let check = async |damage: &str| {
        let error = chain(&make(directory.path(), json!({})).await.err().expect(damage));
        assert!(
            error.contains(&format!("`{}`", path.display())),
            "{damage}: {error}"
        );
        assert!(error.contains("backup"), "{damage}: {error}");
    };
    fs::write(&path, "this is no database".repeat(1_000)).unwrap();
    check("another format").await;

    fs::remove_file(&path).unwrap();
    make(directory.path(), json!({}))
        .await
        .unwrap()
        .close()
        .await;
    let mut bytes = fs::read(&path).unwrap();
    bytes[..512].fill(0);
    fs::write(&path, &bytes).unwrap();
    check("no header").await;

    fs::write(&path, &bytes[..100]).unwrap();
    check("cut short").await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = chain(&make(&file.join("data"), json!({})).await.err().unwrap());
    assert!(error.contains("file/data` cannot be created"), "{error}");
}

#[tokio::test]
async fn an_unknown_durability_is_refused_with_the_known_ones() {
    let directory = TempDir::new().unwrap();
    let error = make(directory.path(), json!({ "durability": "fast" }))
        .await
        .err()
        .unwrap()
        .to_string();
    assert_eq!(
        error,
        "config of provider `store` of app `shop`, key `durability`: \
         unknown variant `fast`, expected `immediate` or `eventual`",
    );
}

#[tokio::test]
async fn a_full_disk_is_reported_and_the_store_works_again_when_it_has_space() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(FILE_NAME);
    let guard = StoreGuard::new(Arc::<ProcessMemory>::default(), store_name(), Duration::MAX);
    let provider = RedbProvider::open(path, Durability::Immediate, open_on_small_disk, guard)
        .await
        .unwrap();
    let bucket = open(&provider, "bucket").await;
    bucket.set("kept", Bytes::from_static(b"1")).await.unwrap();

    DISK_IS_FULL.store(true, Ordering::Relaxed);
    let error = bucket
        .set("lost", Bytes::from_static(b"2"))
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(error, "the disk of the store is full; the write failed");

    DISK_IS_FULL.store(false, Ordering::Relaxed);
    bucket
        .set("new", Bytes::from_static(b"3"))
        .await
        .expect("the disk has space again");
    assert_eq!(bucket.list_keys(None).await.unwrap().keys, ["kept", "new"]);
}

/// True while the disk of [`open_on_small_disk`] is full; one test uses it.
static DISK_IS_FULL: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
struct SmallDisk(FileBackend);

fn open_on_small_disk(path: &Path) -> Result<Database, DatabaseError> {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    Builder::new().create_with_backend(SmallDisk(FileBackend::new(file)?))
}

impl StorageBackend for SmallDisk {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if DISK_IS_FULL.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
