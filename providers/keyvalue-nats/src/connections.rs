//! The connections of a host: one for each set of servers, shared by the providers that use them.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use weft_bus::Scope;
use weft_bus::nats::{JetStreamConnection, NatsOptions};
use weft_provider::Context;
use weft_state::buckets::Storage;
use weft_state::kv::{KvBucket, Missing};

use crate::Lattice;
use crate::config::{NatsConfig, StartError};
use crate::named_servers::NamedServers;

/// Time to wait for a new connection: one connection attempt. After that the provider starts
/// anyway; its operations fail until the servers are available.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);

/// The purpose of these connections in the servers' lists, beside the name of the host.
const PURPOSE: &str = "key-value";

/// The host name in the servers' lists for a host without a lattice.
const HOST_DEFAULT: &str = "weft";

/// The lattice in reply subjects of a host without a lattice: the default of hosts that join one,
/// so that one permission rule fits both.
const LATTICE_DEFAULT: &str = "default";

/// Connections by options. A connection ends when the last provider that uses it is closed.
pub(crate) struct Connections {
    lattice: Option<Lattice>,
    servers: NamedServers,
    open: Mutex<Vec<OpenConnection>>,
}

struct OpenConnection {
    options: NatsOptions,
    connection: Weak<JetStreamConnection>,
}

/// A bucket with its connection.
pub(crate) struct BucketConnection {
    pub(crate) bucket: KvBucket,
    /// The servers and the bucket, as the desired state names the store; `None` for a bucket in the
    /// memory of the servers, which is made again when they have stopped.
    pub(crate) place: Option<String>,
    /// Keeps the connection alive, and available to other providers.
    _connection: Arc<JetStreamConnection>,
}

// === impl Connections ===

impl Connections {
    pub(crate) fn new(lattice: Option<Lattice>, servers: NamedServers) -> Self {
        Self {
            lattice,
            servers,
            open: Mutex::default(),
        }
    }

    /// Opens the bucket of a provider, without checking that it exists.
    pub(crate) async fn join(
        &self,
        context: &Context<'_>,
        config: &NatsConfig,
    ) -> Result<BucketConnection, StartError> {
        let lattice = self.lattice.as_ref();
        let options = match (lattice, &config.server) {
            (lattice, Some(server)) => {
                let host = lattice.map_or(HOST_DEFAULT, |lattice| lattice.nats.name.as_str());
                self.servers.options(server, host).await?
            }
            (Some(lattice), None) => lattice.nats.clone(),
            (None, None) => return Err(StartError::NoLattice),
        };
        let lattice = lattice.map(|lattice| lattice.name.as_str());
        let name = config.bucket_name(lattice, context)?;
        let connection = self.connection(options).await?;
        let options = config.bucket_options();
        let missing = match options.storage {
            Storage::File => Missing::Fail,
            Storage::Memory => Missing::Create,
        };
        let bucket = KvBucket::open(&connection, &name, &options, missing)?;
        Ok(BucketConnection {
            bucket,
            place: (missing == Missing::Fail).then(|| config.place(&name)),
            _connection: connection,
        })
    }

    async fn connection(
        &self,
        options: NatsOptions,
    ) -> Result<Arc<JetStreamConnection>, StartError> {
        if let Some(connection) = self.find(&options) {
            return Ok(connection);
        }
        let lattice = self.lattice.as_ref();
        let lattice = lattice.map_or(LATTICE_DEFAULT, |lattice| lattice.name.as_str());
        let scope = Scope::new(lattice).map_err(StartError::Lattice)?;
        let connection = JetStreamConnection::connect(scope, &options, PURPOSE).await?;
        if !connection.connected_within(CONNECT_WAIT_MAX).await {
            let reason = connection.outage().map(|outage| outage.to_string());
            tracing::warn!(
                reason,
                "cannot reach the servers of a key-value store yet; reconnecting until they are available"
            );
        }
        Ok(self.share(options, connection))
    }

    fn find(&self, options: &NatsOptions) -> Option<Arc<JetStreamConnection>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|open| open.connection.strong_count() > 0);
        let same = open.iter().find(|open| open.options == *options)?;
        same.connection.upgrade()
    }

    /// Registers a connection, unless another one to the same servers was made in the meantime.
    fn share(
        &self,
        options: NatsOptions,
        connection: JetStreamConnection,
    ) -> Arc<JetStreamConnection> {
        if let Some(other) = self.find(&options) {
            return other;
        }
        let connection = Arc::new(connection);
        let weak = Arc::downgrade(&connection);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push(OpenConnection {
            options,
            connection: weak,
        });
        connection
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use weft_provider::stores::{ProcessMemory, StoreMemory};
    use weft_provider::{Settings, parse};

    use super::*;

    #[tokio::test]
    async fn providers_of_one_host_share_a_connection_as_long_as_one_uses_it() {
        // Not listening, so the connection stays pending.
        let nats = NatsOptions {
            servers: vec!["nats://127.0.0.1:1".to_owned()],
            ..NatsOptions::default()
        };
        let name = "test".to_owned();
        let connections = Connections::new(Some(Lattice { name, nats }), NamedServers::default());
        let config: NatsConfig = parse(&"provider `store`", &Settings::new()).unwrap();
        let memory: Arc<dyn StoreMemory> = Arc::<ProcessMemory>::default();
        let context = |app| Context {
            app,
            provider: "store",
            data_dir: Path::new("/nowhere"),
            stores: &memory,
        };
        let one = connections.join(&context("one"), &config).await.unwrap();
        let other = connections.join(&context("other"), &config).await.unwrap();
        assert!(Arc::ptr_eq(&one._connection, &other._connection));
        let weak = Arc::downgrade(&one._connection);
        drop((one, other));
        assert_eq!(weak.strong_count(), 0);
    }
}
