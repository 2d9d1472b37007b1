//! Lattices for routing tests: views of hosts with labels and components.

use std::sync::Arc;
use std::time::Duration;

use weft_membership::HostId;
use weft_membership::message::{Contents, HostState, Load};
use weft_membership::routing::{Attempt, Call, Candidates, Decision, Repeat, Route, Router};
use weft_membership::{Moment, Random};

use weft_testkit::membership::{LocalHost, OWN, RemoteHost, component, contents, id};

/// The called component.
pub(crate) const TARGET: &str = "cart";

pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

/// A host with the target.
pub(crate) struct Replica {
    pub(crate) key: u8,
    pub(crate) labels: Vec<(&'static str, &'static str)>,
    pub(crate) load: Load,
    pub(crate) state: HostState,
}

/// A replica without labels.
pub(crate) fn replica(key: u8) -> Replica {
    Replica {
        key,
        labels: Vec::new(),
        load: Load {
            running: 0,
            limit: 100,
        },
        state: HostState::Ready,
    }
}

pub(crate) fn replicas(count: u8) -> Vec<Replica> {
    (1..=count).map(replica).collect()
}

/// A membership with a router, and the replicas as remote hosts.
pub(crate) struct Rig {
    pub(crate) local: LocalHost,
    pub(crate) senders: Vec<RemoteHost>,
    pub(crate) router: Router,
    seed: u64,
}

impl Rig {
    /// A host without components, and these replicas.
    pub(crate) fn new(replicas: &[Replica]) -> Self {
        Self::with_own(Contents::default(), replicas)
    }

    pub(crate) fn with_own(own: Contents, replicas: &[Replica]) -> Self {
        let mut local = LocalHost::settled();
        let news = local.membership.set_contents(own);
        news.expect("within limits");
        let mut rig = Self {
            local,
            senders: Vec::new(),
            router: Router::new(id(OWN)),
            seed: 0,
        };
        for replica in replicas {
            rig.add_replica(replica);
        }
        rig.refresh();
        rig
    }

    /// Receives the heartbeat and the inventory of a replica.
    pub(crate) fn add_replica(&mut self, replica: &Replica) {
        let has = contents(&replica.labels, &[TARGET]);
        let mut sender = RemoteHost::with(replica.key, 1, has);
        sender.load = replica.load;
        sender.set_state(replica.state);
        self.local.receive_heartbeat(&mut sender);
        self.local.receive_inventory(sender.inventory());
        self.senders.push(sender);
    }

    /// Ticks, and updates the router.
    pub(crate) fn refresh(&mut self) -> bool {
        self.local.tick();
        self.router.refresh(self.local.membership.view())
    }

    pub(crate) fn now(&self) -> Moment {
        self.local.now
    }

    /// Advances the clock by seconds with heartbeats of the replicas at these indices.
    pub(crate) fn run(&mut self, seconds: u64, heard: &[usize]) {
        for _ in 0..seconds {
            for index in heard {
                self.local.receive_heartbeat(&mut self.senders[*index]);
            }
            self.local.run(Duration::from_secs(1));
            self.refresh();
        }
    }

    pub(crate) fn candidates(&self) -> Arc<Candidates> {
        let table = self.router.table();
        table
            .any(&component(TARGET))
            .expect("a host has it")
            .clone()
    }

    pub(crate) fn route(&mut self, repeat: Repeat) -> Route {
        self.seed += 1;
        let deadline = self.now() + DEADLINE;
        let call = Call { deadline, repeat };
        Route::new(self.candidates(), call, Random::from_seed(self.seed))
    }

    /// The routes of this number of unanswered calls, and the number of calls per host.
    pub(crate) fn spread(&mut self, calls: usize) -> (Vec<Route>, Vec<usize>) {
        let keys: Vec<_> = self.candidates().hosts().collect();
        let mut counts = vec![0; keys.len()];
        let routes = (0..calls).map(|_| {
            let mut route = self.route(Repeat::Never);
            let host = sent(route.next(self.now())).host;
            let index = keys.iter().position(|key| *key == host);
            counts[index.expect("a candidate")] += 1;
            route
        });
        (routes.collect(), counts)
    }
}

#[track_caller]
pub(crate) fn sent(decision: Decision) -> Attempt {
    match decision {
        Decision::Send(attempt) => attempt,
        Decision::GiveUp(code) | Decision::NoCandidate(code) => panic!("gave up: {code}"),
    }
}

pub(crate) fn host_of(decision: Decision) -> Option<HostId> {
    match decision {
        Decision::Send(attempt) => Some(attempt.host),
        Decision::GiveUp(_) | Decision::NoCandidate(_) => None,
    }
}
