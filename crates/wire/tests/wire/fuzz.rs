//! Thousands of random and damaged bytes. Each seed makes one input.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use weft_harness::fuzz::for_each_seed;
use weft_wire::{Decoder, Frame, Limits};

use crate::any::{any_parts, any_typed_value, config};
use crate::model::{decode, encode};

/// Seeds that once failed.
const FOUND: &[u64] = &[];

/// Number of seeds of every run: a few seconds without optimisation.
const SEEDS: u64 = 5_000;

const LIMITS: Limits = Limits {
    depth: 8,
    elements: 10_000,
    bytes: 1 << 20,
};

#[test]
fn no_bytes_bring_the_decoder_to_its_knees() {
    fuzz(|runner| {
        let (ty, value) = sample(runner, &any_typed_value());
        let mut bytes = encode(&ty, &value);
        damage(runner, &mut bytes);
        let decoder = Decoder::new(&bytes, LIMITS).expect("short enough");
        let Ok(read) = decode(&ty, decoder) else {
            return;
        };
        let again = encode(&ty, &read);
        assert!(again.len() <= bytes.len(), "no form is shorter than ours");
        let decoder = Decoder::new(&again, LIMITS).expect("short enough");
        assert_eq!(decode(&ty, decoder), Ok(read));
    });
}

#[test]
fn no_bytes_bring_the_frames_to_their_knees() {
    fuzz(|runner| {
        let parts = sample(runner, &any_parts());
        for frame in parts.frames() {
            let mut bytes = Vec::new();
            let written = frame.encode_with(&parts.payload, &mut bytes);
            written.expect("within the bounds");
            damage(runner, &mut bytes);
            let Ok(read) = Frame::decode(&bytes) else {
                continue;
            };
            let mut again = Vec::new();
            let written = read.encode(&mut again);
            written.expect("what was read is within the bounds");
            assert_eq!(Frame::decode(&again), Ok(read));
        }
    });
}

/// Checks one input for each seed.
fn fuzz(check: impl Fn(&mut TestRunner)) {
    for_each_seed(FOUND, SEEDS, |seed| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &key);
        check(&mut TestRunner::new_with_rng(config(1), rng));
    });
}

fn sample<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    let tree = strategy.new_tree(runner).expect("nothing is rejected");
    tree.current()
}

/// A few edits: bytes changed, removed, repeated or inserted; at times, all bytes are new.
fn damage(runner: &mut TestRunner, bytes: &mut Vec<u8>) {
    let edits = runner.rng().random_range(0..4);
    for _ in 0..edits {
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
}
