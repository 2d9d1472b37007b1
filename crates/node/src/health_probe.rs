//! Sends probes to ejected hosts and reports the outcomes to the router. Without probes, a host
//! that serves only calls without retries would never return.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weft_bus::{Bus, RequestError};
use weft_link::encoded;
use weft_membership::Random;
use weft_membership::routing::{Outcome, Probe};
use weft_wire::{Frame, Renew, SessionId};

use crate::bus_return::is_settling;
use crate::clock::Clock;
use crate::environment::Environment;
use crate::host_tasks::HostTasks;
use crate::subjects::Subjects;

/// The most probes that wait to be sent: more hosts are ejected at once only by a fault of this
/// host. A probe that finds the queue full is due again at the next tick.
pub(super) const PROBES_WAITING_MAX: usize = 64;

/// The most probes in flight.
const PROBES_IN_FLIGHT_MAX: usize = 16;

/// The longest wait for a reply: a host that takes longer for a frame without work should not get
/// calls.
const PROBE_TIME_MAX: Duration = Duration::from_secs(1);

/// Sends probes.
pub(super) struct HealthProbe {
    pub(super) bus: Bus,
    pub(super) subjects: Subjects,
    pub(super) clock: Clock,
    pub(super) environment: Environment,
    /// Owns the tasks that wait for replies.
    pub(super) tasks: HostTasks,
}

impl HealthProbe {
    /// Sends the received probes until `stop`.
    pub(super) async fn run(self, mut probes: mpsc::Receiver<Probe>, stop: CancellationToken) {
        let this = Arc::new(self);
        let permits = Arc::new(Semaphore::new(PROBES_IN_FLIGHT_MAX));
        loop {
            let next = async {
                let permit = permits.clone().acquire_owned().await.ok()?;
                Some((probes.recv().await?, permit))
            };
            let next = stop.run_until_cancelled(next).await;
            let Some(Some((probe, permit))) = next else {
                return;
            };
            let health_probe = this.clone();
            this.tasks.spawn(async move {
                health_probe.send(probe).await;
                drop(permit);
            });
        }
    }

    async fn send(&self, probe: Probe) {
        let Some(subject) = self.subjects.calls_of(probe.host()) else {
            return;
        };
        // A frame on the path of calls that has no effect, because the session does not exist.
        let request = encoded(&Frame::Renew(Renew {
            session: SessionId([0; 16]),
        }));
        let until = Instant::now() + PROBE_TIME_MAX;
        let answered = self.bus.request(&subject, Bytes::from(request), until);
        let outcome = match answered.await {
            Ok(_) => Outcome::Answered,
            Err(RequestError::NoResponders { .. }) if is_settling(&self.bus.status().borrow()) => {
                Outcome::NotBack
            }
            Err(RequestError::NoResponders { .. }) => Outcome::NoResponders,
            Err(RequestError::Deadline { .. }) => Outcome::TimedOut,
            Err(RequestError::ConnectionLost { .. }) => Outcome::BusLost,
            Err(
                RequestError::Disconnected | RequestError::TooMany | RequestError::TooLarge { .. },
            ) => Outcome::NotSent,
        };
        let mut random = Random::from_seed(self.environment.seed());
        tracing::debug!(
            host = probe.host().short(),
            ?outcome,
            "an ejected host was probed"
        );
        probe.outcome(outcome, self.clock.now(), &mut random);
    }
}

#[cfg(test)]
mod tests {
    use weft_bus::Scope;
    use weft_bus::local::{LocalNetwork, LocalOptions};
    use weft_membership::routing::{Call, Decision, PROBES_TO_RETURN, Repeat, Route, Router};

    use super::*;
    use crate::test_support::{OTHER, OWN, TestMembership, cart, host, subjects};

    const LONG: Duration = Duration::from_secs(60);

    /// A router that has ejected a host, with the membership it was made from.
    fn ejected() -> (TestMembership, Router) {
        let mut membership = TestMembership::new();
        let mut other = [host(OTHER, 1)];
        membership.advance(Duration::from_secs(3), &mut other);
        membership.receive_inventory(&other[0]);
        let mut router = Router::new(OWN);
        router.refresh(membership.own.view());
        let call = Call {
            deadline: membership.now + LONG,
            repeat: Repeat::Never,
        };
        let table = router.table();
        let candidates = table.any(&cart()).unwrap().clone();
        let mut route = Route::new(candidates, call, Random::from_seed(1));
        assert!(matches!(route.next(membership.now), Decision::Send(_)));
        route.outcome(Outcome::NoResponders, membership.now);
        (membership, router)
    }

    fn new_probe(network: &LocalNetwork, scope: &Scope) -> HealthProbe {
        HealthProbe {
            bus: network.join("own", scope),
            subjects: subjects(scope, OWN),
            clock: Clock::start(),
            environment: Environment::default(),
            tasks: HostTasks::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_answers_its_probes_is_back() {
        let network = LocalNetwork::new(LocalOptions::default());
        let scope = Scope::new("test").unwrap();
        let bus = network.join("other", &scope);
        let calls = subjects(&scope, OTHER).of_process(1).unwrap().calls;
        let mut calls_in = bus.subscribe(&calls).await;
        let replying = async {
            while let Some(message) = calls_in.next_message().await {
                let reply = message.reply.unwrap();
                bus.publish(&reply, None, Bytes::new()).await.unwrap();
            }
        };
        let (membership, router) = ejected();
        let health_probe = new_probe(&network, &scope);
        let probing = async {
            for _ in 0..PROBES_TO_RETURN {
                let mut probes = router.probes(membership.now + LONG);
                assert_eq!(probes.len(), 1, "one at a time");
                assert!(router.probes(membership.now + LONG).is_empty());
                health_probe.send(probes.remove(0)).await;
            }
        };
        tokio::select! {
            () = replying => panic!("the bus was closed"),
            () = probing => {}
        }
        assert!(
            router.probes(membership.now + LONG).is_empty(),
            "the host is back and needs no probe"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_does_not_listen_stays_ejected() {
        let network = LocalNetwork::new(LocalOptions::default());
        let scope = Scope::new("test").unwrap();
        let (membership, router) = ejected();
        let health_probe = new_probe(&network, &scope);
        for _ in 0..2 * PROBES_TO_RETURN {
            let mut probes = router.probes(membership.now + LONG);
            assert_eq!(probes.len(), 1, "the host is probed again");
            health_probe.send(probes.remove(0)).await;
        }
    }
}
