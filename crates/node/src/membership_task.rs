//! The task that owns the membership of this host: it receives heartbeats and inventories, sends
//! this host's own, and publishes a [`MembershipSnapshot`] and the routing table.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use weft_bus::{Bus, Lane, Status, Subject, Subscription};
use weft_membership::Moment;
use weft_membership::message::{Contents, HostState, Load, Message};
use weft_membership::routing::{Probe, Router, Table};
use weft_membership::{
    BusStatus, HEARTBEAT_EVERY, HostView, Membership, PlacementPause, TICK_EVERY, View,
};
use weft_telemetry::events::Events;

use crate::clock::Clock;
use crate::environment::Environment;
use crate::event_reporter::MembershipReporter;
use crate::health_probe::PROBES_WAITING_MAX;
use crate::subjects::Subjects;

/// The contents of this host's own heartbeats and inventories.
pub(super) struct SelfReport {
    pub(super) contents: watch::Receiver<Contents>,
    pub(super) state: watch::Receiver<HostState>,
    pub(super) load: Box<dyn Fn() -> Load + Send + Sync>,
}

/// The membership as of the last tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipSnapshot {
    /// The hosts.
    pub view: View,
    /// The reason the view is frozen, if it is.
    pub pause: Option<PlacementPause>,
    /// True if no other host can join.
    pub is_alone: bool,
}

pub(super) struct MembershipTask {
    membership: Membership,
    lattice: String,
    bus: Bus,
    subjects: Subjects,
    self_report: SelfReport,
    clock: Clock,
    router: Router,
    snapshots: watch::Sender<Arc<MembershipSnapshot>>,
    table: watch::Sender<Arc<Table>>,
    /// The time of the last tick.
    last_tick: watch::Sender<Instant>,
    reporter: MembershipReporter,
    /// The queue of the health probe; `None` if it was not started.
    probes: Option<mpsc::Sender<Probe>>,
    environment: Environment,
}

impl MembershipTask {
    pub(super) fn new(
        mut membership: Membership,
        bus: Bus,
        subjects: Subjects,
        self_report: SelfReport,
        events: Events,
    ) -> Self {
        if bus.is_alone() {
            membership.on_bus(Moment::START, BusStatus::Alone);
        }
        let router = Router::new(membership.identity().host);
        let snapshot = MembershipSnapshot {
            view: membership.view().clone(),
            pause: membership.placement_pause(),
            is_alone: bus.is_alone(),
        };
        Self {
            lattice: membership.identity().lattice.clone(),
            membership,
            bus,
            subjects,
            self_report,
            clock: Clock::start(),
            table: watch::Sender::new(router.table()),
            last_tick: watch::Sender::new(Instant::now()),
            router,
            snapshots: watch::Sender::new(Arc::new(snapshot)),
            reporter: MembershipReporter::new(events),
            probes: None,
            environment: Environment::default(),
        }
    }

    /// The probes that are due, for the health probe to send.
    pub(super) fn probes(&mut self) -> mpsc::Receiver<Probe> {
        let (sender, receiver) = mpsc::channel(PROBES_WAITING_MAX);
        self.probes = Some(sender);
        receiver
    }

    pub(super) fn set_environment(&mut self, environment: Environment) {
        self.environment = environment;
    }

    /// The routing table, now and later.
    pub(super) fn table(&self) -> watch::Receiver<Arc<Table>> {
        self.table.subscribe()
    }

    /// The time of the last tick. After a stall of the process, the snapshot is outdated until the
    /// next one.
    pub(super) fn last_tick(&self) -> watch::Receiver<Instant> {
        self.last_tick.subscribe()
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// Sets the function that measures the load of this host.
    pub(super) fn set_load(&mut self, load: impl Fn() -> Load + Send + Sync + 'static) {
        self.self_report.load = Box::new(load);
    }

    /// The membership, now and later.
    pub(super) fn snapshots(&self) -> watch::Receiver<Arc<MembershipSnapshot>> {
        self.snapshots.subscribe()
    }

    /// Runs until `stop`, then reports that this host has left.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let heartbeats = self.bus.lane(Lane::Heartbeats);
        let control = self.bus.lane(Lane::Control);
        let subjects = self.subjects.clone();
        let mut received = InTurn::new([
            heartbeats.subscribe(&subjects.heartbeats).await,
            control.subscribe(&subjects.inventories).await,
            control.subscribe(&subjects.inventory_requests).await,
        ]);
        let mut status = heartbeats.status();
        self.on_status(&status.borrow_and_update().clone());
        let mut beat = ticks(HEARTBEAT_EVERY);
        let mut tick = ticks(TICK_EVERY);
        loop {
            tokio::select! {
                // Messages come last: a flood of them holds up nothing else.
                biased;
                () = stop.cancelled() => break,
                _ = beat.tick() => self.send_heartbeat(&heartbeats).await,
                _ = tick.tick() => self.on_tick(&control).await,
                Ok(()) = status.changed() => {
                    let status = status.borrow_and_update().clone();
                    self.on_status(&status);
                }
                Ok(()) = self.self_report.contents.changed() => {
                    self.publish_contents(&control).await;
                }
                Ok(()) = self.self_report.state.changed() => {
                    let state = *self.self_report.state.borrow_and_update();
                    self.membership.set_state(state);
                    self.send_heartbeat(&heartbeats).await;
                }
                bytes = received.next() => self.receive(&control, &bytes).await,
            }
        }
        self.membership.set_state(HostState::Left);
        self.send_heartbeat(&heartbeats).await;
        // A lost heartbeat is made up for by the failure detection of other hosts.
        let _ = heartbeats.flush().await;
    }

    async fn send_heartbeat(&mut self, heartbeats: &Bus) {
        let heartbeat = self
            .membership
            .heartbeat(self.environment.now_ms(), (self.self_report.load)());
        let message = Message::Heartbeat(heartbeat);
        self.send(heartbeats, &self.subjects.heartbeat, &message)
            .await;
    }

    async fn receive(&mut self, control: &Bus, bytes: &[u8]) {
        match self.membership.on_bytes(self.now(), bytes) {
            Ok(Some(_)) => self.publish_inventory(control).await,
            Ok(None) => {}
            Err(ignored) => tracing::debug!(?ignored, "ignored a message of another host"),
        }
    }

    fn on_status(&mut self, status: &Status) {
        let status = match status {
            _ if self.bus.is_alone() => BusStatus::Alone,
            Status::Connected { .. } => BusStatus::Connected,
            Status::Disconnected { .. } => BusStatus::Disconnected,
        };
        self.membership.on_bus(self.now(), status);
    }

    /// Advances the state machine, publishes its results, and requests missing inventories.
    async fn on_tick(&mut self, control: &Bus) {
        let now = self.now();
        self.last_tick.send_replace(Instant::now());
        for event in self.membership.tick(now) {
            self.reporter.report(self.membership.view(), &event);
        }
        if self.router.refresh(self.membership.view()) {
            self.table.send_replace(self.router.table());
        }
        let (view, pause) = (self.membership.view(), self.membership.placement_pause());
        self.snapshots.send_if_modified(|snapshot| {
            if snapshot.pause == pause && snapshot.view.revision() == view.revision() {
                return false;
            }
            *snapshot = Arc::new(MembershipSnapshot {
                view: view.clone(),
                pause,
                is_alone: snapshot.is_alone,
            });
            true
        });
        self.send_probes();
        for (host, request) in self.membership.inventory_requests(now) {
            if let Some(subject) = self.subjects.inventory_requests_of(host) {
                self.send(control, &subject, &Message::InventoryRequest(request))
                    .await;
            }
        }
    }

    /// Queues the probes that are due. A probe that finds the queue full is due again.
    fn send_probes(&self) {
        let Some(probes) = &self.probes else {
            return;
        };
        let view = self.membership.view();
        for probe in self.router.probes(self.now()) {
            // A dead host does not reply, and one that is back is probed at once.
            if view.host(probe.host()).is_some_and(HostView::is_alive) {
                let _ = probes.try_send(probe);
            }
        }
    }

    async fn publish_contents(&mut self, control: &Bus) {
        let contents = self.self_report.contents.borrow_and_update().clone();
        match self.membership.set_contents(contents) {
            Ok(Some(_)) => self.publish_inventory(control).await,
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the inventory of this host cannot be published"),
        }
    }

    async fn publish_inventory(&mut self, control: &Bus) {
        let inventory = Message::Inventory(self.membership.inventory());
        self.send(control, &self.subjects.inventory, &inventory)
            .await;
    }

    /// Sends a message. A lost one is requested or sent again.
    async fn send(&self, bus: &Bus, subject: &Subject, message: &Message) {
        let kind = message.kind().name();
        match message.encode(&self.lattice) {
            Ok(bytes) => {
                if let Err(error) = bus.publish(subject, None, Bytes::from(bytes)).await {
                    tracing::debug!(%error, kind, "a membership message was not sent");
                }
            }
            Err(error) => {
                tracing::error!(%error, kind, "a membership message cannot be encoded");
            }
        }
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Subscriptions that take turns, so that a flood of one kind of message does not hold up others.
struct InTurn<const N: usize> {
    subscriptions: [Subscription; N],
    first: usize,
}

impl<const N: usize> InTurn<N> {
    fn new(subscriptions: [Subscription; N]) -> Self {
        Self {
            subscriptions,
            first: 0,
        }
    }

    /// The next payload; pending forever once the bus is closed.
    async fn next(&mut self) -> Bytes {
        poll_fn(|context| {
            for turn in 0..N {
                let index = (self.first + turn) % N;
                let next = pin!(self.subscriptions[index].next_message()).poll(context);
                if let Poll::Ready(Some(message)) = next {
                    self.first = index + 1;
                    return Poll::Ready(message.payload);
                }
            }
            Poll::Pending
        })
        .await
    }
}
