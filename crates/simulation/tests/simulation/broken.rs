//! That the checks check: with a rule broken on purpose, some seed says so.

use weft_simulation::{BrokenRule, Options, run};

/// The most seeds until one finds what is broken.
const SEEDS_MAX: u64 = 200;

/// The invariants by which it may be found.
fn expected(rule: BrokenRule) -> &'static [&'static str] {
    match rule {
        BrokenRule::RetriesEverything => &["no call runs twice"],
        BrokenRule::NeverFreezes => &["a frozen host does not act"],
        BrokenRule::ObeysEmptyBucket => &["a copy only grows"],
        BrokenRule::NeverRefills | BrokenRule::CountsByBucketAlone => {
            &["all is as it has to be in the end"]
        }
        BrokenRule::IgnoresRequirements => &["a host has what its components require"],
        BrokenRule::BuriesEarly => &["who is heard is not dead"],
        BrokenRule::StopsAtOnce => &["what stops runs elsewhere"],
    }
}

#[test]
fn every_broken_rule_is_found() {
    for rule in BrokenRule::ALL {
        let options = Options {
            hosts_max: 8,
            broken: Some(rule),
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
