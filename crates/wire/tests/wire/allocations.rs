//! Allocations while decoding hostile bytes: at most in proportion to the bytes themselves.
//!
//! The counting allocator counts by thread, so tests that run in parallel do not disturb.

use allocation_counter::measure;
use proptest::collection::vec;
use proptest::prelude::*;
use weft_wire::{
    DecodeError, Decoder, Frame, HttpField, HttpReply, Limits, MAX_MESSAGE_BYTES, Reply, Scalar,
};

use crate::any::{any_parts, any_type, config};
use crate::model::{Type, Value, decode};

/// Few elements, so that the limit is far below the lengths that a hostile value can claim.
const LIMITS: Limits = Limits {
    depth: 16,
    elements: 1000,
    bytes: 4096,
};

/// The largest allocation of a walker: each element as a value in a vector that grows by doubling,
/// and each byte copied.
const BYTES_MAX: u64 =
    LIMITS.elements * size_of::<Value>() as u64 * 2 + LIMITS.bytes as u64 * 2 + 1024;

fn read(ty: &Type, bytes: &[u8]) -> u64 {
    let decoder = Decoder::new(bytes, LIMITS);
    let info = measure(|| drop(decoder.and_then(|decoder| decode(ty, decoder))));
    info.bytes_max
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn any_bytes_as_any_type_stay_within_the_limit(
        ty in any_type(),
        bytes in vec(prop_oneof![any::<u8>(), Just(0xff), Just(0x7f), Just(1)], 0..200),
    ) {
        prop_assert!(read(&ty, &bytes) <= BYTES_MAX);
    }

    #[test]
    fn frames_allocate_for_messages_of_failures_and_references_to_headers_only(parts in any_parts()) {
        for frame in parts.frames() {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes)?;
            let info = measure(|| drop(Frame::decode(&bytes)));
            let references = |fields: &[_]| size_of_val::<[HttpField<'_>]>(fields);
            let allowed = match &frame {
                Frame::Reply(Reply { outcome: Err(_), .. })
                | Frame::HttpReply(HttpReply { outcome: Err(_), .. }) => MAX_MESSAGE_BYTES,
                Frame::HttpReply(HttpReply { outcome: Ok(head), .. }) => references(&head.headers),
                Frame::HttpRequest(request) => references(&request.headers),
                Frame::HttpTrailers(trailers) => references(&trailers.fields),
                _ => 0,
            };
            prop_assert!(info.bytes_total <= allowed as u64);
        }
    }
}

#[test]
fn primitives_are_read_without_allocating() {
    let bytes = [1; 64];
    let info = measure(|| read_primitives(&bytes).expect("all of them are there"));
    assert_eq!(info.count_total, 0);
}

fn read_primitives(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut decoder = Decoder::new(bytes, LIMITS)?;
    decoder.bool()?;
    decoder.u64()?;
    decoder.f64()?;
    decoder.char()?;
    decoder.string()?;
    decoder.bytes()?;
    decoder.list(1)?;
    decoder.discriminant(2)?;
    decoder.flags(9)?;
    decoder.is_some()?;
    Ok(())
}

#[test]
fn errors_are_made_without_allocating() {
    let lie = [0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3];
    let info = measure(|| {
        let mut decoder = Decoder::new(&lie, LIMITS).expect("short enough");
        assert!(decoder.list(1).is_err());
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn the_limit_holds_for_bytes_that_pay_for_more() {
    let many = Type::List(Box::new(Type::Scalar(Scalar::U8)));
    let claims = |length: u16| {
        let mut bytes = vec![length as u8 | 0x80, (length >> 7) as u8];
        bytes.extend(vec![0; length.into()]);
        bytes
    };
    assert!(read(&many, &claims(1000)) >= 1000 * size_of::<Value>() as u64);
    assert_eq!(read(&many, &claims(1001)), 0);
}
