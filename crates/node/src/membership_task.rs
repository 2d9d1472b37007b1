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
use weft_bus::{Bus, Lane, PublishError, Status, Subject, SubjectError, Subscription};
use weft_membership::Moment;
use weft_membership::message::{Contents, HostState, Load, Message};
use weft_membership::routing::{Probe, Router, Table};
use weft_membership::{
    BusStatus, Event, HEARTBEAT_EVERY, HostView, Membership, PlacementPause, TICK_EVERY, View,
};
use weft_telemetry::events::Events;

use crate::clock::Clock;
use crate::environment::Environment;
use crate::event_reporter::MembershipReporter;
use crate::health_probe::PROBES_WAITING_MAX;
use crate::subjects::{Incarnations, Subjects};

/// The place of the subscription to refutations among those of the task.
const REFUTATIONS: usize = 3;

/// The contents of this host's own heartbeats and inventories.
pub(super) struct SelfReport {
    pub(super) contents: watch::Receiver<Contents>,
    pub(super) state: watch::Receiver<HostState>,
    pub(super) load: Box<dyn Fn() -> Load + Send + Sync>,
}

/// The membership as of the last tick.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// The time of the current connection, if there is one.
    connected_since: Option<Instant>,
    subjects: Subjects,
    self_report: SelfReport,
    clock: Clock,
    router: Router,
    snapshots: watch::Sender<Arc<MembershipSnapshot>>,
    table: watch::Sender<Arc<Table>>,
    /// The incarnation of this process.
    incarnation: watch::Sender<u64>,
    /// The incarnation of each host, with the revision of the membership's ones.
    incarnations: (watch::Sender<Arc<Incarnations>>, u64),
    /// The latest incarnation of this host that another host knows, if this one is not later.
    outdated_by: watch::Sender<u64>,
    /// The later incarnation of another process with this host's identity.
    superseded_by: watch::Sender<Option<u64>>,
    /// The time of the last tick.
    last_tick: watch::Sender<Instant>,
    reporter: MembershipReporter,
    /// The queue of the health probe; `None` if it was not started.
    probes: Option<mpsc::Sender<Probe>>,
    environment: Environment,
}

impl MembershipTask {
    /// A task that has not started.
    ///
    /// # Errors
    /// If the lattice's name leaves no room for the subjects.
    pub(super) fn new(
        mut membership: Membership,
        bus: Bus,
        self_report: SelfReport,
        events: Events,
    ) -> Result<Self, SubjectError> {
        if bus.is_alone() {
            membership.on_bus(Moment::START, BusStatus::Alone);
        }
        let (me, incarnation) = {
            let identity = membership.identity();
            (identity.host, identity.incarnation)
        };
        let incarnations = watch::Sender::new(Arc::new(membership.incarnations().collect()));
        let subjects = Subjects::new(bus.scope(), me, incarnations.subscribe())?;
        subjects.of_process(u64::MAX)?;
        let router = Router::new(membership.identity().host);
        let snapshot = MembershipSnapshot {
            view: membership.view().clone(),
            pause: membership.placement_pause(),
            is_alone: bus.is_alone(),
        };
        Ok(Self {
            lattice: membership.identity().lattice.clone(),
            incarnations: (incarnations, membership.incarnations_revision()),
            incarnation: watch::Sender::new(incarnation),
            outdated_by: watch::Sender::new(0),
            superseded_by: watch::Sender::new(None),
            membership,
            bus,
            connected_since: None,
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
        })
    }

    pub(super) fn subjects(&self) -> Subjects {
        self.subjects.clone()
    }

    /// The incarnation of this process. A new one is published by the next heartbeat, at once.
    pub(super) fn incarnation(&self) -> watch::Sender<u64> {
        self.incarnation.clone()
    }

    /// The latest incarnation of this host that another host knows, if this one is not later.
    pub(super) fn outdated_by(&self) -> watch::Receiver<u64> {
        self.outdated_by.subscribe()
    }

    /// The later incarnation of another process with this host's identity.
    pub(super) fn superseded_by(&self) -> watch::Receiver<Option<u64>> {
        self.superseded_by.subscribe()
    }

    /// Moves to a larger incarnation, before or after the start of the task.
    pub(super) fn set_incarnation(&mut self, incarnation: u64) {
        self.membership.set_incarnation(incarnation);
        self.incarnation.send_replace(incarnation);
        self.publish_incarnations();
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
            control.subscribe(&subjects.refutations).await,
        ]);
        let mut incarnation = self.incarnation.subscribe();
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
                _ = tick.tick() => self.on_tick(&control, &heartbeats).await,
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
                Ok(()) = incarnation.changed() => {
                    let incarnation = *incarnation.borrow_and_update();
                    self.membership.set_incarnation(incarnation);
                    self.publish_incarnations();
                    self.send_heartbeat(&heartbeats).await;
                    self.publish_inventory(&control).await;
                }
                (source, message) = received.next() => {
                    self.receive(&control, source, message).await;
                    self.publish_incarnations();
                }
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

    async fn receive(&mut self, control: &Bus, source: usize, message: weft_bus::Message) {
        let (now, bytes) = (self.now(), &message.payload);
        let received = match source {
            REFUTATIONS => self.membership.on_refutation(now, bytes).map(|()| None),
            _ => self.membership.on_bytes(now, bytes),
        };
        match (received, message.reply) {
            // A process with this host's identity is about to start.
            (Ok(Some(_)), Some(reply)) => {
                let inventory = Message::Inventory(self.membership.inventory());
                self.send(control, &reply, &inventory).await;
            }
            (Ok(Some(_)), None) => self.publish_inventory(control).await,
            (Ok(None), _) => {}
            (Err(ignored), _) => tracing::debug!(?ignored, "ignored a message of another host"),
        }
    }

    /// Publishes the incarnations of all hosts, if one has changed.
    fn publish_incarnations(&mut self) {
        let revision = self.membership.incarnations_revision();
        let (incarnations, published) = &mut self.incarnations;
        if *published != revision {
            *published = revision;
            incarnations.send_replace(Arc::new(self.membership.incarnations().collect()));
        }
    }

    fn on_status(&mut self, status: &Status) {
        let status = match status {
            _ if self.bus.is_alone() => BusStatus::Alone,
            Status::Connected { since } => {
                // A loss and the return after it may be received as one change.
                let known = self.connected_since.replace(*since);
                if known.is_some_and(|known| known != *since) {
                    self.membership.on_bus(self.now(), BusStatus::Disconnected);
                }
                BusStatus::Connected
            }
            Status::Disconnected { .. } => {
                self.connected_since = None;
                BusStatus::Disconnected
            }
        };
        self.membership.on_bus(self.now(), status);
    }

    /// Advances the state machine, publishes its results, and requests missing inventories.
    async fn on_tick(&mut self, control: &Bus, heartbeats: &Bus) {
        let now = self.now();
        let mut has_resumed = false;
        self.last_tick.send_replace(Instant::now());
        for event in self.membership.tick(now) {
            self.reporter.report(self.membership.view(), &event);
            match event {
                Event::Superseded { incarnation } => {
                    self.superseded_by.send_replace(Some(incarnation));
                }
                Event::Outdated { incarnation } => {
                    self.outdated_by.send_replace(incarnation);
                }
                Event::PlacementResumed => has_resumed = true,
                Event::Host { .. } | Event::PlacementPaused(_) => {}
            }
        }
        self.publish_incarnations();
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
        for (host, heartbeat) in self.membership.refutations(now) {
            if let Some(subject) = self.subjects.refutations_of(host) {
                let refutation = Message::Heartbeat(heartbeat);
                self.send(control, &subject, &refutation).await;
            }
        }
        for (host, request) in self.membership.inventory_requests(now) {
            if let Some(subject) = self.subjects.inventory_requests_of(host) {
                self.send(control, &subject, &Message::InventoryRequest(request))
                    .await;
            }
        }
        if has_resumed {
            // For other hosts this one is frozen until they receive a heartbeat.
            self.send_heartbeat(heartbeats).await;
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
            Ok(bytes) => match bus.publish(subject, None, Bytes::from(bytes)).await {
                Ok(()) => {}
                Err(error @ PublishError::TooLarge { .. }) => tracing::error!(
                    %error,
                    kind,
                    "other hosts do not see what this host runs: the message exceeds the \
                     `max_payload` of the NATS server"
                ),
                Err(error) => {
                    tracing::debug!(%error, kind, "a membership message was not sent");
                }
            },
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

    /// The next message, with the place of its subscription; pending forever once the bus is
    /// closed.
    async fn next(&mut self) -> (usize, weft_bus::Message) {
        poll_fn(|context| {
            for turn in 0..N {
                let index = (self.first + turn) % N;
                let next = pin!(self.subscriptions[index].next_message()).poll(context);
                if let Poll::Ready(Some(message)) = next {
                    self.first = index + 1;
                    return Poll::Ready((index, message));
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{TestLattice, wait_for};

    #[tokio::test(start_paused = true)]
    async fn others_do_not_show_a_host_as_frozen_once_its_placement_resumes() {
        let lattice = TestLattice::new();
        let [a, b] = lattice.hosts(["a", "b"]).await;
        let names = ["a", "b"];
        for name in names {
            lattice.network.disconnect(name);
        }
        for host in [&a, &b] {
            wait_for(&host.joined.membership, |it| it.pause.is_some()).await;
        }
        for name in names {
            lattice.network.connect(name);
        }
        wait_for(&b.joined.membership, |it| it.pause.is_none()).await;
        let resumed = Instant::now();
        wait_for(&a.joined.membership, |it| {
            let other = it.view.host(b.id);
            it.pause.is_none() && other.is_some_and(|other| other.state == HostState::Ready)
        })
        .await;
        let (elapsed, bound) = (resumed.elapsed(), TICK_EVERY * 2);
        assert!(elapsed <= bound, "{elapsed:?}");
    }
}
