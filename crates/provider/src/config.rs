//! Configuration values: what `wasi:config/store` is served from.

use async_trait::async_trait;

/// The WIT package that this capability stands behind.
pub const PACKAGE: &str = "wasi:config";

/// Configuration as one component sees it.
#[async_trait]
pub trait Config: Send + Sync + 'static {
    /// The value of `key`, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the value cannot be read now.
    async fn get(&self, key: &str) -> Result<Option<String>, ConfigError>;

    /// Every key with its value, in the order of the keys.
    ///
    /// # Errors
    ///
    /// If the values cannot be read now.
    async fn get_all(&self) -> Result<Vec<(String, String)>, ConfigError>;
}

/// Why a configuration value could not be read; the cases are those of `wasi:config/store.error`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The source of the values failed, as another system would put it.
    #[error("the configuration source failed: {0}")]
    Upstream(String),
    /// Reading or writing failed.
    #[error("the configuration could not be read: {0}")]
    Io(String),
}
