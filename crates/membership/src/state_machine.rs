//! State machine of membership: messages and time in, a view and its changes out.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use weft_wire::EncodeError;

use super::connection::{BusStatus, Connection, PlacementPause};
use super::event::{self, Change, Event};
use super::host_id::HostId;
use super::member::Member;
use super::message::{Contents, Heartbeat, HostState, Inventory, InventoryRequest, Load, Message};
use super::rejected::{Rejection, RejectionCounts};
use super::self_state::{Identity, SelfState};
use super::timing::{
    DEAD_HOSTS_MAX, HOSTED_COMPONENTS_MAX, HOSTS_MAX, INVENTORY_REQUESTS_MAX, REFUTATIONS_MAX,
    STALL_MIN,
};
use super::view::{HostView, View};
use crate::Moment;

/// A host's membership of its lattice.
///
/// Messages and the status of the host's own bus are applied as they occur; [`tick`](Self::tick)
/// updates the view, every [`TICK_EVERY`](super::TICK_EVERY). `now` is the host's own time and
/// never runs backwards. Memory is bounded for any input.
///
/// ```
/// use std::time::Duration;
/// use weft_membership::Moment;
/// use weft_membership::message::{Contents, HostState, Load};
/// use weft_membership::{BusStatus, HostId, Identity, Liveness, Membership};
///
/// let identity = |key| Identity {
///     lattice: "demo".to_owned(),
///     host: HostId::from_key([key; 32]),
///     incarnation: 1,
/// };
/// let mut own = Membership::new(identity(1), Contents::default())?;
/// let mut other = Membership::new(identity(2), Contents::default())?;
/// other.set_state(HostState::Ready);
/// own.on_bus(Moment::START, BusStatus::Connected);
///
/// // The other host sends heartbeats for four seconds, and then stops.
/// let mut now = Moment::START;
/// for quarter in 0..40 {
///     if quarter % 4 == 0 && quarter < 16 {
///         own.on_heartbeat(now, other.heartbeat(0, Load::default()))?;
///     }
///     own.tick(now);
///     now = now + Duration::from_millis(250);
/// }
/// let seen = own.view().host(HostId::from_key([2; 32]));
/// assert_eq!(seen.map(|host| host.liveness), Some(Liveness::Dead));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Membership {
    own: SelfState,
    connection: Connection,
    /// Time of the last activity; a long gap means that the host was stalled.
    last_active: Moment,
    members: BTreeMap<HostId, Member>,
    /// Number of components over the inventories of all members.
    hosted_components: usize,
    /// As of the last tick in which the view was not frozen.
    view: View,
    reported_pause: Option<PlacementPause>,
    supersession: Supersession,
    /// The latest incarnation of this host that another host knows, if this one is not later.
    outdated_by: Option<u64>,
    /// Increases with every change of an incarnation.
    incarnations_revision: u64,
    rejections: RejectionCounts,
}

/// The relation of this process to others with the same identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supersession {
    /// No process with a later incarnation was heard. Next: `Heard`.
    None,
    /// A process with this later incarnation was heard. Next: `Reported`, at the next tick.
    Heard(u64),
    /// It was reported. Final: this process has to end.
    Reported,
}

impl Membership {
    /// A starting host with an initial inventory, in state `Joining` and with an empty view of
    /// others.
    ///
    /// # Errors
    /// If the inventory is over a limit.
    pub fn new(identity: Identity, contents: Contents) -> Result<Self, EncodeError> {
        let own = SelfState::new(identity, contents)?;
        let pause = Connection::Unconnected.placement_pause();
        let mut view = View::default();
        view.hosts
            .insert(own.identity.host, own.view(Moment::START, pause));
        Ok(Self {
            own,
            connection: Connection::Unconnected,
            last_active: Moment::START,
            members: BTreeMap::new(),
            hosted_components: 0,
            view,
            reported_pause: pause,
            supersession: Supersession::None,
            outdated_by: None,
            incarnations_revision: 0,
            rejections: RejectionCounts::default(),
        })
    }

    // === input ===

    /// Applies an encoded message. An inventory request is returned, for the caller to answer with
    /// [`inventory`](Self::inventory). One from this host's own identity was sent by another
    /// process: a process sends none to itself.
    ///
    /// # Errors
    /// The reason if the message is rejected, which is also counted.
    pub fn on_bytes(
        &mut self,
        now: Moment,
        bytes: &[u8],
    ) -> Result<Option<InventoryRequest>, Rejection> {
        self.on_time(now);
        let message = Message::decode(bytes, &self.own.identity.lattice);
        match message.map_err(|error| self.count(Rejection::from(&error)))? {
            Message::Heartbeat(heartbeat) => self.on_heartbeat(now, heartbeat).map(|()| None),
            Message::Inventory(inventory) => self.on_inventory(now, inventory).map(|()| None),
            Message::InventoryRequest(request) => Ok(Some(request)),
        }
    }

    /// Applies a heartbeat.
    ///
    /// # Errors
    /// The reason if the heartbeat is rejected, which is also counted.
    pub fn on_heartbeat(&mut self, now: Moment, heartbeat: Heartbeat) -> Result<(), Rejection> {
        self.on_time(now);
        let origin = heartbeat.origin;
        if origin.host == self.own.identity.host
            && origin.order() > self.own.last_order()
            && self.supersession == Supersession::None
        {
            self.supersession = Supersession::Heard(origin.incarnation);
        }
        self.reject_own(origin.host)?;
        self.make_room(origin.host)?;
        let result = match self.members.entry(origin.host) {
            Entry::Vacant(entry) => {
                entry.insert(Member::new(now, heartbeat));
                self.incarnations_revision += 1;
                Ok(())
            }
            Entry::Occupied(mut entry) => {
                let before = entry.get().hosted_components();
                let incarnation = entry.get().incarnation();
                let result = entry.get_mut().on_heartbeat(now, heartbeat);
                self.incarnations_revision += u64::from(entry.get().incarnation() != incarnation);
                // A restarted host begins without an inventory.
                self.hosted_components =
                    self.hosted_components - before + entry.get().hosted_components();
                result
            }
        };
        result.map_err(|reason| self.count(reason))
    }

    /// Applies an encoded refutation: the last heartbeat of this host that another host knows. One
    /// that is later than all that this process sent was sent by another process, earlier or now.
    ///
    /// # Errors
    /// The reason if the refutation is rejected, which is also counted.
    pub fn on_refutation(&mut self, now: Moment, bytes: &[u8]) -> Result<(), Rejection> {
        self.on_time(now);
        let message = Message::decode(bytes, &self.own.identity.lattice);
        let message = message.map_err(|error| self.count(Rejection::from(&error)))?;
        let Message::Heartbeat(Heartbeat { origin, .. }) = message else {
            return Err(self.count(Rejection::Kind));
        };
        if origin.host != self.own.identity.host {
            return Err(self.count(Rejection::Malformed));
        }
        if origin.order() <= self.own.last_order() {
            return Err(self.count(Rejection::Replayed));
        }
        self.outdated_by = self.outdated_by.max(Some(origin.incarnation));
        Ok(())
    }

    /// Applies an inventory.
    ///
    /// # Errors
    /// The reason if the inventory is rejected, which is also counted.
    pub fn on_inventory(&mut self, now: Moment, inventory: Inventory) -> Result<(), Rejection> {
        self.on_time(now);
        let host = inventory.origin.host;
        self.reject_own(host)?;
        let result = self.take_inventory(now, inventory);
        result.map_err(|reason| self.count(reason))
    }

    /// Applies the status of the host's own bus.
    pub fn on_bus(&mut self, now: Moment, status: BusStatus) {
        self.on_time(now);
        self.connection.on_bus(now, status);
        if status == BusStatus::Alone {
            // Placement never was paused, so its resumption is not an event.
            self.reported_pause = None;
        }
    }

    // === output ===

    /// Sets the state that heartbeats publish. While the view is frozen, `Ready` is published as
    /// `Frozen`.
    pub fn set_state(&mut self, state: HostState) {
        self.own.state = state;
    }

    /// Replaces the contents of the inventory. If they differ, returns the new inventory for
    /// publication.
    ///
    /// # Errors
    /// If the contents are over a limit; the old inventory then stays.
    pub fn set_contents(&mut self, contents: Contents) -> Result<Option<Inventory>, EncodeError> {
        let changed = self.own.set_contents(contents)?;
        Ok(changed.then(|| self.own.inventory()))
    }

    /// Returns the next heartbeat, with the wall clock for display; due every
    /// [`HEARTBEAT_EVERY`](super::HEARTBEAT_EVERY).
    pub fn heartbeat(&mut self, sent_ms: u64, load: Load) -> Heartbeat {
        self.own
            .heartbeat(self.connection.placement_pause(), sent_ms, load)
    }

    /// The current inventory, for publication and for requests.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        self.own.inventory()
    }

    /// Returns the due inventory requests and their hosts, at most [`INVENTORY_REQUESTS_MAX`] at
    /// once, and records them as sent.
    pub fn inventory_requests(&mut self, now: Moment) -> Vec<(HostId, InventoryRequest)> {
        self.on_time(now);
        if !self.connection.is_connected() {
            return Vec::new();
        }
        let members = self.members.iter_mut();
        let due = members
            .filter_map(|(host, member)| member.take_inventory_request(now).then_some(*host));
        let hosts: Vec<_> = due.take(INVENTORY_REQUESTS_MAX).collect();
        let with_request = |host| (host, self.own.inventory_request());
        hosts.into_iter().map(with_request).collect()
    }

    /// Returns the due refutations and their hosts, at most [`REFUTATIONS_MAX`] at once, and
    /// records them as sent. A refutation is the last heartbeat that is known of a host, for the
    /// process of it that sends earlier ones.
    pub fn refutations(&mut self, now: Moment) -> Vec<(HostId, Heartbeat)> {
        self.on_time(now);
        if !self.connection.is_connected() {
            return Vec::new();
        }
        let members = self.members.iter_mut();
        let due = members.filter_map(|(host, member)| Some((*host, member.take_refutation(now)?)));
        due.take(REFUTATIONS_MAX).collect()
    }

    /// Moves this process to another incarnation, which has to be larger than all known ones of its
    /// host. The caller then publishes a heartbeat and the inventory.
    pub fn set_incarnation(&mut self, incarnation: u64) {
        self.own.identity.incarnation = incarnation;
        self.outdated_by = self.outdated_by.filter(|known| *known >= incarnation);
        self.incarnations_revision += 1;
    }

    // === view ===

    /// Updates the view from the messages and the time that passed, and returns the changes. While
    /// the view is frozen, only the entry of this host changes.
    pub fn tick(&mut self, now: Moment) -> Vec<Event> {
        self.on_time(now);
        let mut events = Vec::new();
        self.report_identity(&mut events);
        self.report_pause(&mut events);
        let mut differs =
            self.update_host(self.own.view(now, self.connection.placement_pause()), None);
        if self.connection == Connection::Settled {
            self.members
                .values_mut()
                .for_each(|member| member.on_time(now));
            differs |= self.forget(now, &mut events);
            differs |= self.update_members(now, &mut events);
        }
        self.view.revision += u64::from(differs);
        events
    }

    /// The view of the lattice, including this host.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The reason why the view is frozen, and placement paused; `None` if it is not.
    #[must_use]
    pub fn placement_pause(&self) -> Option<PlacementPause> {
        self.connection.placement_pause()
    }

    /// This host.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.own.identity
    }

    /// The incarnation of each known host by its last heartbeat, this host included. Other than the
    /// view, it follows the messages at once and is never frozen.
    pub fn incarnations(&self) -> impl Iterator<Item = (HostId, u64)> {
        let Identity {
            host, incarnation, ..
        } = self.own.identity;
        let members = self.members.iter();
        let members = members.map(|(host, member)| (*host, member.incarnation()));
        members.chain([(host, incarnation)])
    }

    /// Increases with every change of [`incarnations`](Self::incarnations).
    #[must_use]
    pub fn incarnations_revision(&self) -> u64 {
        self.incarnations_revision
    }

    /// Number of rejected messages by reason.
    #[must_use]
    pub fn rejections(&self) -> &RejectionCounts {
        &self.rejections
    }

    // === helpers ===

    /// Detects a stall of this host, before messages that arrived meanwhile are applied.
    fn on_time(&mut self, now: Moment) {
        if now.since(self.last_active) >= STALL_MIN {
            self.connection.on_stall(now);
        }
        self.last_active = self.last_active.max(now);
        self.connection.on_time(now);
    }

    fn reject_own(&mut self, host: HostId) -> Result<(), Rejection> {
        if host == self.own.identity.host {
            return Err(self.count(Rejection::Own));
        }
        Ok(())
    }

    /// Makes room for one more host by removing a dead one.
    fn make_room(&mut self, host: HostId) -> Result<(), Rejection> {
        if self.members.len() < HOSTS_MAX || self.members.contains_key(&host) {
            return Ok(());
        }
        match self.dead().into_iter().min() {
            None => Err(self.count(Rejection::Full)),
            Some((_, first)) => {
                self.remove(first);
                Ok(())
            }
        }
    }

    /// The dead hosts, each with its place in the order of removals.
    fn dead(&self) -> Vec<((bool, Moment), HostId)> {
        let members = self.members.iter();
        let dead = members.filter_map(|(host, member)| Some((member.removal_order()?, *host)));
        dead.collect()
    }

    fn take_inventory(&mut self, now: Moment, inventory: Inventory) -> Result<(), Rejection> {
        let host = inventory.origin.host;
        let member = self.members.get_mut(&host).ok_or(Rejection::Early)?;
        let before = member.hosted_components();
        let hosted_components =
            self.hosted_components - before + inventory.contents.components.len();
        if hosted_components > HOSTED_COMPONENTS_MAX {
            return Err(Rejection::Full);
        }
        let hash = inventory
            .contents
            .hash()
            .map_err(|_| Rejection::Malformed)?;
        member.on_inventory(now, inventory, hash)?;
        self.hosted_components = hosted_components;
        Ok(())
    }

    /// Reports other processes with this host's identity. A host that other hosts know in a later
    /// incarnation listens first, until its view is not frozen: if the process of that incarnation
    /// still runs, its heartbeats arrive by then.
    fn report_identity(&mut self, events: &mut Vec<Event>) {
        match self.supersession {
            Supersession::None => {
                if self.connection == Connection::Settled
                    && let Some(incarnation) = self.outdated_by.take()
                {
                    events.push(Event::Outdated { incarnation });
                }
            }
            Supersession::Heard(incarnation) => {
                self.supersession = Supersession::Reported;
                events.push(Event::Superseded { incarnation });
            }
            Supersession::Reported => {}
        }
    }

    fn report_pause(&mut self, events: &mut Vec<Event>) {
        let pause = self.connection.placement_pause();
        if pause != self.reported_pause {
            events.push(pause.map_or(Event::PlacementResumed, Event::PlacementPaused));
            self.reported_pause = pause;
        }
    }

    /// Removes hosts that are dead for too long, and dead hosts beyond [`DEAD_HOSTS_MAX`]. Returns
    /// whether there were any.
    fn forget(&mut self, now: Moment, events: &mut Vec<Event>) -> bool {
        let members = self.members.iter();
        let expired = members.filter(|(_, member)| member.is_expired(now));
        let expired: Vec<_> = expired.map(|(host, _)| *host).collect();
        for host in &expired {
            self.remove(*host);
        }
        let mut dead = self.dead();
        if dead.len() > DEAD_HOSTS_MAX {
            dead.sort_unstable();
            for (_, host) in &dead[..dead.len() - DEAD_HOSTS_MAX] {
                self.remove(*host);
            }
        }
        // Includes hosts whose record was removed earlier to make room.
        let (members, own) = (&self.members, self.own.identity.host);
        let hosts = self.view.hosts.keys();
        let removed = hosts.filter(|host| **host != own && !members.contains_key(host));
        let removed: Vec<_> = removed.copied().collect();
        for host in &removed {
            self.view.hosts.remove(host);
            let (host, change) = (*host, Change::Forgotten);
            events.push(Event::Host { host, change });
        }
        !removed.is_empty()
    }

    fn remove(&mut self, host: HostId) {
        if let Some(member) = self.members.remove(&host) {
            self.incarnations_revision += 1;
            self.hosted_components -= member.hosted_components();
        }
    }

    /// Updates all members in the view, and returns whether anything but loads and times differs.
    fn update_members(&mut self, now: Moment, events: &mut Vec<Event>) -> bool {
        let members = self.members.values();
        let views: Vec<_> = members.map(|member| member.view(now)).collect();
        let mut differs = false;
        for view in views {
            differs |= self.update_host(view, Some(events));
        }
        differs
    }

    /// Updates one host in the view, and returns whether anything but loads and times differs.
    fn update_host(&mut self, later: HostView, events: Option<&mut Vec<Event>>) -> bool {
        let earlier = self.view.hosts.get(&later.id);
        let differs = earlier.is_none_or(|earlier| later.differs_from(earlier));
        if let Some(events) = events
            && differs
        {
            event::changes(earlier, &later, events);
        }
        self.view.hosts.insert(later.id, later);
        differs
    }

    fn count(&mut self, reason: Rejection) -> Rejection {
        self.rejections.add(reason);
        reason
    }
}
