//! Thousands of damaged bodies, value bytes and WIT texts. Each seed makes one input.

use weft_harness::fuzz::for_each_seed;
use weft_json::{Format, Interface, Settings, text};

use crate::generated::random_type;
use crate::model::{Random, RandomType, Value};
use crate::support::{NAME, read_with, write_with};

/// Seeds that once failed.
const FOUND: &[u64] = &[1_796_074_317_484_113_029];

/// Number of seeds of every run: a second without optimization.
const SEEDS: u64 = 2_000;

const FORMATS: [Format; 2] = [Format::Json, Format::Cbor];

#[test]
fn fuzz_bodies() {
    for_each_seed(FOUND, SEEDS, |seed| {
        let (ty, mut random) = random_type(seed);
        let settings = Settings::default();
        let bytes = Value::random(&ty, &mut random).wire(&ty);
        for format in FORMATS {
            let mut body = write_with(format, &bytes, &ty, settings).expect("a value");
            damage(&mut body, &mut random);
            let Ok(read) = read_with(format, &body, &ty, settings) else {
                continue;
            };
            let again = write_with(format, &read, &ty, settings).expect("what was read");
            assert_eq!(read_with(format, &again, &ty, settings), Ok(read));
        }
    });
}

#[test]
fn fuzz_value_bytes() {
    for_each_seed(FOUND, SEEDS, |seed| {
        let (ty, mut random) = random_type(seed);
        let settings = Settings::default();
        let mut bytes = Value::random(&ty, &mut random).wire(&ty);
        damage(&mut bytes, &mut random);
        let _ = text::encode(&ty, &bytes);
        for format in FORMATS {
            let Ok(body) = write_with(format, &bytes, &ty, settings) else {
                continue;
            };
            // Keys of a map can be there twice.
            if let Ok(read) = read_with(format, &body, &ty, settings) {
                assert_eq!(write_with(format, &read, &ty, settings), Ok(body));
            }
        }
    });
}

#[test]
fn fuzz_wit_texts() {
    for_each_seed(FOUND, SEEDS / 4, |seed| {
        let mut random = Random(seed);
        let mut wit = RandomType::default();
        let ty = wit.ty(&mut random, 3);
        let definitions = wit.definitions;
        let text = format!(
            "package test:types@1.2.3;\n/// Prose.\ninterface api {{\n{definitions}\
             f: async func(p: {ty}, q: stream<u8>) -> {ty};\n}}"
        );
        let mut bytes = text.into_bytes();
        damage(&mut bytes, &mut random);
        let _ = Interface::from_text(&String::from_utf8_lossy(&bytes), NAME);
    });
}

/// A few edits: bytes changed, removed, repeated or inserted.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    const INSERTED: [&[u8]; 8] = [
        b"\xff",
        b"\0",
        b"\"",
        b"[[",
        b"{\"tag\":",
        b"\\ud800",
        b"1e999",
        b"\x9f",
    ];
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(6)).min(bytes.len());
        match random.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.extend_from_within(at..end),
            2 => drop(bytes.splice(at..at, INSERTED[random.below(8)].iter().copied())),
            3 => bytes[at..end]
                .iter_mut()
                .for_each(|byte| *byte ^= 1 << random.below(8)),
            _ => bytes.truncate(end),
        }
    }
}
