//! A key-value provider that keeps its data in a key-value bucket of JetStream: every host that reaches the
//! servers works on the same data, so components that use it run on any of them.
//!
//! | configuration | default | means |
//! | --- | --- | --- |
//! | provider: `servers` | those of the lattice that the host has joined | where NATS is, as `nats://host:port` |
//! | provider: `creds`, `nkey-file` | none | files on each host that show the servers who it is; one of them, with `servers` |
//! | provider: `tls` | none | `{ca, cert, key}`, files on each host; `{}` trusts the machine's own roots. With `servers` |
//! | provider: `bucket` | from the names of lattice, app and provider | what the servers call the bucket; whoever names the same one shares it |
//! | provider: `replicas` | 1 | on how many servers of a cluster a bucket is kept that is made: 1, 3 or 5 |
//! | provider: `storage` | `file` | `file` or `memory`, of a bucket that is made |
//! | link: `bucket` | what the guest asks for | see [`BucketNames`](keyvalue::BucketNames); a part of the key in the provider's bucket |
//!
//! How it keeps its promises:
//!
//! 1. Reads ask the leader of the bucket's stream, which has every write that was acknowledged. A leader that
//!    the others have deposed without its knowledge may answer for some seconds; what depends on what was
//!    read (increments, swaps) is written by compare-and-set, and never lost.
//! 2. A deletion is an entry that says so. It stays, as small as its key.
//! 3. Everything has a bound: [`OPERATION_WAIT_MAX`], [`BATCH_WAIT_MAX`], [`LIST_WAIT_MAX`]. A write that
//!    failed by it may have been made.
//! 4. All providers of a host share one connection for each set of servers, which is remade for ever. It is
//!    not the one of the desired state: values do not delay that.

mod bucket;
mod config;
mod connections;
mod page;
mod problem;

use std::sync::Arc;

use async_trait::async_trait;
use weft_bus::nats::NatsOptions;
use weft_provider::keyvalue;
use weft_provider::{
    Capability, ConfigProblem, Context, Factory, LinkContext, MakeError, Provider, Settings, parse,
};

pub use bucket::{BATCH_WAIT_MAX, LIST_WAIT_MAX, OPERATION_WAIT_MAX, VALUE_BYTES_MAX};
use bucket::{NatsBucket, Store};
use config::NatsConfig;
pub use config::StartError;
use connections::{Connections, Joined};

/// The lattice that a host has joined.
#[derive(Clone, Debug)]
pub struct Lattice {
    /// Its name.
    pub name: String,
    /// Its servers, and how the host shows them who it is.
    pub nats: NatsOptions,
}

/// Makes providers of the kind `keyvalue-nats`.
pub struct NatsFactory {
    connections: Connections,
}

struct NatsProvider {
    store: Arc<Store>,
}

// === impl NatsFactory ===

impl NatsFactory {
    /// For a host of `lattice`, or of none.
    #[must_use]
    pub fn new(lattice: Option<Lattice>) -> Self {
        Self {
            connections: Connections::new(lattice),
        }
    }

    async fn join(&self, context: &Context<'_>, settings: &Settings) -> Result<Joined, MakeError> {
        let config: NatsConfig = parse(context, settings)?;
        config.check(context)?;
        let joined = self.connections.join(context, &config).await;
        joined.map_err(|error| MakeError::start(context, error))
    }
}

#[async_trait]
impl Factory for NatsFactory {
    fn kind(&self) -> &'static str {
        "keyvalue-nats"
    }

    fn serves(&self) -> &'static [&'static str] {
        &[keyvalue::PACKAGE]
    }

    /// Makes the bucket, if it is not there.
    async fn check(&self, context: &Context<'_>, settings: &Settings) -> Result<(), MakeError> {
        let joined = self.join(context, settings).await?;
        let ensured = joined.bucket.ensure().await;
        ensured.map_err(|error| MakeError::start(context, error))
    }

    async fn make(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<Arc<dyn Provider>, MakeError> {
        let joined = self.join(context, settings).await?;
        Ok(Arc::new(NatsProvider {
            store: Arc::new(Store::new(joined)),
        }))
    }
}

// === impl NatsProvider ===

#[async_trait]
impl Provider for NatsProvider {
    fn bind(
        &self,
        link: &LinkContext<'_>,
        settings: &Settings,
    ) -> Result<Capability, ConfigProblem> {
        let store = Arc::clone(&self.store);
        keyvalue::link_buckets(link, settings, move |name| {
            NatsBucket::new(name, Arc::clone(&store))
        })
    }

    async fn close(&self) {
        self.store.close();
    }
}
