//! Tests of bodies of CBOR beyond those of the page.

use weft_json::{DecodeError, Format, Problem, Settings, Type};

use crate::support::{param, read_with, write_with};

fn ty(name: &str) -> Type {
    let items = "record point { x: s16, y: option<f32> } variant shape { dot, at(point) } \
                 enum size { small, large } flags marks { is-new }";
    param(items, name)
}

fn read(body: &[u8], of: &str) -> Result<Vec<u8>, DecodeError> {
    read_with(Format::Cbor, body, &ty(of), Settings::default())
}

#[test]
fn other_encoders_can_use_every_form_of_a_value() {
    let cases: [(&str, &[u8], &[u8]); 21] = [
        // Integers and lengths in any width.
        ("u16", &[0x1b, 0, 0, 0, 0, 0, 0, 1, 0], &[0x80, 2]),
        ("s8", &[0x39, 0, 1], &[0xfe]),
        ("string", &[0x7a, 0, 0, 0, 1, b'a'], &[1, b'a']),
        ("list<u16>", &[0x98, 1, 5], &[1, 5]),
        // Indefinite lengths.
        ("list<u16>", &[0x9f, 5, 6, 0xff], &[2, 5, 6]),
        (
            "string",
            &[0x7f, 0x61, b'a', 0x62, b'b', b'c', 0xff],
            &[3, b'a', b'b', b'c'],
        ),
        (
            "list<u8>",
            &[0x5f, 0x41, 1, 0x40, 0x42, 2, 3, 0xff],
            &[3, 1, 2, 3],
        ),
        ("map<s16, bool>", &[0xbf, 0x20, 0xf5, 0xff], &[1, 0x7f, 1]),
        // Floats of any width, and integers as floats and the other way round.
        ("f64", &[0xf9, 0x3e, 0], &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        (
            "f32",
            &[0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0xc0, 0x3f],
        ),
        ("f32", &[0xf9, 0x7c, 0], &[0, 0, 0x80, 0x7f]),
        ("f32", &[0x22], &[0, 0, 0x40, 0xc0]),
        ("u32", &[0xfb, 0x40, 0x59, 0, 0, 0, 0, 0, 0], &[100]),
        // Null, undefined, and keys that are not there.
        ("option<u8>", &[0xf7], &[0]),
        ("point", &[0xa2, 0x61, b'y', 0xf6, 0x61, b'x', 1], &[1, 0]),
        ("point", &[0xa1, 0x61, b'x', 1], &[1, 0]),
        // Keys and values as in JSON.
        (
            "map<s16, bool>",
            &[0xa1, 0x62, b'-', b'1', 0xf5],
            &[1, 0x7f, 1],
        ),
        (
            "map<bool, u8>",
            &[0xa1, 0x64, b't', b'r', b'u', b'e', 7],
            &[1, 1, 7],
        ),
        ("list<u8>", &[0x64, b'A', b'Q', b'=', b'='], &[1, 1]),
        (
            "f64",
            &[0x63, b'N', b'a', b'N'],
            &[0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
        ),
        // A body that describes itself.
        ("u8", &[0xd9, 0xd9, 0xf7, 7], &[7]),
    ];
    for (of, body, expected) in cases {
        assert_eq!(read(body, of), Ok(expected.to_vec()), "{of} {body:x?}");
    }
}

#[test]
fn problems_have_pointers() {
    let problems = |body: &[u8], of: &str| match read(body, of) {
        Err(DecodeError::Invalid(problems)) => {
            problems.iter().map(Problem::to_string).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let body = [
        0x82, 0x81, 1, 0xa3, 0x61, b'x', 0xf9, 0x3e, 0, 1, 2, 0x61, b'z', 0xa0,
    ];
    assert_eq!(
        problems(&body, "list<point>"),
        [
            "at `/0`: expected an object with `x`, `y`, found an array",
            "at `/1/x`: expected an integer from -32768 to 32767, found 1.5",
            "at `/1`: expected keys that are strings, found 1",
            "at `/1/z`: expected one of `x`, `y`, found an unknown key",
        ]
    );
    assert_eq!(
        problems(&[0xa2, 1, 1, 1, 2], "map<u8, u8>"),
        ["at `/1`: expected each key once, found the key again"]
    );
    assert_eq!(
        problems(&[0xa2, 1, 1, 0x61, b'1', 2], "map<u8, u8>"),
        ["at `/1`: expected each key once, found the key again"]
    );
    assert_eq!(
        problems(&[0x3b, 255, 255, 255, 255, 255, 255, 255, 255], "s64"),
        [
            "at ``: expected an integer from -9223372036854775808 to 9223372036854775807, found \
          -18446744073709551616"
        ]
    );
    assert_eq!(
        problems(&[0x41, 1], "string"),
        ["at ``: expected a string, found a byte string"]
    );
    assert_eq!(
        problems(&[0xfb, 0x7f, 0xef, 255, 255, 255, 255, 255, 255], "f32"),
        ["at ``: expected a number of 32 bits, found 1.7976931348623157e308"]
    );
}

#[test]
fn malformed_bodies_are_errors_with_their_offset() {
    let cases: [(&[u8], &str, &str); 13] = [
        (
            &[],
            "u8",
            "byte 0: expected a value, found the end of the body",
        ),
        (
            &[0x19, 1],
            "u8",
            "byte 2: expected more bytes, found the end of the body",
        ),
        (
            &[0x62, b'a'],
            "string",
            "byte 2: expected more bytes, found the end of the body",
        ),
        (
            &[0x82, 1],
            "list<u16>",
            "byte 2: expected a value, found the end of the body",
        ),
        (
            &[0x9f, 1],
            "list<u16>",
            "byte 2: expected more bytes, found the end of the body",
        ),
        (
            &[0x61, 0xff],
            "string",
            "byte 0: expected UTF-8, found other bytes",
        ),
        (
            &[0xff],
            "u8",
            "byte 0: expected a value, found the byte 0xff",
        ),
        (
            &[0xf8, 24],
            "u8",
            "byte 0: expected a value, found the byte 0xf8",
        ),
        (
            &[0x1c],
            "u8",
            "byte 0: expected well-formed CBOR, found the byte 0x1c",
        ),
        (
            &[0xc2, 0x41, 1],
            "u64",
            "byte 0: expected a value without a tag, found the byte 0xc2",
        ),
        (
            &[1, 2],
            "u8",
            "byte 1: expected the end of the body, found the byte 0x02",
        ),
        (
            &[0xa1, 0x80, 1],
            "point",
            "byte 1: expected a key that is no array or map, found the \
            byte 0x80",
        ),
        (
            &[0x7f, 0x7f, 0xff, 0xff],
            "string",
            "byte 0: expected a length within the body, found \
            another",
        ),
    ];
    for (body, of, expected) in cases {
        let error = read(body, of).unwrap_err().to_string();
        assert_eq!(error, format!("malformed body at {expected}"), "{body:x?}");
    }
}

#[test]
fn lengths_that_no_body_has_allocate_little() {
    let huge = [0xff_u8; 8];
    for (start, of) in [
        (0x5b, "list<u8>"),
        (0x7b, "string"),
        (0x9b, "list<u16>"),
        (0xbb, "point"),
    ] {
        let body = [&[start][..], &huge].concat();
        let ty = ty(of);
        let allocated = allocation_counter::measure(|| {
            let read = read_with(Format::Cbor, &body, &ty, Settings::default());
            assert!(read.is_err(), "{of}");
        });
        assert!(allocated.bytes_max < 1 << 15, "{of}: {allocated:?}");
    }
}

#[test]
fn the_start_of_a_body_is_no_body() {
    let bytes = [2, 0x7f, 1, 0, 0, 0x80, 0x3f, 3, 0];
    let points = ty("list<point>");
    let body = write_with(Format::Cbor, &bytes, &points, Settings::default()).unwrap();
    for end in 0..body.len() {
        let read = read_with(Format::Cbor, &body[..end], &points, Settings::default());
        assert!(
            matches!(read, Err(DecodeError::Syntax(_))),
            "{end}: {read:?}"
        );
    }
}
