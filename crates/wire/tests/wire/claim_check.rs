//! Held frames: the request head in a first part, and false lengths.

use proptest::prelude::*;
use weft_wire::{
    ClaimId, EncodeError, FieldError, Frame, FrameError, HOST_BYTES, Held, Kind, MAX_FRAME_BYTES,
    Request,
};

use crate::any::{any_parts, config};

/// A held frame with its first bytes.
fn held(frame: &[u8], first: usize) -> Held<'_> {
    Held {
        host: [7; HOST_BYTES],
        claim: ClaimId([9; 16]),
        total: frame.len() as u32,
        bytes: &frame[..first],
    }
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).expect("within the bounds");
    bytes
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_held_request_is_known_as_soon_as_its_payload_begins(parts in any_parts()) {
        for frame in parts.frames() {
            let bytes = encoded(&frame);
            let Frame::Request(request) = frame else { continue };
            let payload = request.payload.len();
            let head = Request { payload: &[], ..request };
            for first in 0..bytes.len() {
                let known = held(&bytes, first).request();
                if first < bytes.len() - payload {
                    prop_assert!(known.is_err(), "{first} bytes");
                } else {
                    prop_assert_eq!(known, Ok(head));
                }
            }
        }
    }

    #[test]
    fn a_held_request_that_ends_elsewhere_than_announced_is_refused(
        parts in any_parts(),
        total in 0..MAX_FRAME_BYTES as u32,
    ) {
        for frame in parts.frames() {
            let bytes = encoded(&frame);
            let Frame::Request(_) = frame else { continue };
            prop_assume!(total as usize != bytes.len());
            let lie = Held { total, ..held(&bytes, bytes.len()) };
            let Err(FrameError::Malformed { source, .. }) = lie.request() else {
                return Err(TestCaseError::fail("the frame was accepted"));
            };
            let found = bytes.len() as u64;
            prop_assert_eq!(source, FieldError::Total { announced: total, found });
        }
    }

    #[test]
    fn a_held_frame_of_another_kind_is_named(parts in any_parts()) {
        for frame in parts.frames() {
            let bytes = encoded(&frame);
            if frame.kind() == Kind::Request {
                continue;
            }
            let (expected, found) = (Kind::Request.name(), frame.kind().name());
            let refused = held(&bytes, bytes.len()).request();
            prop_assert_eq!(refused, Err(FrameError::Unexpected { expected, found }));
        }
    }
}

#[test]
fn a_total_beyond_the_largest_frame_is_neither_written_nor_read() {
    let most = MAX_FRAME_BYTES as u32;
    let of = |total| Held {
        total,
        ..held(&[], 0)
    };
    let mut bytes = encoded(&Frame::Held(of(most)));
    assert_eq!(Frame::decode(&bytes), Ok(Frame::Held(of(most))));

    let (field, limit, found) = ("total", MAX_FRAME_BYTES, MAX_FRAME_BYTES + 1);
    let written = Frame::Held(of(most + 1)).encode(&mut Vec::new());
    assert_eq!(
        written,
        Err(EncodeError::Field {
            field,
            limit,
            found
        })
    );
    // The last byte is the length of the first part, the four before it are the total.
    let at = bytes.len() - 5;
    bytes[at] += 1;
    let kind = Kind::Held.name();
    let source = FieldError::TooLong {
        field,
        limit,
        found,
    };
    assert_eq!(
        Frame::decode(&bytes),
        Err(FrameError::Malformed { kind, source })
    );
}

#[test]
fn a_first_part_is_less_than_the_whole() {
    let whole = Held {
        total: 3,
        ..held(&[1, 2, 3], 3)
    };
    let written = Frame::Held(whole).encode(&mut Vec::new());
    let (field, limit, found) = ("bytes", 2, 3);
    assert_eq!(
        written,
        Err(EncodeError::Field {
            field,
            limit,
            found
        })
    );
}

#[test]
fn a_host_and_a_claim_have_their_lengths() {
    let cases: [(&[u8], &str); 3] = [
        (&[1, 11, 0, 1, 7], "expected 32 bytes of `host`, found 1"),
        (
            &[1, 12, 0, 2, 7, 7],
            "expected 16 bytes of `claim`, found 2",
        ),
        (&[1, 13, 0, 0], "expected 16 bytes of `claim`, found 0"),
    ];
    for (bytes, expected) in cases {
        let Err(FrameError::Malformed { source, .. }) = Frame::decode(bytes) else {
            panic!("the frame was accepted");
        };
        assert_eq!(source.to_string(), expected);
    }
}

#[test]
fn a_claim_in_a_log_does_not_give_its_name_away() {
    let claim = ClaimId(*b"0123456789abcdef");
    assert_eq!(format!("{claim:?}"), "ClaimId(30313233…)");
}
