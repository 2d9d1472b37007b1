//! A configuration provider with values from the manifest.
//!
//! | configuration | meaning |
//! | --- | --- |
//! | provider: `values` | the values of every link |
//! | link: `values` | values of this link, in addition to or instead of those |
//!
//! Values are strings, like those of `wasi:config`. They are plain text in the desired state:
//! secrets do not belong here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use weft_provider::config::{self, Config, ConfigError};
use weft_provider::{
    Capability, ConfigProblem, Context, Factory, LinkContext, MakeError, Provider, Settings, parse,
};

/// Makes providers of the kind `config-values`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ValuesFactory;

/// The configuration of a provider, and of a link to it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct ValuesConfig {
    values: Values,
}

#[derive(Clone, Debug, Default)]
struct Values(BTreeMap<String, String>);

struct ValuesProvider {
    values: Values,
}

// === impl ValuesFactory ===

#[async_trait]
impl Factory for ValuesFactory {
    fn kind(&self) -> &'static str {
        "config-values"
    }

    fn serves(&self) -> &'static [&'static str] {
        &[config::PACKAGE]
    }

    fn check_config(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<(), ConfigProblem> {
        parse::<ValuesConfig>(context, settings)?;
        Ok(())
    }

    async fn make(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<Arc<dyn Provider>, MakeError> {
        let ValuesConfig { values } = parse(context, settings)?;
        Ok(Arc::new(ValuesProvider { values }))
    }
}

// === impl ValuesProvider ===

#[async_trait]
impl Provider for ValuesProvider {
    fn bind(
        &self,
        link: &LinkContext<'_>,
        settings: &Settings,
    ) -> Result<Capability, ConfigProblem> {
        let ValuesConfig {
            values: link_values,
        } = parse(link, settings)?;
        let mut values = self.values.clone();
        values.0.extend(link_values.0);
        Ok(Capability::Config(Arc::new(values)))
    }
}

// === impl Values ===

#[async_trait]
impl Config for Values {
    async fn get(&self, key: &str) -> Result<Option<String>, ConfigError> {
        Ok(self.0.get(key).cloned())
    }

    async fn get_all(&self) -> Result<Vec<(String, String)>, ConfigError> {
        Ok(self
            .0
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }
}

/// Implemented by hand, so that an error about a value has its key but not the value.
impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ValuesVisitor)
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of names to strings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Values, M::Error> {
        let mut values = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value().map_err(|_| {
                M::Error::custom(format_args!(
                    "the value of `{key}` is not a string; put it in quotes"
                ))
            })?;
            values.insert(key, value);
        }
        Ok(Values(values))
    }
}

#[cfg(test)]
mod tests;
