//! Cost of routing.

use weft_membership::routing::{Decision, Outcome, Repeat, Route};

use super::support::{Rig, replicas};
use weft_testkit::membership::{at_ms, component};

#[test]
fn routing_a_call_does_not_allocate() {
    let rig = Rig::new(&replicas(3));
    let (now, table) = (rig.now(), rig.router.table());
    let target = component(super::support::TARGET);
    let call = weft_membership::routing::Call {
        deadline: at_ms(60_000),
        repeat: Repeat::Idempotent,
    };
    for outcome in [Outcome::Answered, Outcome::NoResponders, Outcome::TimedOut] {
        let counted = allocation_counter::measure(|| {
            let candidates = table.any(&target).expect("three have it");
            let random = weft_membership::Random::from_seed(3);
            let mut route = Route::new(candidates.clone(), call, random);
            while let Decision::Send(_) = route.next(now) {
                route.outcome(outcome, now);
            }
        });
        assert_eq!(counted.count_total, 0, "{outcome:?}");
    }
}
