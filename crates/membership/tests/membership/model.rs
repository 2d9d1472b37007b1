//! Comparison of membership with a model of a few lines: for any input both have the same hosts
//! alive.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use weft_membership::Moment;
use weft_membership::message::HostState;
use weft_membership::{DEAD_AFTER, Event, SETTLE_AFTER_RETURN, SETTLE_AFTER_START, STALL_MIN};

use weft_testkit::membership::{LocalHost, OWN, RemoteHost, config, contents, id};

const HOSTS: u8 = 4;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A heartbeat of a host arrives.
    Heartbeat(u8),
    /// A host restarts, and its heartbeat arrives.
    Restart(u8),
    /// A host publishes that it left; no-op before its first heartbeat.
    Leave(u8),
    /// The host's own bus is disconnected.
    Disconnect,
    /// The host's own bus is reconnected.
    Connect,
    /// Time passes, with ticks.
    Run(u64),
    /// Time passes without ticks.
    Pause(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..=HOSTS).prop_map(Step::Heartbeat),
        1 => (1..=HOSTS).prop_map(Step::Restart),
        1 => (1..=HOSTS).prop_map(Step::Leave),
        1 => Just(Step::Disconnect),
        2 => Just(Step::Connect),
        8 => (0..2_000_u64).prop_map(Step::Run),
        1 => (0..8_000_u64).prop_map(Step::Pause),
    ]
}

/// Arrival of the last heartbeat of each host, and the time from which silence counts.
#[derive(Default)]
struct Model {
    heard: BTreeMap<u8, Option<Moment>>,
    connected_once: bool,
    follows_from: Option<Moment>,
    /// Expected liveness of other hosts.
    alive: BTreeMap<u8, bool>,
}

impl Model {
    fn tick(&mut self, now: Moment) {
        if self.follows_from.is_none_or(|from| now < from) {
            return;
        }
        for (key, heard) in &mut self.heard {
            // Only a heartbeat ends death.
            *heard = heard.filter(|heard| now.since(*heard) < DEAD_AFTER);
            self.alive.insert(*key, heard.is_some());
        }
    }

    fn connect(&mut self, now: Moment) {
        let settle = if self.connected_once {
            SETTLE_AFTER_RETURN
        } else {
            SETTLE_AFTER_START
        };
        self.connected_once = true;
        self.follows_from.get_or_insert(now + settle);
    }
}

struct Run {
    local: LocalHost,
    senders: BTreeMap<u8, (u64, RemoteHost)>,
    model: Model,
}

impl Run {
    fn tick(&mut self) {
        self.local.tick();
        self.model.tick(self.local.now);
        let view = self.local.membership.view();
        let alive = view.hosts().filter(|host| host.id != id(OWN));
        let alive: BTreeMap<_, _> = alive
            .map(|host| (host.id.key()[0], host.is_alive()))
            .collect();
        assert_eq!(alive, self.model.alive, "at {}", self.local.now);
        assert!(view.placeable().all(|host| host.is_alive()));
        assert!(self.local.host(OWN).is_alive());
        let follows = self.local.membership.placement_pause().is_none();
        let expected = self.model.follows_from;
        assert_eq!(follows, expected.is_some_and(|from| from <= self.local.now));
    }

    fn receive_heartbeat(&mut self, key: u8) {
        let (_, sender) = &mut self.senders.get_mut(&key).expect("known host");
        self.local.receive_heartbeat(sender);
        let heard = self.model.heard.insert(key, Some(self.local.now));
        // A dead host without an inventory is forgotten soon, which the model does not know.
        if heard.is_none() {
            self.local.receive_inventory(sender.inventory());
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Heartbeat(key) => self.receive_heartbeat(key),
            Step::Restart(key) => {
                let (incarnation, sender) = self.senders.get_mut(&key).expect("known host");
                *incarnation += 1;
                *sender = RemoteHost::with(key, *incarnation, contents(&[], &[]));
                self.receive_heartbeat(key);
            }
            Step::Leave(key) if self.model.heard.contains_key(&key) => {
                let (_, sender) = self.senders.get_mut(&key).expect("known host");
                sender.set_state(HostState::Left);
                self.local.receive_heartbeat(sender);
                sender.set_state(HostState::Ready);
                self.model.heard.insert(key, None);
            }
            Step::Leave(_) => {}
            Step::Disconnect => {
                self.local.disconnect();
                self.model.follows_from = None;
            }
            Step::Connect => {
                self.local.connect();
                self.model.connect(self.local.now);
            }
            Step::Run(milliseconds) => {
                let tick = Duration::from_millis(250);
                let end = self.local.now + Duration::from_millis(milliseconds);
                while self.local.now < end {
                    self.local.now = end.min(self.local.now + tick);
                    self.tick();
                }
            }
            Step::Pause(milliseconds) => {
                let pause = Duration::from_millis(milliseconds);
                self.local.now = self.local.now + pause;
                if pause >= STALL_MIN && self.model.follows_from.is_some() {
                    self.model.follows_from = Some(self.local.now + SETTLE_AFTER_RETURN);
                }
            }
        }
        self.tick();
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn the_model_and_the_state_machine_agree_on_live_hosts(
        steps in prop::collection::vec(any_step(), 1..80),
    ) {
        let senders = (1..=HOSTS).map(|key| (key, (1, RemoteHost::new(key))));
        let mut run = Run {
            local: LocalHost::unconnected(contents(&[], &[])),
            senders: senders.collect(),
            model: Model::default(),
        };
        run.tick();
        for step in steps {
            run.step(step);
        }
        let thaws = run.local.events.iter().filter(|event| **event == Event::PlacementResumed);
        let freezes = run.local.events.iter().filter(|event| matches!(event, Event::PlacementPaused(_)));
        prop_assert!(thaws.count() <= freezes.count());
    }
}
