//! Bytes that are not a value of a type: the defect and its position.

use weft_wire::{DecodeError, Decoder, EncodeError, Encoder, Limits, Problem, Scalar};

use crate::model::{Type, decode};

/// Small enough to be exceeded.
const LIMITS: Limits = Limits {
    depth: 3,
    elements: 10,
    bytes: 20,
};

#[track_caller]
fn check(ty: &Type, bytes: &[u8], offset: usize, problem: Problem) {
    let read = Decoder::new(bytes, LIMITS).and_then(|decoder| decode(ty, decoder));
    let expected = DecodeError { offset, problem };
    assert_eq!(read, Err(expected), "{ty:?} from {bytes:02x?}");
}

fn truncated(needed: u64, left: usize) -> Problem {
    Problem::Truncated { needed, left }
}

fn list(ty: Type) -> Type {
    Type::List(Box::new(ty))
}

#[test]
fn bytes_that_end_within_a_value_are_refused() {
    let cases: [(Type, &[u8], usize, Problem); 12] = [
        (Type::Scalar(Scalar::Bool), &[], 0, truncated(1, 0)),
        (Type::Scalar(Scalar::U8), &[], 0, truncated(1, 0)),
        (Type::Scalar(Scalar::U32), &[], 0, truncated(1, 0)),
        (Type::Scalar(Scalar::U32), &[0x80, 0x80], 0, truncated(3, 2)),
        (Type::Scalar(Scalar::S64), &[0xff; 9], 0, truncated(10, 9)),
        (Type::Scalar(Scalar::F32), &[0; 3], 0, truncated(4, 3)),
        (Type::Scalar(Scalar::F64), &[0; 7], 0, truncated(8, 7)),
        (
            Type::Scalar(Scalar::Char),
            &[0xe2, 0x82],
            0,
            truncated(3, 2),
        ),
        (Type::String, &[3, b'a', b'b'], 1, truncated(3, 2)),
        (Type::Flags(9), &[0xff], 0, truncated(2, 1)),
        (Type::Handle, &[4, 0, 0, 0], 1, truncated(4, 3)),
        (
            list(Type::Scalar(Scalar::Bool)),
            &[3, 0, 1],
            1,
            truncated(3, 2),
        ),
    ];
    for (ty, bytes, offset, problem) in cases {
        check(&ty, bytes, offset, problem);
    }
}

#[test]
fn integers_beyond_their_type_are_refused() {
    let cases: [(Type, u32, &[u8]); 12] = [
        (Type::Scalar(Scalar::U16), 16, &[0xff, 0xff, 0x04]),
        (Type::Scalar(Scalar::U16), 16, &[0x80, 0x80, 0x80, 0x00]),
        (Type::Scalar(Scalar::S16), 16, &[0xff, 0xff, 0x02]),
        (Type::Scalar(Scalar::S16), 16, &[0x80, 0x80, 0x7d]),
        (
            Type::Scalar(Scalar::U32),
            32,
            &[0xff, 0xff, 0xff, 0xff, 0x10],
        ),
        (
            Type::Scalar(Scalar::U32),
            32,
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        ),
        (
            Type::Scalar(Scalar::S32),
            32,
            &[0xff, 0xff, 0xff, 0xff, 0x08],
        ),
        (
            Type::Scalar(Scalar::S32),
            32,
            &[0x80, 0x80, 0x80, 0x80, 0x77],
        ),
        (
            Type::Scalar(Scalar::U64),
            64,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ),
        (
            Type::Scalar(Scalar::S64),
            64,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ),
        (Type::Stream, 32, &[0xff, 0xff, 0xff, 0xff, 0x10]),
        (Type::String, 32, &[0xff, 0xff, 0xff, 0xff, 0x10]),
    ];
    for (ty, bits, bytes) in cases {
        check(&ty, bytes, 0, Problem::Integer { bits });
    }
}

#[test]
fn characters_and_text_that_are_not_unicode_are_refused() {
    let characters: [&[u8]; 7] = [
        &[0x80],
        &[0xff],
        &[0xc1, 0x81],
        &[0xe2, 0x28, 0xa1],
        // A surrogate, then a code point beyond the last plane.
        &[0xed, 0xa0, 0x80],
        &[0xf4, 0x90, 0x80, 0x80],
        &[0xf8, 0x88, 0x80, 0x80, 0x80],
    ];
    for bytes in characters {
        check(&Type::Scalar(Scalar::Char), bytes, 0, Problem::Char);
        let mut text = vec![1 + bytes.len() as u8, b'a'];
        text.extend(bytes);
        check(&Type::String, &text, 2, Problem::Utf8);
    }
}

#[test]
fn values_that_their_type_does_not_have_are_refused() {
    let variant = Type::Variant(vec![None, Some(Type::Scalar(Scalar::U8))]);
    let option = Type::Option(Box::new(Type::Scalar(Scalar::U8)));
    let result = Type::Result(None, None);
    let no_case = |cases, found| Problem::Discriminant { cases, found };
    let no_handle = |found| Problem::Handle { found };
    let cases: [(Type, &[u8], Problem); 11] = [
        (Type::Scalar(Scalar::Bool), &[2], Problem::Bool { found: 2 }),
        (
            Type::Scalar(Scalar::Bool),
            &[0xff],
            Problem::Bool { found: 0xff },
        ),
        (Type::Enum(3), &[3], no_case(3, 3)),
        (Type::Enum(300), &[0xac, 2], no_case(300, 300)),
        (variant.clone(), &[2, 7], no_case(2, 2)),
        (
            variant,
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
            no_case(2, u32::MAX),
        ),
        (option.clone(), &[2, 7], no_case(2, 2)),
        // Not a LEB128, so there is no longer form.
        (option, &[0x80, 0x00], no_case(2, 0x80)),
        (result, &[3], no_case(2, 3)),
        (Type::Handle, &[0], no_handle(0)),
        (Type::Handle, &[5, 0, 0, 0, 0, 0], no_handle(5)),
    ];
    for (ty, bytes, problem) in cases {
        check(&ty, bytes, 0, problem);
    }
}

#[test]
fn flags_that_a_type_does_not_have_are_refused() {
    let cases: [(usize, &[u8], usize); 4] = [
        (1, &[0b10], 0),
        (7, &[0x80], 0),
        (9, &[0xff, 0b10], 1),
        (33, &[0xff, 0xff, 0xff, 0xff, 0b10], 4),
    ];
    for (count, bytes, offset) in cases {
        check(&Type::Flags(count), bytes, offset, Problem::Flags { count });
    }
}

#[test]
fn bytes_after_a_value_are_refused() {
    check(
        &Type::Scalar(Scalar::U8),
        &[1, 2, 3],
        1,
        Problem::Trailing { left: 2 },
    );
    let nothing = Type::Tuple(Vec::new());
    check(&nothing, &[0], 0, Problem::Trailing { left: 1 });
}

#[test]
fn a_value_may_be_as_large_as_the_limits_and_no_larger() {
    let lists = list(list(Type::Scalar(Scalar::U8)));
    let ten = [2, 4, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    let decoder = Decoder::new(&ten, LIMITS).expect("short enough");
    assert!(decode(&lists, decoder).is_ok());

    let eleven = [2, 4, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0];
    let problem = Problem::Elements { left: 4, found: 5 };
    check(&lists, &eleven, 6, problem);

    let tuple = Type::Tuple(vec![Type::Scalar(Scalar::U8); 11]);
    let problem = Problem::Elements {
        left: 10,
        found: 11,
    };
    check(&tuple, &[0; 11], 0, problem);

    let three = list(list(list(Type::Scalar(Scalar::U8))));
    let decoder = Decoder::new(&[1, 1, 0], LIMITS).expect("short enough");
    assert!(decode(&three, decoder).is_ok());
    check(&list(three), &[1, 1, 1, 0], 3, Problem::Depth { limit: 3 });

    let (limit, found) = (20, 21);
    check(&Type::Bytes, &[0; 21], 0, Problem::Bytes { limit, found });
}

#[test]
fn a_limit_counts_for_the_whole_value() {
    let mut decoder = Decoder::new(&[2, 0, 0], LIMITS).expect("short enough");
    assert_eq!(decoder.list(1), Ok(2));
    assert_eq!(decoder.charge(8), Ok(()));
    let problem = Problem::Elements { left: 0, found: 1 };
    assert_eq!(
        decoder.charge(1).map_err(|error| error.problem),
        Err(problem)
    );
}

#[test]
fn a_level_that_was_left_can_be_entered_again() {
    let mut decoder = Decoder::new(&[], LIMITS).expect("short enough");
    for _ in 0..10 {
        assert_eq!(decoder.enter(), Ok(()));
        decoder.leave();
    }
}

#[test]
fn longer_forms_of_integers_are_read() {
    let cases: [(&[u8], i64); 3] = [
        (&[0x83, 0x80, 0x80, 0x80, 0x00], 3),
        (&[0xff, 0xff, 0xff, 0xff, 0x7f], -1),
        (&[0x80, 0x80, 0x80, 0x80, 0x78], i32::MIN.into()),
    ];
    for (bytes, expected) in cases {
        let mut decoder = Decoder::new(bytes, LIMITS).expect("short enough");
        assert_eq!(decoder.s32().map(i64::from), Ok(expected));
        assert_eq!(decoder.finish(), Ok(()));
    }
}

#[test]
fn no_more_is_written_than_the_limit() {
    let mut bytes = vec![0xaa];
    let mut encoder = Encoder::new(&mut bytes, 3);
    assert_eq!(encoder.string("ab"), Ok(()));
    let exceeded = Err(EncodeError::Bytes { limit: 3 });
    assert_eq!(encoder.u32(1), exceeded);
    assert_eq!(encoder.f64(1.0), exceeded);
    assert_eq!(encoder.flags(9, []), exceeded);
    assert_eq!(encoder.raw(&[]), Ok(()));
    assert_eq!(bytes, [0xaa, 2, b'a', b'b']);
}

#[test]
fn cases_and_flags_that_a_type_does_not_have_are_not_written() {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 10);
    let (cases, found) = (3, 3);
    assert_eq!(
        encoder.discriminant(found, cases),
        Err(EncodeError::Discriminant { cases, found })
    );
    let (count, found) = (9, 9);
    assert_eq!(
        encoder.flags(count, [0, found]),
        Err(EncodeError::Flag { count, found })
    );
}
