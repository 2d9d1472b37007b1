//! A logging provider that writes to the log of the host, as `tracing` events of target [`TARGET`].
//!
//! | configuration | default | meaning |
//! | --- | --- | --- |
//! | link: `level` | `trace` | the lowest level that is written, before the host filters |
//!
//! Fields of an event: `app`, `component`, `context`, and the message. `tracing` has no level above
//! error, so a critical record is an error with `critical = true`.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use tracing::{debug, error, info, trace, warn};
use weft_provider::logging::{self, Level, LogRecord, Logging};
use weft_provider::{
    Capability, ConfigProblem, Context, Factory, LinkContext, MakeError, Provider, Settings, parse,
};
use weft_telemetry::logs::{GUEST_TARGET, one_record};

/// The target of all events, for filters.
pub const TARGET: &str = GUEST_TARGET;

/// Makes providers of the kind `logging-tracing`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingFactory;

/// Empty: providers of this kind have no configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TracingConfig {}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct LinkConfig {
    level: Level,
}

struct TracingProvider;

/// The log of one component.
struct ComponentLog {
    app: String,
    component: String,
    level_min: Level,
}

// === impl TracingFactory ===

#[async_trait]
impl Factory for TracingFactory {
    fn kind(&self) -> &'static str {
        "logging-tracing"
    }

    fn serves(&self) -> &'static [&'static str] {
        &[logging::PACKAGE]
    }

    fn check_config(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<(), ConfigProblem> {
        parse::<TracingConfig>(context, settings)?;
        Ok(())
    }

    async fn make(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<Arc<dyn Provider>, MakeError> {
        let TracingConfig {} = parse(context, settings)?;
        Ok(Arc::new(TracingProvider))
    }
}

// === impl LinkConfig ===

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            level: Level::Trace,
        }
    }
}

// === impl TracingProvider ===

#[async_trait]
impl Provider for TracingProvider {
    fn bind(
        &self,
        link: &LinkContext<'_>,
        settings: &Settings,
    ) -> Result<Capability, ConfigProblem> {
        let LinkConfig { level } = parse(link, settings)?;
        Ok(Capability::Logging(Arc::new(ComponentLog {
            app: link.app.to_owned(),
            component: link.component.to_owned(),
            level_min: level,
        })))
    }
}

// === impl ComponentLog ===

impl Logging for ComponentLog {
    fn log(&self, record: &LogRecord<'_>) {
        if record.level() < self.level_min {
            return;
        }
        let (app, component) = (self.app.as_str(), self.component.as_str());
        let (context, message) = (one_record(record.context()), one_record(record.message()));
        let context = &*context;
        match record.level() {
            Level::Trace => trace!(target: TARGET, app, component, context, "{message}"),
            Level::Debug => debug!(target: TARGET, app, component, context, "{message}"),
            Level::Info => info!(target: TARGET, app, component, context, "{message}"),
            Level::Warn => warn!(target: TARGET, app, component, context, "{message}"),
            Level::Error => error!(target: TARGET, app, component, context, "{message}"),
            Level::Critical => {
                error!(target: TARGET, app, component, context, critical = true, "{message}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
