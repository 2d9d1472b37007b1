//! The running providers: one for each provider of each app. A provider runs on from revision to
//! revision as long as its part of the manifest stays the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weft_lattice_config::mistake_paths::provider_path;
use weft_lattice_config::{App, ProviderSpec};
use weft_provider::stores::StoreMemory;
use weft_provider::{Context, Factory, MakeError, Provider, Registry};

use super::{DeployError, Reason};
use crate::runtime::BoundProviders;

/// The providers of one app, by name.
pub(super) type Providers = BTreeMap<String, RunningProvider>;

/// A provider and its spec.
#[derive(Clone)]
pub(super) struct RunningProvider {
    spec: ProviderSpec,
    provider: Arc<dyn Provider>,
}

/// The providers alone, for links to be bound to.
pub(super) fn bound(providers: &Providers) -> BoundProviders {
    let bound = providers.iter();
    bound
        .map(|(name, running)| (name.clone(), running.provider.clone()))
        .collect()
}

/// The depth of a check of providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckDepth {
    /// The configuration alone. Without effects.
    Config,
    /// The resources of the backend too; a backend may create them.
    Resources,
}

/// Starts and closes providers.
pub(super) struct ProviderStarter {
    pub(super) registry: Registry,
    pub(super) directory: PathBuf,
    /// Remembers the stores of providers.
    pub(super) stores: Arc<dyn StoreMemory>,
}

impl ProviderStarter {
    /// Returns the providers of `app`: those of `old` with the same spec, and new ones for the
    /// rest. An old provider whose spec changed is closed first and removed from `old`, because it
    /// holds resources that the new one needs, such as its file.
    ///
    /// # Errors
    /// If a provider does not start. Then the new ones are closed again; those left in `old` still
    /// work.
    pub(super) async fn start(
        &self,
        app: &App,
        old: &mut Providers,
    ) -> Result<Providers, DeployError> {
        let mut started = Providers::new();
        for spec in &app.spec.providers {
            let name = spec.name.as_str();
            let kept = old.get(name).filter(|running| running.spec == *spec);
            let running = match kept {
                Some(running) => Ok(running.clone()),
                None => {
                    if let Some(running) = old.remove(name) {
                        running.provider.close().await;
                    }
                    self.start_one(app, spec).await
                }
            };
            match running {
                Ok(running) => drop(started.insert(name.to_owned(), running)),
                Err(error) => {
                    Self::close_removed(&started, old).await;
                    return Err(error);
                }
            }
        }
        Ok(started)
    }

    /// The reasons for which providers of `app` could not start. Those of `old` with the same spec
    /// have started.
    pub(super) async fn check(&self, app: &App, old: &Providers, depth: CheckDepth) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for (index, spec) in app.spec.providers.iter().enumerate() {
            if matches!(old.get(spec.name.as_str()), Some(running) if running.spec == *spec) {
                continue;
            }
            let path = provider_path(index);
            let factory = match self.factory(spec) {
                Ok(factory) => factory,
                Err(error) => {
                    let path = format!("{path}.type");
                    reasons.push(Reason { path, error });
                    continue;
                }
            };
            let data_dir = self.data_dir(app, spec);
            let context = self.context(app, spec, &data_dir);
            let checked = match depth {
                CheckDepth::Config => factory
                    .check_config(&context, &spec.config)
                    .map_err(MakeError::from),
                CheckDepth::Resources => factory.check(&context, &spec.config).await,
            };
            if let Err(error) = checked {
                let (path, error) = (format!("{path}.config"), error.into());
                reasons.push(Reason { path, error });
            }
        }
        reasons
    }

    /// Checks that this host knows the types of the providers of `app`.
    ///
    /// # Errors
    /// The first unknown type.
    pub(super) fn check_types(&self, app: &App) -> Result<(), DeployError> {
        let mut providers = app.spec.providers.iter();
        providers.try_for_each(|spec| self.factory(spec).map(|_| ()))
    }

    /// Closes the providers of `old` that `new` does not have.
    pub(super) async fn close_removed(old: &Providers, new: &Providers) {
        for (name, running) in old {
            let kept = new
                .get(name)
                .is_some_and(|new| Arc::ptr_eq(&new.provider, &running.provider));
            if !kept {
                running.provider.close().await;
            }
        }
    }

    async fn start_one(
        &self,
        app: &App,
        spec: &ProviderSpec,
    ) -> Result<RunningProvider, DeployError> {
        let data_dir = self.data_dir(app, spec);
        let context = self.context(app, spec, &data_dir);
        let factory = self.factory(spec)?;
        let provider = factory.make(&context, &spec.config).await?;
        Ok(RunningProvider {
            spec: spec.clone(),
            provider,
        })
    }

    fn factory(&self, spec: &ProviderSpec) -> Result<&Arc<dyn Factory>, DeployError> {
        let factory = self.registry.get(&spec.kind);
        factory.map_err(|source| DeployError::ProviderType {
            provider: spec.name.to_string(),
            source,
        })
    }

    fn context<'a>(
        &'a self,
        app: &'a App,
        spec: &'a ProviderSpec,
        data_dir: &'a Path,
    ) -> Context<'a> {
        Context {
            app: app.metadata.name.as_str(),
            provider: spec.name.as_str(),
            data_dir,
            stores: &self.stores,
        }
    }

    /// Names are DNS labels, so they cannot leave the directory.
    fn data_dir(&self, app: &App, spec: &ProviderSpec) -> PathBuf {
        let directory: &Path = &self.directory;
        directory
            .join(app.metadata.name.as_str())
            .join(spec.name.as_str())
    }
}
