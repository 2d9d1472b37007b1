//! A key-value provider that keeps its data in one embedded database file of the host, `data.redb` in
//! the directory of the provider. No other host sees it.
//!
//! | configuration | default | means |
//! | --- | --- | --- |
//! | provider: `durability` | `immediate` | `immediate`: an acknowledged write is on disk and survives a crash of the process or the machine; `eventual`: it is on disk within [`FLUSH_PERIOD`] |
//! | link: `bucket` | what the guest asks for | see [`BucketNames`](keyvalue::BucketNames) |
//!
//! Who does what:
//!
//! 1. One task, the writer, makes every change. It takes all commands that wait, applies them in one
//!    transaction and answers when that is committed, so many writers at once share one wait for the
//!    disk. A write that was handed over happens even if its caller goes away.
//! 2. Reads of one key run where they are called: a lookup takes microseconds, less than moving it to
//!    another thread. Reads of many keys run on blocking threads, a few at a time.
//! 3. After a failure of the disk the file is closed and opened again before the next operation, which
//!    is how redb repairs itself: a disk that was full works again once it has room.

mod bucket;
mod database;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use weft_provider::keyvalue;
use weft_provider::{
    Capability, ConfigProblem, Context, Factory, LinkContext, MakeError, Provider, Settings, parse,
};

use bucket::{RedbBucket, Store};
use database::DatabaseFile;
pub use database::OpenError;
use writer::Writer;
pub use writer::{Durability, FLUSH_PERIOD};

/// The name of the file in the directory of the provider.
pub const FILE_NAME: &str = "data.redb";

/// Makes providers of the kind `keyvalue-redb`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedbFactory;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct RedbConfig {
    durability: Durability,
}

struct RedbProvider {
    store: Arc<Store>,
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

    async fn check(&self, context: &Context<'_>, settings: &Settings) -> Result<(), MakeError> {
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
        let provider = RedbProvider::open(path, config.durability, database::open_file).await;
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
        open: database::Open,
    ) -> Result<Self, OpenError> {
        let file = Arc::new(DatabaseFile::open(path, open).await?);
        let writer = Writer::start(Arc::clone(&file), durability);
        Ok(Self {
            store: Arc::new(Store::new(file, writer)),
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
        let store = Arc::clone(&self.store);
        keyvalue::link_buckets(link, settings, move |name| {
            RedbBucket::new(name, Arc::clone(&store))
        })
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests;
