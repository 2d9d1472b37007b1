//! Shared test fixtures: the membership of a host with other hosts that it receives heartbeats of;
//! and whole hosts on the in-process bus, real except for their runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use weft_bus::local::{LocalNetwork, LocalOptions};
use weft_bus::{Bus, Lane, Scope};
use weft_lattice_config::{App, AppName, Digest};
use weft_membership::Moment;
use weft_membership::message::{
    ComponentId, Contents, HostState, HostedComponent, Load, Readiness, Revision,
};
use weft_membership::{BusStatus, HostId, Identity, Membership, TICK_EVERY};
use weft_provider::Registry;
use weft_state::artifacts::Artifacts;
use weft_state::buckets::BucketOptions;
use weft_state::peers::message::PeerRequest;
use weft_state::store::{Deployed, Record, Store};
use weft_telemetry::events::Events;

use crate::HostLabels;
use crate::controller::{self, Controller, DeployError, Snapshot};
use crate::fake_runtime::{FakeApp, FakeCallServer, FakeRuntime, REVISION_ANNOTATION};
use crate::host_tasks::HostTasks;
use crate::membership_task::MembershipSnapshot;
use crate::mesh::{Joined, Mesh, Parts};
use crate::peer_rpc::PeerClient;
use crate::subjects::Subjects;

/// The longest wait for a state, in paused time: longer than any retry, and no real time.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// The name of the lattice of [`TestLattice`].
const LATTICE: &str = "test";

/// The host under test.
pub(super) const OWN: HostId = HostId::from_key([1; 32]);
/// Another host.
pub(super) const OTHER: HostId = HostId::from_key([2; 32]);

/// The membership of a host, and its time.
pub(super) struct TestMembership {
    pub(super) own: Membership,
    pub(super) now: Moment,
}

/// A host in one of its incarnations, with a component `shop/cart`.
pub(super) fn host(host: HostId, incarnation: u64) -> Membership {
    let contents = Contents {
        components: vec![HostedComponent {
            component: cart(),
            revision: Revision(1),
            readiness: Readiness::Ready,
        }],
        ..Contents::default()
    };
    let identity = Identity {
        lattice: "test".to_owned(),
        host,
        incarnation,
    };
    Membership::new(identity, contents).unwrap()
}

pub(super) fn cart() -> ComponentId {
    ComponentId {
        app: "shop".parse().unwrap(),
        component: "cart".parse().unwrap(),
    }
}

impl TestMembership {
    /// A host that has just connected.
    pub(super) fn new() -> Self {
        let mut own = host(OWN, 1);
        own.set_contents(Contents::default()).unwrap();
        own.on_bus(Moment::START, BusStatus::Connected);
        Self {
            own,
            now: Moment::START,
        }
    }

    /// Advances time; the `others` send heartbeats meanwhile.
    pub(super) fn advance(&mut self, duration: Duration, others: &mut [Membership]) {
        let end = self.now + duration;
        while self.now < end {
            for other in others.iter_mut() {
                let heartbeat = other.heartbeat(0, Load::default());
                self.own.on_heartbeat(self.now, heartbeat).unwrap();
            }
            self.now = self.now + TICK_EVERY;
            self.own.tick(self.now);
        }
    }

    /// Receives the inventory of a host whose heartbeats were received.
    pub(super) fn receive_inventory(&mut self, other: &Membership) {
        self.own.on_inventory(self.now, other.inventory()).unwrap();
        self.advance(TICK_EVERY, &mut []);
    }

    pub(super) fn snapshot(&self) -> Arc<MembershipSnapshot> {
        Arc::new(MembershipSnapshot {
            view: self.own.view().clone(),
            pause: self.own.placement_pause(),
            is_alone: false,
        })
    }
}

// === apps ===

pub(super) fn app_name(name: &str) -> AppName {
    name.parse().unwrap()
}

/// An app with one component, `cart`, at a revision that the component answers with.
pub(super) fn app(name: &str, revision: u64) -> App {
    let cart = json!({ "name": "cart", "source": { "digest": artifact(name).0 } });
    app_with(name, revision, &json!({ "components": [cart] }))
}

/// An app whose component runs on one host only, by the label that [`TestDisk`] sets.
pub(super) fn app_on(host: &str, name: &str, revision: u64) -> App {
    let cart = json!({
        "name": "cart",
        "source": { "digest": artifact(name).0 },
        "placement": { "require": { "host": host } },
    });
    app_with(name, revision, &json!({ "components": [cart] }))
}

pub(super) fn app_with(name: &str, revision: u64, spec: &Value) -> App {
    let app = json!({
        "apiVersion": "weft.dev/v1alpha1",
        "kind": "App",
        "metadata": {
            "name": name,
            "annotations": { REVISION_ANNOTATION: revision.to_string() },
        },
        "spec": spec,
    });
    serde_json::from_value(app).unwrap()
}

/// The bytes of the component of [`app`], and their digest.
pub(super) fn artifact(name: &str) -> (Digest, Vec<u8>) {
    let bytes = format!("the component of {name}").into_bytes();
    (Digest::of(&bytes), bytes)
}

/// The record of an app that was deployed at the revision of its manifest.
pub(super) fn deployed(revision: u64, app: App) -> Record {
    Record::Deployed(Deployed {
        revision,
        changed_at_ms: 0,
        app,
        claimed_at_ms: BTreeMap::new(),
        previous: BTreeSet::new(),
    })
}

/// The body of the response of a component; `None` if the host does not run it.
pub(super) async fn response(snapshot: &Snapshot, app: &str, component: &str) -> Option<String> {
    let handler = snapshot.handler(app, component)?;
    let body = Empty::<Bytes>::new().map_err(|never| match never {});
    let request = Request::new(body.boxed_unsync());
    let deadline = Instant::now() + Duration::from_secs(1);
    let tasks = HostTasks::default();
    let response = handler
        .handle(request, deadline, tasks.tracker())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Some(String::from_utf8(body.to_vec()).unwrap())
}

/// Sets the requests in flight of an app that the fake runtime runs.
pub(super) fn set_in_flight(snapshot: &Snapshot, app: &str, count: u64) {
    let running: &dyn std::any::Any = &**snapshot.running(app).unwrap();
    let running = running.downcast_ref::<FakeApp>().unwrap();
    running.set_in_flight(count);
}

/// Waits until a published state is as expected, for [`WAIT_MAX`] at most.
pub(super) fn wait_for<T: Clone, F: FnMut(&T) -> bool>(
    state: &watch::Receiver<T>,
    is_reached: F,
) -> impl Future<Output = T> + use<T, F> {
    let mut state = state.clone();
    async move {
        let reached = timeout(WAIT_MAX, state.wait_for(is_reached)).await;
        reached
            .expect("the state is not reached in time")
            .expect("the task has ended")
            .clone()
    }
}

/// The revision of an app that serves on a host.
pub(super) fn serving(snapshot: &Snapshot, app: &str) -> Option<u64> {
    let running = snapshot.apps.get(app)?;
    running.running().map(|_| running.deployed.revision)
}

// === hosts ===

/// The in-process network of a lattice.
pub(super) struct TestLattice {
    pub(super) network: LocalNetwork,
    pub(super) scope: Scope,
}

/// The disk of a host that was not started yet. Its label `host` is its name.
pub(super) struct TestDisk {
    name: String,
    directory: TempDir,
    pub(super) store: Arc<Store>,
    pub(super) artifacts: Artifacts,
    network: LocalNetwork,
    scope: Scope,
}

/// A host that has joined a lattice.
pub(super) struct TestHost {
    pub(super) name: String,
    pub(super) id: HostId,
    pub(super) runtime: Arc<FakeRuntime>,
    pub(super) controller: Controller,
    pub(super) joined: Joined,
    pub(super) artifacts: Artifacts,
    pub(super) events: Events,
    _directory: TempDir,
}

impl TestLattice {
    pub(super) fn new() -> Self {
        Self {
            network: LocalNetwork::new(LocalOptions::default()),
            scope: Scope::new(LATTICE).unwrap(),
        }
    }

    /// The empty disk of a new host.
    pub(super) fn disk(&self, name: &str) -> TestDisk {
        let directory = tempfile::tempdir().unwrap();
        TestDisk {
            name: name.to_owned(),
            store: Arc::new(Store::open(directory.path().join("desired.redb")).unwrap()),
            artifacts: Artifacts::open(directory.path().join("artifacts")).unwrap(),
            directory,
            network: self.network.clone(),
            scope: self.scope.clone(),
        }
    }

    /// Starts a host with an empty disk.
    pub(super) async fn host(&self, name: &str) -> TestHost {
        self.disk(name).start().await
    }

    /// Starts hosts with empty disks, and waits until they see each other.
    pub(super) async fn hosts<const N: usize>(&self, names: [&str; N]) -> [TestHost; N] {
        let mut hosts = Vec::new();
        for name in names {
            hosts.push(self.host(name).await);
        }
        let ids: Vec<_> = hosts.iter().map(|host| host.id).collect();
        for host in &hosts {
            host.wait_for_hosts(&ids).await;
        }
        hosts.try_into().ok().unwrap()
    }
}

/// The id of the host with this name.
fn host_id(name: &str) -> HostId {
    HostId::from_key(*blake3::hash(name.as_bytes()).as_bytes())
}

impl TestDisk {
    /// Writes records of the desired state.
    pub(super) fn store_records(&self, records: &[(&str, Record)]) {
        let records = records.iter();
        let records: Vec<_> = records
            .map(|(app, record)| (app_name(app), Arc::new(record.clone())))
            .collect();
        self.store.keep(&records, &[]).unwrap();
    }

    /// Writes the artifact of [`app`].
    pub(super) fn store_artifact(&self, app: &str) {
        let (digest, bytes) = artifact(app);
        self.artifacts.put(&digest, &bytes).unwrap();
    }

    /// Starts the host.
    pub(super) async fn start(self) -> TestHost {
        let bus = self.network.join(&self.name, &self.scope);
        self.start_on(bus).await
    }

    /// Starts the host without a connection to the bus.
    pub(super) async fn start_disconnected(self) -> TestHost {
        let bus = self.network.join(&self.name, &self.scope);
        self.network.disconnect(&self.name);
        self.start_on(bus).await
    }

    async fn start_on(self, bus: Bus) -> TestHost {
        let (events, tasks) = (Events::new(), HostTasks::default());
        let runtime = Arc::new(FakeRuntime::default());
        let server = Arc::new(FakeCallServer::default());
        let id = host_id(&self.name);
        let labels = BTreeMap::from([("host".to_owned(), self.name.clone())]);
        let labels = HostLabels::open(self.directory.path().join("labels"), &labels).unwrap();
        let identity = Identity {
            lattice: LATTICE.to_owned(),
            host: id,
            incarnation: 1,
        };
        let buckets = BucketOptions::default();
        let mesh = Mesh::over_bus(
            bus,
            identity,
            &self.name,
            buckets,
            &labels,
            &events,
            tasks.clone(),
        );
        let mesh = mesh.unwrap();
        let parts = controller::Parts {
            runtime: runtime.clone(),
            server: server.clone(),
            hosts: Some(mesh.hosts()),
            registry: Registry::default(),
            providers_directory: self.directory.path().join("providers"),
            events: events.clone(),
        };
        let controller = Controller::start(parts, &tasks);
        let finder = controller.clone();
        let parts = Parts {
            controller: controller.clone(),
            server,
            artifacts: self.artifacts.clone(),
            store: self.store,
            runtime: runtime.clone(),
            find_handler: Arc::new(move |app, component| finder.snapshot().handler(app, component)),
            local_stores: Arc::new(BTreeSet::new()),
            calls_max: 100,
        };
        let joined = mesh.join(parts).await.unwrap();
        TestHost {
            name: self.name,
            id,
            runtime,
            controller,
            joined,
            artifacts: self.artifacts,
            events,
            _directory: self.directory,
        }
    }
}

impl TestHost {
    /// Waits until this host has the inventories of `hosts` and places apps.
    pub(super) async fn wait_for_hosts(&self, hosts: &[HostId]) {
        wait_for(&self.joined.membership, |membership| {
            let is_known = |id: &HostId| {
                let host = membership.view.host(*id);
                let host = host.filter(|host| host.is_placeable() && host.contents.is_some());
                // A frozen host keeps its components, so it is placed differently.
                host.is_some_and(|host| host.state == HostState::Ready)
            };
            membership.pause.is_none() && hosts.iter().all(is_known)
        })
        .await;
    }

    /// Waits until this host serves an app at a revision.
    pub(super) async fn wait_for_app(&self, app: &str, revision: u64) {
        let is_serving = |snapshot: &Arc<Snapshot>| serving(snapshot, app) == Some(revision);
        wait_for(&self.controller.watch(), is_serving).await;
    }

    /// The body of the response of an app's component `cart`.
    pub(super) async fn response(&self, app: &str) -> Option<String> {
        response(&self.controller.snapshot(), app, "cart").await
    }

    /// Writes the artifact of [`app`].
    pub(super) fn store_artifact(&self, app: &str) {
        let (digest, bytes) = artifact(app);
        self.artifacts.put(&digest, &bytes).unwrap();
    }

    /// The kinds of the events of an app's revisions, the oldest first.
    pub(super) fn events_of(&self, app: &str) -> Vec<String> {
        events_of(&self.events, app)
    }
}

/// The kinds of the events of an app's revisions, the oldest first.
pub(super) fn events_of(events: &Events, app: &str) -> Vec<String> {
    let found = events.tail(usize::MAX, |event| event.app.as_deref() == Some(app));
    let kinds = found.into_iter().map(|event| event.kind);
    kinds.filter(|kind| kind.starts_with("app-")).collect()
}

// === peers ===

/// The subjects of a host, in a lattice of hosts in their first incarnation.
pub(super) fn subjects(scope: &Scope, me: HostId) -> Subjects {
    let hosts = (1..=9).map(|key| (HostId::from_key([key; 32]), 1));
    let incarnations = hosts.chain([(me, 1)]).collect();
    let incarnations = watch::Sender::new(Arc::new(incarnations));
    Subjects::new(scope, me, incarnations.subscribe()).unwrap()
}

/// The client of a peer on a network.
pub(super) fn peer_client(network: &LocalNetwork, name: &str, me: HostId) -> PeerClient {
    let scope = Scope::new(LATTICE).unwrap();
    PeerClient {
        bus: network.join(name, &scope).lane(Lane::Calls),
        subjects: subjects(&scope, me),
        me,
        sequence: Arc::default(),
    }
}

/// Answers each request to a peer with the payload that `answer` returns.
pub(super) async fn answer_requests(
    peer: &PeerClient,
    tasks: &HostTasks,
    answer: impl Fn(&PeerClient, PeerRequest) -> Vec<u8> + Send + 'static,
) {
    let peer = peer.clone();
    let mut requests = peer.bus.subscribe(&peer.subjects.peer_requests).await;
    tasks.spawn(async move {
        while let Some(message) = requests.next_message().await {
            let request = PeerRequest::decode(&message.payload, LATTICE).unwrap();
            let answer = Bytes::from(answer(&peer, request));
            let reply = message.reply.unwrap();
            peer.bus.publish(&reply, None, answer).await.unwrap();
        }
    });
}

/// The only reason for which a deploy was rejected.
pub(crate) fn reason(error: &DeployError) -> &DeployError {
    match error {
        DeployError::Rejected(rejection) => rejection.only().unwrap(),
        other => panic!("{other:?}"),
    }
}
