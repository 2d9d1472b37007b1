//! State of a network, and routing of messages through it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::faults::{Arrival, FaultPlan, HostNumber, Order, RandomSource};
use crate::inflight::{InflightRequests, Outcome};
use crate::queue::QueueSender;
use crate::{Gap, Message, Outage, Pattern, Scope, Status, Subject};

/// Decides whether a message from one host to another (by name) is delivered now that it arrives. A
/// refused message is lost. Called with the network locked, so it must not use the network.
pub type DeliveryFilter = Box<dyn FnMut(&str, &str, &Message) -> bool + Send>;

/// Number of subscriptions before the first sweep for dropped ones.
const SUBSCRIPTIONS_BEFORE_SWEEP: usize = 64;

pub(super) struct Router {
    pub(super) faults: FaultPlan,
    /// Notified when a message in transit may be due before all others.
    earlier_due: Arc<Notify>,
    endpoints: Vec<Endpoint>,
    subscriptions: Subscriptions,
    in_transit: BinaryHeap<Reverse<Transit>>,
    /// Due time of the last in-order message between two endpoints.
    last_due: HashMap<(usize, usize), Instant>,
    pub(super) delivery_filter: Option<DeliveryFilter>,
    /// Message counter, to keep messages with the same due time in order.
    sent: u64,
}

struct Endpoint {
    name: String,
    host: HostNumber,
    scope: Scope,
    status: watch::Sender<Status>,
    /// Connection counter; a message in transit is for one connection.
    generation: u64,
    inflight: InflightRequests,
}

#[derive(Default)]
struct Subscriptions {
    last_id: u64,
    all: BTreeMap<u64, SubscriptionEntry>,
    /// Subscriptions without a wildcard, by the text of their pattern.
    exact: HashMap<String, BTreeSet<u64>>,
    wildcard: BTreeSet<u64>,
    sweep_at: usize,
}

struct SubscriptionEntry {
    endpoint: usize,
    pattern: Pattern,
    sender: QueueSender,
}

/// One copy of a message in transit.
struct Transit {
    due: Instant,
    sequence: u64,
    from: usize,
    to: usize,
    generation: u64,
    target: Target,
    message: Message,
}

#[derive(Clone, Copy)]
enum Target {
    Subscription(u64),
    Request(u64),
}

impl Router {
    pub(super) fn new(random: RandomSource, earlier_due: Arc<Notify>) -> Self {
        Self {
            earlier_due,
            faults: FaultPlan::new(random),
            endpoints: Vec::new(),
            subscriptions: Subscriptions::default(),
            in_transit: BinaryHeap::new(),
            last_due: HashMap::new(),
            delivery_filter: None,
            sent: 0,
        }
    }

    pub(super) fn join(
        &mut self,
        name: &str,
        scope: &Scope,
        inflight: InflightRequests,
    ) -> (usize, watch::Receiver<Status>) {
        let since = Instant::now();
        let (status, receiver) = watch::channel(Status::Connected { since });
        self.endpoints.push(Endpoint {
            name: name.to_owned(),
            host: self.faults.number(name),
            scope: scope.clone(),
            status,
            generation: 1,
            inflight,
        });
        (self.endpoints.len() - 1, receiver)
    }

    pub(super) fn leave(&mut self, endpoint: usize) {
        self.disconnect(endpoint);
        self.endpoints[endpoint].inflight.fail_before(u64::MAX);
        for sender in self.subscriptions.remove_of(endpoint) {
            sender.end();
        }
    }

    pub(super) fn set_connected(&mut self, name: &str, is_connected: bool) {
        for endpoint in 0..self.endpoints.len() {
            let matches = self.endpoints[endpoint].name == name;
            if !matches || self.is_connected(endpoint) == is_connected {
                continue;
            }
            if is_connected {
                let since = Instant::now();
                let status = &self.endpoints[endpoint].status;
                status.send_replace(Status::Connected { since });
                self.subscriptions.push_gap(endpoint, Gap::Reconnected);
            } else {
                self.disconnect(endpoint);
            }
        }
    }

    pub(super) fn generation(&self, endpoint: usize) -> u64 {
        self.endpoints[endpoint].generation
    }

    /// The reply subject of an endpoint's request.
    pub(super) fn answer_subject(&self, endpoint: usize, number: u64) -> Subject {
        self.endpoints[endpoint]
            .scope
            .answer(&endpoint.to_string(), number)
    }

    pub(super) fn subscribe(&mut self, endpoint: usize, pattern: Pattern, sender: QueueSender) {
        self.subscriptions.add(SubscriptionEntry {
            endpoint,
            pattern,
            sender,
        });
    }

    /// Sends a message to all matching subscriptions; false if the publisher is disconnected.
    pub(super) fn publish(&mut self, from: usize, message: &Message) -> bool {
        if !self.is_connected(from) {
            return false;
        }
        let mut has_responder = false;
        for (id, to) in self.subscriptions.matching(&message.subject) {
            if self.can_reach(from, to) {
                has_responder = true;
                self.send(from, to, Target::Subscription(id), message);
            }
        }
        if let Some((to, number)) = self.requester(&message.subject) {
            has_responder = true;
            if self.can_reach(from, to) {
                self.send(from, to, Target::Request(number), message);
            }
        }
        if let (false, Some(reply)) = (has_responder, &message.reply) {
            self.report_no_responders(from, reply);
        }
        true
    }

    /// Delivers the messages that are due, and returns the next due time.
    pub(super) fn deliver_due(&mut self, now: Instant) -> Option<Instant> {
        while let Some(Reverse(next)) = self.in_transit.peek() {
            if next.due > now {
                return Some(next.due);
            }
            if let Some(Reverse(transit)) = self.in_transit.pop() {
                self.deliver(transit);
            }
        }
        // Nothing is in transit, so the order needs no more due times.
        self.last_due.clear();
        None
    }

    fn send(&mut self, from: usize, to: usize, target: Target, message: &Message) {
        let now = Instant::now();
        let hosts = (self.endpoints[from].host, self.endpoints[to].host);
        // Messages of a host to itself have no faults.
        let copies: Vec<_> = if from == to {
            vec![Arrival::IMMEDIATE]
        } else {
            self.faults.copies(hosts.0, hosts.1).collect()
        };
        for copy in copies {
            // While another message is in transit between the two, no in-order message is delivered
            // at once, even if the other is already due.
            let last = match copy.order {
                Order::Fifo => self.last_due.get(&(from, to)).copied(),
                Order::Any => None,
            };
            let due = (now + copy.delay).max(last.unwrap_or(now));
            self.sent += 1;
            let mut message = message.clone();
            // As over NATS: a reply subject of another lattice is dropped.
            let scope = &self.endpoints[to].scope;
            message.reply = message.reply.filter(|reply| scope.owns(reply));
            let transit = Transit {
                due,
                sequence: self.sent,
                from,
                to,
                generation: self.endpoints[to].generation,
                target,
                message,
            };
            if due <= now && last.is_none() {
                self.deliver(transit);
                continue;
            }
            if copy.order == Order::Fifo {
                self.last_due.insert((from, to), due);
            }
            self.in_transit.push(Reverse(transit));
            self.earlier_due.notify_one();
        }
    }

    fn deliver(&mut self, transit: Transit) {
        let is_same_connection = self.endpoints[transit.to].generation == transit.generation;
        if !is_same_connection || !self.can_reach(transit.from, transit.to) {
            return;
        }
        if let Some(filter) = &mut self.delivery_filter {
            let (from, to) = (&self.endpoints[transit.from], &self.endpoints[transit.to]);
            if !filter(&from.name, &to.name, &transit.message) {
                return;
            }
        }
        match transit.target {
            Target::Subscription(id) => {
                if let Some(entry) = self.subscriptions.all.get(&id) {
                    entry.sender.push(transit.message);
                }
            }
            Target::Request(number) => {
                let inflight = &self.endpoints[transit.to].inflight;
                inflight.resolve(number, Outcome::Answer(transit.message.payload));
            }
        }
    }

    /// Reports missing responders on the reply subject to the publisher alone, as a server does.
    /// Never in transit, because the report comes from the publisher's own server.
    fn report_no_responders(&mut self, publisher: usize, reply: &Subject) {
        match self.requester(reply) {
            Some((requester, number)) if requester == publisher => {
                let inflight = &self.endpoints[requester].inflight;
                inflight.resolve(number, Outcome::NoResponders);
            }
            _ => {
                for (id, endpoint) in self.subscriptions.matching(reply) {
                    if endpoint == publisher {
                        let entry = self.subscriptions.all.get(&id);
                        entry.inspect(|found| found.sender.push_no_responders(reply.clone()));
                    }
                }
            }
        }
    }

    /// The endpoint and request number of a reply subject.
    fn requester(&self, subject: &Subject) -> Option<(usize, u64)> {
        let (inbox, number) = subject.as_answer()?;
        let endpoint: usize = inbox.parse().ok()?;
        let is_own = self.endpoints.get(endpoint)?.scope.owns(subject);
        is_own.then_some((endpoint, number))
    }

    fn can_reach(&self, from: usize, to: usize) -> bool {
        let hosts = (self.endpoints[from].host, self.endpoints[to].host);
        let are_connected = from == to || self.faults.are_connected(hosts.0, hosts.1);
        are_connected && self.is_connected(to)
    }

    fn is_connected(&self, endpoint: usize) -> bool {
        self.endpoints[endpoint].status.borrow().is_connected()
    }

    fn disconnect(&mut self, endpoint: usize) {
        let endpoint = &mut self.endpoints[endpoint];
        endpoint.generation += 1;
        endpoint.inflight.fail_before(endpoint.generation);
        endpoint.status.send_replace(Status::Disconnected {
            since: Instant::now(),
            reason: Some(Outage::in_process("disconnected by the test")),
        });
    }
}

impl Subscriptions {
    fn add(&mut self, entry: SubscriptionEntry) {
        if self.all.len() >= self.sweep_at.max(SUBSCRIPTIONS_BEFORE_SWEEP) {
            self.remove_if(|entry| entry.sender.is_unsubscribed());
            // Twice the remaining number, which spreads the cost of a sweep over as many new
            // subscriptions.
            self.sweep_at = self.all.len() * 2;
        }
        self.last_id += 1;
        let text = entry.pattern.as_str();
        if entry.pattern.has_wildcard() {
            self.wildcard.insert(self.last_id);
        } else {
            self.exact
                .entry(text.to_owned())
                .or_default()
                .insert(self.last_id);
        }
        self.all.insert(self.last_id, entry);
    }

    /// The matching subscriptions that were not dropped, oldest first, with their endpoints.
    fn matching(&self, subject: &Subject) -> Vec<(u64, usize)> {
        let exact = self.exact.get(subject.as_str()).into_iter().flatten();
        let wildcard = self.wildcard.iter().filter(|id| {
            let entry = self.all.get(id);
            entry.is_some_and(|entry| entry.pattern.matches(subject))
        });
        let mut ids: Vec<u64> = exact.chain(wildcard).copied().collect();
        ids.sort_unstable();
        let subscribed = ids.into_iter().filter_map(|id| {
            let entry = self.all.get(&id)?;
            (!entry.sender.is_unsubscribed()).then_some((id, entry.endpoint))
        });
        subscribed.collect()
    }

    fn push_gap(&self, endpoint: usize, gap: Gap) {
        let of_endpoint = self.all.values().filter(|each| each.endpoint == endpoint);
        for entry in of_endpoint {
            entry.sender.push_gap(gap);
        }
    }

    fn remove_of(&mut self, endpoint: usize) -> Vec<QueueSender> {
        self.remove_if(|entry| entry.endpoint == endpoint)
    }

    fn remove_if(&mut self, matches: impl Fn(&SubscriptionEntry) -> bool) -> Vec<QueueSender> {
        let matching = self.all.extract_if(.., |_, entry| matches(entry));
        let removed: Vec<(u64, SubscriptionEntry)> = matching.collect();
        for (id, entry) in &removed {
            self.wildcard.remove(id);
            let text = entry.pattern.as_str();
            if let Some(ids) = self.exact.get_mut(text) {
                ids.remove(id);
                if ids.is_empty() {
                    self.exact.remove(text);
                }
            }
        }
        removed.into_iter().map(|(_, entry)| entry.sender).collect()
    }
}

// === delivery order ===

impl Transit {
    fn order(&self) -> (Instant, u64) {
        (self.due, self.sequence)
    }
}

impl PartialEq for Transit {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Transit {}

impl PartialOrd for Transit {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Transit {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}
