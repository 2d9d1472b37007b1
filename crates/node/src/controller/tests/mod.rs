//! The controller of a host alone, over the fake runtime, a database on disk, and fake providers.

mod deploys;
mod fake_provider;
mod preparations;
mod providers;
mod reconciles;

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;
use weft_provider::Registry;
use weft_state::artifacts::Artifacts;
use weft_state::store::{Record, Store};
use weft_telemetry::events::Events;

use self::fake_provider::{FakeFactory, ProviderLog};
use super::{Controller, Parts};
use crate::fake_runtime::{FakeCallServer, FakeRuntime};
use crate::host_tasks::HostTasks;
use crate::mesh::{self, Joined, Mesh};
use crate::{HostLabels, test_support};

/// A controller and its surroundings.
struct TestController {
    controller: Controller,
    joined: Joined,
    runtime: Arc<FakeRuntime>,
    store: Arc<Store>,
    providers: ProviderLog,
    events: Events,
    directory: TempDir,
}

/// The kind of host that a controller is for.
enum TestHosts {
    Alone,
    /// The test reconciles in place of the host.
    Many,
}

impl TestController {
    /// Starts on a host alone.
    async fn start() -> Self {
        Self::start_in(TestHosts::Alone).await
    }

    async fn start_in(hosts: TestHosts) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("desired.redb")).unwrap();
        Self::start_on(Arc::default(), Arc::new(store), directory, hosts).await
    }

    /// Starts again, with another runtime, on the same disk.
    async fn restart(self, runtime: Arc<FakeRuntime>) -> Self {
        self.joined.leave().await;
        self.controller.stop().await;
        Self::start_on(runtime, self.store, self.directory, TestHosts::Alone).await
    }

    async fn start_on(
        runtime: Arc<FakeRuntime>,
        store: Arc<Store>,
        directory: TempDir,
        hosts: TestHosts,
    ) -> Self {
        let (events, providers) = (Events::new(), ProviderLog::default());
        let (tasks, server) = (HostTasks::default(), Arc::new(FakeCallServer::default()));
        let labels = HostLabels::open(directory.path().join("labels"), &BTreeMap::new()).unwrap();
        let mesh = Mesh::alone("alone", &labels, &events, tasks.clone()).unwrap();
        let parts = Parts {
            runtime: runtime.clone(),
            server: server.clone(),
            hosts: matches!(hosts, TestHosts::Many).then(|| mesh.hosts()),
            registry: Registry::default().with(FakeFactory(providers.clone())),
            providers_directory: directory.path().join("providers"),
            events: events.clone(),
        };
        let controller = Controller::start(parts, &tasks);
        let parts = mesh::Parts {
            controller: controller.clone(),
            server,
            artifacts: Artifacts::open(directory.path().join("artifacts")).unwrap(),
            store: store.clone(),
            runtime: runtime.clone(),
            find_handler: Arc::new(|_, _| None),
            local_stores: Arc::default(),
            calls_max: 100,
        };
        let joined = mesh.join(parts).await.unwrap();
        Self {
            controller,
            joined,
            runtime,
            store,
            providers,
            events,
            directory,
        }
    }

    /// The stored records, removals included, by the names of their apps.
    fn records(&self) -> Vec<Record> {
        let records = self.store.all().unwrap();
        records.into_iter().map(|(_, record)| record).collect()
    }

    async fn response(&self, app: &str, component: &str) -> Option<String> {
        test_support::response(&self.controller.snapshot(), app, component).await
    }
}
