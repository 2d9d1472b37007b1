//! A key-value provider that stores its data in one embedded database file of the host, `data.redb`
//! in the directory of the provider. Other hosts do not see the data.
//!
//! | configuration | default | meaning |
//! | --- | --- | --- |
//! | provider: `durability` | `immediate` | see [`Durability`] |
//! | link: `bucket` | the guest's identifier | see [`BucketNames`](keyvalue::BucketNames) |
//!
//! Design:
//!
//! 1. One task, the writer, makes all changes. It takes all queued commands, applies them in one
//!    transaction and answers after the commit, so concurrent writers share one wait for the disk.
//!    A queued write is applied even if its caller is dropped.
//! 2. Reads of one key run on the calling thread: a lookup takes microseconds, less than moving it
//!    to another thread. Reads of many keys run on blocking threads, a few at a time.
//! 3. A file that was deleted, or replaced by another one, is not taken for a new and empty one:
//!    operations fail until an operator agrees (see [`stores`](weft_provider::stores)).
//! 4. After a disk error the file is closed and reopened before the next operation, which is how
//!    redb repairs itself: a full disk works again once it has space.

mod bucket;
mod database;
mod marked_file;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use weft_provider::keyvalue;
use weft_provider::stores::{StoreGuard, StoreName};
use weft_provider::{
    Capability, ConfigProblem, Context, Factory, LinkContext, MakeError, Provider, Settings, parse,
};

use bucket::{RedbBucket, SharedFile};
use database::DatabaseFile;
pub use database::OpenError;
use writer::Writer;
pub use writer::{Durability, FLUSH_PERIOD};

/// The name of the file in the directory of the provider.
pub const FILE_NAME: &str = "data.redb";

/// The place of the file: it is on the home of the provider, which is always the same host.
const PLACE: &str = FILE_NAME;

/// Makes providers of the kind `keyvalue-redb`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedbFactory;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct RedbConfig {
    durability: Durability,
}

struct RedbProvider {
    shared: Arc<SharedFile>,
}

// === impl RedbFactory ===

#[async_trait]
impl Factory for RedbFactory {
    fn kind(&self) -> &'static str {
        "keyvalue-redb"
    }

    fn serves(&self) -> &'static [&'static str] {
        &[keyvalue::PACKAGE]
    }

    fn keeps_state_on_host(&self) -> bool {
        true
    }

    fn check_config(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<(), ConfigProblem> {
        parse::<RedbConfig>(context, settings)?;
        Ok(())
    }

    async fn make(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<Arc<dyn Provider>, MakeError> {
        let config: RedbConfig = parse(context, settings)?;
        let path = context.data_dir.join(FILE_NAME);
        let store = StoreName {
            app: context.app.to_owned(),
            provider: context.provider.to_owned(),
            place: PLACE.to_owned(),
        };
        // The host locks the file, so nothing replaces it while it is open.
        let guard = StoreGuard::new(context.stores.clone(), store, Duration::MAX);
        let opened = RedbProvider::open(path, config.durability, database::open_file, guard);
        let provider = opened.await;
        Ok(Arc::new(
            provider.map_err(|error| MakeError::start(context, error))?,
        ))
    }
}

// === impl RedbProvider ===

impl RedbProvider {
    async fn open(
        path: PathBuf,
        durability: Durability,
        open: database::OpenFn,
        guard: StoreGuard,
    ) -> Result<Self, OpenError> {
        let file = Arc::new(DatabaseFile::open(path, open).await?);
        let writer = Writer::start(Arc::clone(&file), durability);
        Ok(Self {
            shared: Arc::new(SharedFile::new(file, writer, guard)),
        })
    }
}

#[async_trait]
impl Provider for RedbProvider {
    fn bind(
        &self,
        link: &LinkContext<'_>,
        settings: &Settings,
    ) -> Result<Capability, ConfigProblem> {
        let shared = Arc::clone(&self.shared);
        keyvalue::link_buckets(link, settings, move |name| {
            RedbBucket::new(name, Arc::clone(&shared))
        })
    }

    async fn close(&self) {
        self.shared.close().await;
    }
}

#[cfg(test)]
mod tests;
