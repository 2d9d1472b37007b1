//! Shared test fixtures: the membership of a host with other hosts that it receives heartbeats of,
//! and apps.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use weft_lattice_config::{App, AppName, Digest};
use weft_membership::Moment;
use weft_membership::message::{ComponentId, Contents, Holding, Load, Readiness, Revision};
use weft_membership::{BusStatus, HostId, Identity, Membership, TICK_EVERY};
use weft_state::store::{Deployed, Record};
use weft_telemetry::events::Events;

use crate::controller::Snapshot;
use crate::fake_runtime::{FakeApp, REVISION_ANNOTATION};
use crate::membership_task::MembershipSnapshot;

/// The longest wait for a state, in paused time: longer than any retry, and no real time.
const WAIT_MAX: Duration = Duration::from_secs(120);

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
        components: vec![Holding {
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
            freeze: self.own.freeze(),
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
    })
}

/// The body of the response of a component; `None` if the host does not run it.
pub(super) async fn response(snapshot: &Snapshot, app: &str, component: &str) -> Option<String> {
    let handler = snapshot.handler(app, component)?;
    let body = Empty::<Bytes>::new().map_err(|never| match never {});
    let request = Request::new(body.boxed_unsync());
    let deadline = Instant::now() + Duration::from_secs(1);
    let tasks = TaskTracker::new();
    let response = handler.handle(request, deadline, &tasks).await.unwrap();
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

/// The kinds of the events of an app's revisions, the oldest first.
pub(super) fn events_of(events: &Events, app: &str) -> Vec<String> {
    let found = events.tail(usize::MAX, |event| event.app.as_deref() == Some(app));
    let kinds = found.into_iter().map(|event| event.kind);
    kinds.filter(|kind| kind.starts_with("app-")).collect()
}
