//! A provider that does nothing, and logs when it is made and closed.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use weft_provider::logging::{LogRecord, Logging};
use weft_provider::{
    Capability, ConfigProblem, Context, Factory, LinkContext, MakeError, Provider, Settings,
};

/// The setting of a provider that does not start, and of a link that is rejected.
const FAILS: &str = "fails";

/// The providers that were made and closed, in order: `make NAME VALUE` and `close NAME VALUE`.
#[derive(Clone, Default)]
pub(super) struct ProviderLog(Arc<Mutex<Vec<String>>>);

/// Makes providers of the kind `fake`.
pub(super) struct FakeFactory(pub(super) ProviderLog);

struct FakeProvider {
    log: ProviderLog,
    /// The provider's name and its setting `value`.
    label: String,
}

/// A log that drops all records.
struct NoLog;

impl Logging for NoLog {
    fn log(&self, _record: &LogRecord<'_>) {}
}

/// The entry of a provider in a manifest.
pub(super) fn provider(name: &str, value: u64) -> Value {
    json!({ "name": name, "type": "fake", "config": { "value": value } })
}

/// The entry of a provider that does not start.
pub(super) fn failing_provider(name: &str, value: u64) -> Value {
    json!({ "name": name, "type": "fake", "config": { "value": value, FAILS: true } })
}

/// The entry of a link that its provider rejects.
pub(super) fn rejected_link(component: &str, provider: &str) -> Value {
    json!({
        "from": component,
        "interface": "wasi:logging",
        "to": provider,
        "config": { FAILS: true },
    })
}

impl ProviderLog {
    /// The entries since the last call.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn push(&self, entry: String) {
        self.0.lock().unwrap().push(entry);
    }
}

#[async_trait]
impl Factory for FakeFactory {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn serves(&self) -> &'static [&'static str] {
        &["wasi:logging"]
    }

    async fn make(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<Arc<dyn Provider>, MakeError> {
        if settings.contains_key(FAILS) {
            return Err(MakeError::start(context, "the server is down"));
        }
        let label = format!("{} {}", context.provider, settings["value"]);
        self.0.push(format!("make {label}"));
        Ok(Arc::new(FakeProvider {
            log: self.0.clone(),
            label,
        }))
    }
}

#[async_trait]
impl Provider for FakeProvider {
    fn bind(
        &self,
        link: &LinkContext<'_>,
        settings: &Settings,
    ) -> Result<Capability, ConfigProblem> {
        if settings.contains_key(FAILS) {
            return Err(ConfigProblem::invalid(link, FAILS, &true, &"none"));
        }
        Ok(Capability::Logging(Arc::new(NoLog)))
    }

    async fn close(&self) {
        self.log.push(format!("close {}", self.label));
    }
}
