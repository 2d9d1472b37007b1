//! Chunks of elements in their encoding.

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use weft_wire::Problem;

use super::super::chunk::{decode_chunk, encode_chunk};
use crate::links::codec::LinkValue;

fn comes_back<T: LinkValue + Clone + PartialEq + Debug>(elements: &[T]) {
    let payload = encode_chunk(elements).unwrap();
    assert_eq!(decode_chunk::<T>(&payload).unwrap(), elements);
    for cut in 0..payload.len() {
        assert!(decode_chunk::<T>(&payload[..cut]).is_err(), "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn elements_come_back_as_they_were_and_never_in_part(
        bools in vec(any::<bool>(), 0..9),
        smalls in vec((any::<u8>(), any::<i8>(), any::<u16>(), any::<i16>()), 0..9),
        larges in vec((any::<u32>(), any::<i32>(), any::<u64>(), any::<i64>()), 0..9),
        floats in vec((proptest::num::f32::NORMAL, proptest::num::f64::NORMAL), 0..9),
        texts in vec((any::<char>(), ".{0,9}", vec(any::<u8>(), 0..9)), 0..9),
    ) {
        comes_back(&bools);
        comes_back(&smalls.iter().map(|number| number.0).collect::<Vec<_>>());
        comes_back(&smalls.iter().map(|number| number.1).collect::<Vec<_>>());
        comes_back(&smalls.iter().map(|number| number.2).collect::<Vec<_>>());
        comes_back(&smalls.iter().map(|number| number.3).collect::<Vec<_>>());
        comes_back(&larges.iter().map(|number| number.0).collect::<Vec<_>>());
        comes_back(&larges.iter().map(|number| number.1).collect::<Vec<_>>());
        comes_back(&larges.iter().map(|number| number.2).collect::<Vec<_>>());
        comes_back(&larges.iter().map(|number| number.3).collect::<Vec<_>>());
        comes_back(&floats.iter().map(|number| number.0).collect::<Vec<_>>());
        comes_back(&floats.iter().map(|number| number.1).collect::<Vec<_>>());
        comes_back(&texts.iter().map(|text| text.0).collect::<Vec<_>>());
        comes_back(&texts.iter().map(|text| text.1.clone()).collect::<Vec<_>>());
        comes_back(&texts.iter().map(|text| text.2.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_are_refused_or_elements(payload in vec(any::<u8>(), 0..99)) {
        // Must return without a panic.
        let _ = decode_chunk::<bool>(&payload);
        let _ = decode_chunk::<i64>(&payload);
        let _ = decode_chunk::<char>(&payload);
        let _ = decode_chunk::<String>(&payload);
        let _ = decode_chunk::<Vec<u8>>(&payload);
        let _ = decode_chunk::<Result<String, String>>(&payload);
    }
}

#[test]
fn more_elements_than_senders_put_in_a_chunk_are_refused_before_allocation() {
    // An empty string takes one byte encoded, and 24 bytes decoded.
    let mut payload = encode_chunk(&vec![0_u8; 1 << 20]).unwrap();
    let error = decode_chunk::<String>(&payload).unwrap_err();
    assert!(matches!(error.problem, Problem::Elements { .. }), "{error}");
    payload.truncate(9);
    let error = decode_chunk::<String>(&payload).unwrap_err();
    assert!(
        matches!(error.problem, Problem::Truncated { .. }),
        "{error}"
    );
}
