//! Random and damaged messages, by the thousand: a deterministic substitute for a fuzzer. A failure
//! prints its seed.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use weft_membership::message::{Envelope, Message};

use super::strategies::{any_authenticator, any_message};
use weft_testkit::membership::{LATTICE, LocalHost, config};

/// Number of seeds per run: one second in a debug build.
const SEEDS: u64 = 2_000;

#[test]
fn random_bytes_never_break_a_membership() {
    let mut local = LocalHost::settled();
    for seed in 0..SEEDS {
        let printed = PrintedOnPanic(seed);
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &key);
        let mut runner = TestRunner::new_with_rng(config(1), rng);
        let bytes = damaged(&mut runner);
        if let Ok(message) = Message::decode(&bytes, LATTICE) {
            let envelope = Envelope::open(&bytes).expect("decoded before");
            let again = message.encode_with(LATTICE, envelope.authenticator());
            let again = again.expect("within limits");
            assert!(again.len() <= bytes.len(), "our encoding is the shortest");
            assert_eq!(Message::decode(&again, LATTICE), Ok(message));
        }
        // Accepted or rejected; both are fine.
        let _ = local.membership.on_bytes(local.now, &bytes);
        local.tick();
        drop(printed);
    }
}

fn damaged(runner: &mut TestRunner) -> Vec<u8> {
    let message = sample(runner, &any_message());
    let proof = sample(runner, &any_authenticator());
    let encoded = message.encode_with(LATTICE, &proof);
    let mut bytes = encoded.expect("within limits");
    for _ in 0..runner.rng().random_range(0..4) {
        let at = runner.rng().random_range(0..=bytes.len());
        let end = (at + runner.rng().random_range(0..6)).min(bytes.len());
        match runner.rng().random_range(0..6) {
            0 => bytes[at..end].fill(0xff),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.extend_from_within(at..end),
            3 => drop(bytes.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f])),
            4 => bytes[at..end].iter_mut().for_each(|byte| *byte ^= 0x80),
            _ => runner.rng().fill_bytes(&mut bytes[at..]),
        }
    }
    bytes
}

fn sample<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    let tree = strategy.new_tree(runner).expect("no rejection");
    tree.current()
}

struct PrintedOnPanic(u64);

impl Drop for PrintedOnPanic {
    #[expect(clippy::print_stderr, reason = "a failed test prints its seed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}
