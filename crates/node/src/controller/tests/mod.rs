//! The controller over the fake runtime, a database on disk, and fake providers.

mod deploys;
mod fake_provider;
mod providers;
mod reconciles;

use std::sync::Arc;

use crate::host_tasks::HostTasks;
use tempfile::TempDir;
use weft_provider::Registry;
use weft_state::store::Store;
use weft_telemetry::events::Events;

use self::fake_provider::{FakeFactory, ProviderLog};
use super::{Controller, Lattice, Parts};
use crate::fake_runtime::{FakeCallServer, FakeRuntime};
use crate::test_support;

/// A controller and its surroundings.
struct TestController {
    controller: Controller,
    runtime: Arc<FakeRuntime>,
    store: Arc<Store>,
    providers: ProviderLog,
    events: Events,
    directory: TempDir,
    lattice: Lattice,
}

impl TestController {
    async fn start(lattice: Lattice) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("desired.redb")).unwrap();
        Self::start_on(Arc::default(), Arc::new(store), directory, lattice).await
    }

    /// Starts again, with another runtime, on the same disk.
    async fn restart(self, runtime: Arc<FakeRuntime>) -> Self {
        self.controller.stop().await;
        Self::start_on(runtime, self.store, self.directory, self.lattice).await
    }

    async fn start_on(
        runtime: Arc<FakeRuntime>,
        store: Arc<Store>,
        directory: TempDir,
        lattice: Lattice,
    ) -> Self {
        let (events, providers) = (Events::new(), ProviderLog::default());
        let parts = Parts {
            store: store.clone(),
            runtime: runtime.clone(),
            server: Arc::new(FakeCallServer::default()),
            hosts: None,
            registry: Registry::default().with(FakeFactory(providers.clone())),
            providers_directory: directory.path().join("providers"),
            lattice,
            events: events.clone(),
        };
        let controller = Controller::start(parts, &HostTasks::default())
            .await
            .unwrap();
        Self {
            controller,
            runtime,
            store,
            providers,
            events,
            directory,
            lattice,
        }
    }

    async fn response(&self, app: &str, component: &str) -> Option<String> {
        test_support::response(&self.controller.snapshot(), app, component).await
    }
}
