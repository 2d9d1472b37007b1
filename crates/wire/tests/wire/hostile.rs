//! Valid bytes that were damaged: cut off at every byte, with every bit flipped, and with false
//! lengths. Decoding returns a typed error or another value, and never panics.

use proptest::prelude::*;
use weft_wire::{Decoder, Frame, FrameError, Limits, Malformed, Scalar};

use crate::any::{any_parts, any_typed_value, config};
use crate::model::{Type, decode, encode};

fn read(ty: &Type, bytes: &[u8]) -> Result<(), Malformed> {
    let decoder = Decoder::new(bytes, Limits::LINK);
    let value = decoder.and_then(|decoder| decode(ty, decoder));
    value.map(drop).map_err(|error| error.problem.malformed())
}

/// The bytes with each of their bits flipped in turn.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        damaged
    })
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn a_value_that_is_cut_off_is_truncated((ty, value) in any_typed_value()) {
        let bytes = encode(&ty, &value);
        for length in 0..bytes.len() {
            prop_assert_eq!(read(&ty, &bytes[..length]), Err(Malformed::Truncated));
        }
    }

    #[test]
    fn a_value_that_goes_on_has_bytes_after_it((ty, value) in any_typed_value()) {
        let mut bytes = encode(&ty, &value);
        bytes.push(0);
        prop_assert_eq!(read(&ty, &bytes), Err(Malformed::Trailing));
    }

    #[test]
    fn a_value_with_a_flipped_bit_is_answered((ty, value) in any_typed_value()) {
        for damaged in flipped(&encode(&ty, &value)) {
            // The decoded value has the type; the walker would panic otherwise.
            let decoder = Decoder::new(&damaged, Limits::LINK)?;
            if let Ok(other) = decode(&ty, decoder) {
                encode(&ty, &other);
            }
        }
    }
}

proptest! {
    // Each case is a frame of every kind, with thousands of damaged ones.
    #![proptest_config(config(16))]

    #[test]
    fn a_frame_that_is_cut_off_is_refused(parts in any_parts()) {
        for frame in parts.frames() {
            let bytes = encoded(&frame);
            for length in 0..bytes.len() {
                prop_assert!(Frame::decode(&bytes[..length]).is_err());
            }
        }
    }

    #[test]
    fn a_frame_with_a_flipped_bit_is_refused_or_another_frame(parts in any_parts()) {
        for frame in parts.frames() {
            for damaged in flipped(&encoded(&frame)) {
                // The authenticator is not a part of the frame.
                if let Ok(other) = Frame::decode(&damaged) {
                    let again = encoded(&other);
                    prop_assert_eq!(Frame::decode(&again), Ok(other));
                }
            }
        }
    }
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).expect("within the bounds");
    bytes
}

/// 2³² − 1.
const LIE: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];

#[test]
fn the_largest_length_is_refused_for_what_is_not_there() {
    let types = [
        Type::String,
        Type::Bytes,
        Type::Handle,
        Type::List(Box::new(Type::Scalar(Scalar::Bool))),
        Type::List(Box::new(Type::Tuple(Vec::new()))),
        Type::List(Box::new(Type::List(Box::new(Type::Scalar(Scalar::F64))))),
    ];
    for ty in types {
        for rest in [0, 1, 1000] {
            let bytes = [&LIE[..], &vec![0; rest]].concat();
            assert_eq!(read(&ty, &bytes), Err(Malformed::Truncated), "{ty:?}");
        }
    }
}

#[test]
fn every_length_in_a_frame_may_be_a_lie() {
    let session = [&[1, 3, 0][..], &LIE].concat();
    let part = [&[1, 13, 0, 16][..], &[0; 17], &[1], &LIE].concat();
    let frames = [
        // An authenticator, a call's session, an app, a reply's payload, a chunk's, a held frame's
        // host, a part.
        [&[1, 1][..], &LIE].concat(),
        [&[1, 1, 0, 0, 1][..], &LIE].concat(),
        [&[1, 1, 0, 0, 0][..], &LIE].concat(),
        [&[1, 2, 0, 0, 0, 0][..], &LIE].concat(),
        [&[1, 6, 0, 0, 0][..], &LIE].concat(),
        [&[1, 11, 0][..], &LIE].concat(),
        part,
        session,
    ];
    for bytes in frames {
        let error = Frame::decode(&bytes).expect_err("the bytes end after the length");
        assert!(matches!(error, FrameError::Malformed { .. }), "{error}");
    }
}
