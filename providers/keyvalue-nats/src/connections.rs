//! The connections of a host: one for each set of servers, shared by the providers that use them.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use weft_bus::Scope;
use weft_bus::nats::{NatsOptions, StoreConnection};
use weft_provider::Context;
use weft_state::kv::KvBucket;

use crate::Lattice;
use crate::config::{NatsConfig, StartError};

/// How long a connection that is made is waited for: as long as an attempt may take. Who starts a provider
/// goes on after it; its operations fail until the servers are there.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);

/// What the servers call these connections, beside the name of the host.
const PURPOSE: &str = "key-value";

/// What a host that has joined no lattice is called in the servers' lists.
const HOST_DEFAULT: &str = "weft";

/// Whose subjects answers come to on a host that has joined no lattice: those of the one that hosts join when
/// none is named, so that one rule of permissions does for both.
const LATTICE_DEFAULT: &str = "default";

/// A connection ends when the last provider that uses it is closed.
pub(crate) struct Connections {
    lattice: Option<Lattice>,
    open: Mutex<Vec<Open>>,
}

struct Open {
    options: NatsOptions,
    connection: Weak<StoreConnection>,
}

/// A bucket, and the connection that it is reached by.
pub(crate) struct Joined {
    pub(crate) bucket: KvBucket,
    /// Who else joins finds it by this, as long as one is left.
    _connection: Arc<StoreConnection>,
}

// === impl Connections ===

impl Connections {
    pub(crate) fn new(lattice: Option<Lattice>) -> Self {
        Self {
            lattice,
            open: Mutex::default(),
        }
    }

    /// The bucket that a provider is to keep its data in. Nothing says yet whether it is there.
    pub(crate) async fn join(
        &self,
        context: &Context<'_>,
        config: &NatsConfig,
    ) -> Result<Joined, StartError> {
        let lattice = self.lattice.as_ref();
        let options = match (lattice, config.servers.is_empty()) {
            (lattice, false) => {
                let host = lattice.map_or(HOST_DEFAULT, |lattice| lattice.nats.name.as_str());
                config.nats_options(host).await?
            }
            (Some(lattice), true) => lattice.nats.clone(),
            (None, true) => return Err(StartError::NoLattice),
        };
        let lattice = lattice.map(|lattice| lattice.name.as_str());
        let name = config.bucket_name(lattice, context)?;
        let connection = self.connection(options).await?;
        let bucket = KvBucket::open(&connection, &name, &config.bucket_options())?;
        Ok(Joined {
            bucket,
            _connection: connection,
        })
    }

    async fn connection(&self, options: NatsOptions) -> Result<Arc<StoreConnection>, StartError> {
        if let Some(connection) = self.find(&options) {
            return Ok(connection);
        }
        let lattice = self.lattice.as_ref();
        let lattice = lattice.map_or(LATTICE_DEFAULT, |lattice| lattice.name.as_str());
        let scope = Scope::new(lattice).map_err(StartError::Lattice)?;
        let made = StoreConnection::connect(scope, &options, PURPOSE).await?;
        if !made.connected_within(CONNECT_WAIT_MAX).await {
            tracing::warn!(
                "the servers of a key-value store cannot be reached yet; it is tried for ever"
            );
        }
        Ok(self.keep(options, made))
    }

    fn find(&self, options: &NatsOptions) -> Option<Arc<StoreConnection>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|open| open.connection.strong_count() > 0);
        let same = open.iter().find(|open| open.options == *options)?;
        same.connection.upgrade()
    }

    /// Keeps a connection, unless another one to the same servers was made in the meantime.
    fn keep(&self, options: NatsOptions, made: StoreConnection) -> Arc<StoreConnection> {
        if let Some(other) = self.find(&options) {
            return other;
        }
        let made = Arc::new(made);
        let connection = Arc::downgrade(&made);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push(Open {
            options,
            connection,
        });
        made
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use weft_provider::{Settings, parse};

    use super::*;

    #[tokio::test]
    async fn providers_of_one_host_share_a_connection_as_long_as_one_uses_it() {
        // Nothing listens there, which is what a connection waits for.
        let nats = NatsOptions {
            servers: vec!["nats://127.0.0.1:1".to_owned()],
            ..NatsOptions::default()
        };
        let name = "test".to_owned();
        let connections = Connections::new(Some(Lattice { name, nats }));
        let config: NatsConfig = parse(&"provider `store`", &Settings::new()).unwrap();
        let context = |app| Context {
            app,
            provider: "store",
            data_dir: Path::new("/nowhere"),
        };
        let one = connections.join(&context("one"), &config).await.unwrap();
        let other = connections.join(&context("other"), &config).await.unwrap();
        assert!(Arc::ptr_eq(&one._connection, &other._connection));
        let weak = Arc::downgrade(&one._connection);
        drop((one, other));
        assert_eq!(weak.strong_count(), 0);
    }
}
