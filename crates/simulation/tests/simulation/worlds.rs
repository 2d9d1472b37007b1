//! Worlds from fixed seeds. `cargo xtask simulate` runs more of them.

use weft_simulation::{Options, run, run_all};

/// Takes some seconds.
const SEEDS: std::ops::Range<u64> = 0..40;

#[test]
fn worlds_hold_every_invariant() {
    let summary = run_all(SEEDS, Options::default()).expect("there is room");
    assert_eq!(summary.worlds, SEEDS.end - SEEDS.start);
    let failed = summary.failed.first();
    let failed = failed.map(|outcome| (outcome.seed, outcome.violation.as_ref()));
    assert_eq!(
        failed, None,
        "replay with: cargo xtask simulate --seed N --trace"
    );
}

#[test]
#[cfg_attr(
    not(tokio_unstable),
    ignore = "`RUSTFLAGS` in the environment replaces the flag of `.cargo/config.toml`"
)]
fn a_seed_gives_the_same_world_each_time() {
    // In the last ones, a host loses its bus with several calls in flight.
    for seed in (0..8).chain([117, 164]) {
        let small = Options {
            hosts_max: 16,
            ..Options::default()
        };
        let keeps = Options {
            keeps_trace: true,
            ..small
        };
        let first = run(seed, keeps).expect("there is room");
        let second = run(seed, keeps).expect("there is room");
        let unseen = run(seed, small).expect("there is room");
        assert_eq!(first.lines, second.lines);
        assert_eq!((first.digest, first.size), (second.digest, second.size));
        assert_eq!((first.digest, first.size), (unseen.digest, unseen.size));
    }
}

#[test]
fn seeds_give_different_worlds() {
    let digest = |seed| run(seed, Options::default()).expect("there is room").digest;
    assert_ne!(digest(1), digest(2));
}
