//! Tests of the checks: for each deliberately broken rule, some seed reports a violation.

use weft_simulation::{Mutation, Options, run};

/// The most seeds until a violation is found.
const SEEDS_MAX: u64 = 200;

/// The invariants that may report the mistake.
fn expected(rule: Mutation) -> &'static [&'static str] {
    match rule {
        Mutation::RetriesEverything => &["no call runs twice"],
        // Of two processes that receive a call, one may run it while the other rejects it.
        Mutation::SharesIncarnation => {
            &["no call runs twice", "a call reported not run did not run"]
        }
        Mutation::NeverFreezes => &["a frozen host does not act"],
        Mutation::ForgetsDisk => &["a replica only grows"],
        Mutation::NeverRefills | Mutation::CountsFromBucketOnly | Mutation::LosesRefutations => {
            &["the lattice converges"]
        }
        Mutation::PublishesWrongLabels => &["a host has what its components require"],
        Mutation::MissesHeartbeats => &["a heard host is not dead"],
        Mutation::ForgesHeartbeats => &["a silent host is dead"],
        Mutation::RunsRejectedCalls => &["a call reported not run did not run"],
        Mutation::RepliesWithoutRunning => &["an answered call ran"],
        Mutation::WaitsTooLong => &["a call ends in time"],
        Mutation::StaysBusy => &["calls succeed again"],
        Mutation::StopsBeforeHandover => &["a stopped component runs elsewhere"],
    }
}

#[test]
fn every_planted_mistake_is_found() {
    for rule in Mutation::ALL {
        let options = Options {
            hosts_max: 8,
            mutation: Some(rule),
            ..Options::default()
        };
        let violation = (0..SEEDS_MAX).find_map(|seed| {
            let outcome = run(seed, options).expect("there is room");
            outcome.violation
        });
        let found = violation.as_ref().map(|violation| violation.invariant);
        let is_it = found.is_some_and(|found| expected(rule).contains(&found));
        assert!(is_it, "{rule:?} was found as {violation:?}");
    }
}
