//! A key-value provider that stores its data in a JetStream key-value bucket. All hosts with access
//! to the servers share the data, so components that use it can run on any of them.
//!
//! Configuration of the provider:
//!
//! | key | default | meaning |
//! | --- | --- | --- |
//! | `server` | servers of the host's lattice | the name of [defined servers](NamedServers) |
//! | `bucket` | lattice, app and provider | the bucket on the servers; equal names share it |
//! | `replicas` | 1 | number of servers that store a new bucket: 1, 3 or 5 |
//! | `storage` | `file` | storage of a new bucket: `file` or `memory` |
//!
//! The `bucket` of a link is a part of the key in the
//! provider's bucket; see [`BucketNames`](keyvalue::BucketNames).
//!
//! Guarantees:
//!
//! 1. Reads go to the leader of the bucket's stream, which has all acknowledged writes. A leader
//!    that was deposed without its knowledge may answer for some seconds. Operations that depend on
//!    a read (increments, swaps) write by compare-and-set and are never lost.
//! 2. A deletion is an entry of its own. It stays, as small as its key.
//! 3. Every operation has a timeout: [`OPERATION_WAIT_MAX`], [`BATCH_WAIT_MAX`], [`LIST_WAIT_MAX`].
//!    A write that timed out may have been applied.
//! 4. A bucket that was lost, or replaced by another one, is not made again: operations fail until
//!    an operator agrees (see [`stores`](weft_provider::stores)).
//! 5. All providers of a host share one connection for each set of servers, which reconnects
//!    without end. It is separate from the connection of the desired state, so values do not delay
//!    that.

mod bucket;
mod config;
mod connections;
mod named_servers;
mod operation_error;
mod page;

use std::sync::Arc;

use async_trait::async_trait;
use weft_bus::nats::NatsOptions;
use weft_provider::keyvalue;
use weft_provider::{
    Capability, ConfigProblem, Context, Factory, LinkContext, MakeError, Provider, Settings,
};

pub use bucket::{BATCH_WAIT_MAX, LIST_WAIT_MAX, OPERATION_WAIT_MAX, VALUE_BYTES_MAX};
use bucket::{NatsBucket, ProviderBucket};
use config::NatsConfig;
pub use config::StartError;
use connections::{BucketConnection, Connections};
pub use named_servers::{NamedServers, SERVERS_FILE_BYTES_MAX, ServersError};

/// The lattice that a host has joined.
#[derive(Clone, Debug)]
pub struct Lattice {
    /// The name of the lattice.
    pub name: String,
    /// The servers of the lattice, with the credentials of the host.
    pub nats: NatsOptions,
}

/// Makes providers of the kind `keyvalue-nats`.
pub struct NatsFactory {
    connections: Connections,
}

struct NatsProvider {
    bucket: Arc<ProviderBucket>,
}

// === impl NatsFactory ===

impl NatsFactory {
    /// Creates the factory of a host, with the lattice that the host has joined, if any, and the
    /// servers that manifests may name.
    #[must_use]
    pub fn new(lattice: Option<Lattice>, servers: NamedServers) -> Self {
        Self {
            connections: Connections::new(lattice, servers),
        }
    }

    async fn join(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<BucketConnection, MakeError> {
        let config = NatsConfig::read(context, settings)?;
        let connection = self.connections.join(context, &config).await;
        connection.map_err(|error| MakeError::start(context, error))
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

    fn check_config(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<(), ConfigProblem> {
        NatsConfig::read(context, settings)?;
        Ok(())
    }

    /// Creates the bucket if it never existed. One that was lost is an error.
    async fn check(&self, context: &Context<'_>, settings: &Settings) -> Result<(), MakeError> {
        let bucket = ProviderBucket::new(self.join(context, settings).await?, context);
        let checked = bucket.prepare().await;
        checked.map_err(|error| MakeError::start(context, error))
    }

    async fn make(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<Arc<dyn Provider>, MakeError> {
        let connection = self.join(context, settings).await?;
        Ok(Arc::new(NatsProvider {
            bucket: Arc::new(ProviderBucket::new(connection, context)),
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
        let bucket = Arc::clone(&self.bucket);
        keyvalue::link_buckets(link, settings, move |name| {
            NatsBucket::new(name, Arc::clone(&bucket))
        })
    }

    async fn close(&self) {
        self.bucket.close();
    }
}
