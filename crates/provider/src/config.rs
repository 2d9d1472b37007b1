//! Configuration values, the backend of `wasi:config/store`.

use async_trait::async_trait;

/// The WIT package of this capability.
pub const PACKAGE: &str = "wasi:config";

/// The configuration of one component.
#[async_trait]
pub trait Config: Send + Sync + 'static {
    /// Returns the value of `key`, or `None` if it is not set.
    ///
    /// # Errors
    ///
    /// If the value cannot be read at the moment.
    async fn get(&self, key: &str) -> Result<Option<String>, ConfigError>;

    /// Returns all keys with their values, ordered by key.
    ///
    /// # Errors
    ///
    /// If the values cannot be read at the moment.
    async fn get_all(&self) -> Result<Vec<(String, String)>, ConfigError>;
}

/// The reason why a configuration value could not be read; the cases are those of
/// `wasi:config/store.error`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The source of the values failed.
    #[error("the configuration source failed: {0}")]
    Upstream(String),
    /// Reading failed.
    #[error("the configuration could not be read: {0}")]
    Io(String),
}
