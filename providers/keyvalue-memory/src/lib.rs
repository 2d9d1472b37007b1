//! A key-value provider that stores its data in memory, up to a limit. The data is lost with the
//! host and not visible to other hosts: for tests, caches and `weft dev`.
//!
//! | configuration | default | meaning |
//! | --- | --- | --- |
//! | provider: `max-bytes` | 256 MiB | limit of all keys and values, with [`ENTRY_OVERHEAD`] each |
//! | link: `bucket` | the guest's identifier | see [`BucketNames`](keyvalue::BucketNames) |

mod database;

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use weft_provider::keyvalue;
use weft_provider::{
    Capability, ConfigProblem, Context, Factory, LinkContext, MakeError, Provider, Settings, parse,
};

pub use database::ENTRY_OVERHEAD;
use database::{MemoryBucket, MemoryDatabase};

/// The default of `max-bytes`: enough for a working set, less than the memory of a small host.
const MAX_BYTES_DEFAULT: u64 = 256 << 20;

/// Makes providers of the kind `keyvalue-memory`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryFactory;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct MemoryConfig {
    max_bytes: u64,
}

struct MemoryProvider {
    database: Arc<MemoryDatabase>,
}

// === impl MemoryFactory ===

#[async_trait]
impl Factory for MemoryFactory {
    fn kind(&self) -> &'static str {
        "keyvalue-memory"
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
        parse::<MemoryConfig>(context, settings)?;
        Ok(())
    }

    async fn make(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<Arc<dyn Provider>, MakeError> {
        let config: MemoryConfig = parse(context, settings)?;
        Ok(Arc::new(MemoryProvider {
            database: Arc::new(MemoryDatabase::new(config.max_bytes)),
        }))
    }
}

// === impl MemoryConfig ===

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            max_bytes: MAX_BYTES_DEFAULT,
        }
    }
}

// === impl MemoryProvider ===

#[async_trait]
impl Provider for MemoryProvider {
    fn bind(
        &self,
        link: &LinkContext<'_>,
        settings: &Settings,
    ) -> Result<Capability, ConfigProblem> {
        let database = Arc::clone(&self.database);
        keyvalue::link_buckets(link, settings, move |name| {
            MemoryBucket::new(name, Arc::clone(&database))
        })
    }
}

#[cfg(test)]
mod tests;
