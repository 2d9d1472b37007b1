//! Tests of bodies that are written from value bytes, which can be hostile.

use weft_json::{CaseValue, EncodeError, Format, Int64, Names, Settings, Type, encode};

use crate::support::{function, param, write, write_with};

const ITEMS: &str = "
    record line { sku: string, unit-price: u64, of: option<option<u8>>, note: option<string> }
    variant error { empty, out-of-stock(string) }
    enum size { small, extra-large }
    flags marks { is-new, is-cheap, is-old }";

fn ty(name: &str) -> Type {
    param(ITEMS, name)
}

/// The defect of value bytes, at its offset.
fn defect(of: &str, bytes: &[u8]) -> String {
    match write(bytes, &ty(of)) {
        Err(EncodeError::Malformed(error)) => error.to_string(),
        other => panic!("{of} {bytes:?}: {other:?}"),
    }
}

#[test]
fn malformed_value_bytes_are_typed_errors() {
    let cases: [(&str, &[u8], &str); 14] = [
        (
            "bool",
            &[2],
            "at byte 0: expected a `bool`, 0 or 1, found 2",
        ),
        ("u8", &[], "at byte 0: expected 1 more bytes, found 0"),
        (
            "u16",
            &[255, 255, 4],
            "at byte 0: expected an integer of 16 bits, found a larger one",
        ),
        (
            "char",
            &[0xed, 0xa0, 0x80],
            "at byte 0: expected the UTF-8 of one `char`, found other \
            bytes",
        ),
        (
            "string",
            &[2, b'a', 0xff],
            "at byte 2: expected UTF-8, found other bytes",
        ),
        (
            "list<u8>",
            &[5, 1],
            "at byte 1: expected 5 more bytes, found 1",
        ),
        (
            "list<u64>",
            &[255, 255, 255, 255, 15],
            "at byte 5: expected 4294967295 more bytes, \
            found 0",
        ),
        (
            "map<u8, f32>",
            &[2, 1, 0, 0, 0, 0],
            "at byte 1: expected 10 more bytes, found 5",
        ),
        ("size", &[2], "at byte 0: expected a case below 2, found 2"),
        ("error", &[2], "at byte 0: expected a case below 2, found 2"),
        (
            "option<u8>",
            &[2],
            "at byte 0: expected a case below 2, found 2",
        ),
        (
            "result",
            &[3],
            "at byte 0: expected a case below 2, found 3",
        ),
        (
            "marks",
            &[8],
            "at byte 0: expected 3 flags, found a higher one set",
        ),
        (
            "u8",
            &[1, 2],
            "at byte 1: expected the end of the value, found 1 more bytes",
        ),
    ];
    for (of, bytes, expected) in cases {
        assert_eq!(defect(of, bytes), expected, "{of}");
    }
}

#[test]
fn a_text_has_a_limit_that_small_values_cannot_pass() {
    let names: Vec<_> = ["x", "y"].map(|letter| letter.repeat(1000)).into();
    let long = param(
        &format!("enum long {{ {}, {} }}", names[0], names[1]),
        "list<long>",
    );
    let mut bytes = vec![0xc0, 0x84, 0x3d];
    bytes.resize(3 + 1_000_000, 1);
    let limit = 1 << 20;
    for format in [Format::Json, Format::Cbor] {
        let mut out = Vec::new();
        let written = encode::value(format, &bytes, &long, Settings::default(), limit, &mut out);
        assert_eq!(written, Err(EncodeError::TooLarge { limit }));
        assert!(out.len() <= limit && out.capacity() <= 2 * limit);
    }
}

#[test]
fn every_form_of_a_text_is_within_the_limit() {
    let cases: [(&str, &[u8]); 9] = [
        ("string", b"\x05a\"\n\x01\xc3"),
        ("list<u8>", &[4, 1, 2, 3, 4]),
        ("list<f64>", &[1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]),
        ("map<s8, bool>", &[1, 0xfe, 1]),
        ("map<bool, bool>", &[1, 1, 1]),
        ("line", &[1, b'a', 5, 1, 1, 7, 0]),
        ("error", &[1, 1, b'a']),
        ("marks", &[5]),
        ("option<u8>", &[0]),
    ];
    for (of, bytes) in cases {
        let bytes = match of {
            "string" => b"\x06a\"\n\x01\xc3\xa9",
            _ => bytes,
        };
        for format in [Format::Json, Format::Cbor] {
            let (ty, settings) = (ty(of), Settings::default());
            let whole = write_with(format, bytes, &ty, settings).unwrap();
            for limit in 0..=whole.len() {
                let mut out = Vec::new();
                let written = encode::value(format, bytes, &ty, settings, limit, &mut out);
                let expected = match limit == whole.len() {
                    true => Ok(()),
                    false => Err(EncodeError::TooLarge { limit }),
                };
                assert_eq!(written, expected, "{of}");
                assert!(out.len() <= limit);
            }
        }
    }
}

#[test]
fn settings_change_keys_and_integers_of_64_bits() {
    let bytes = [1, b'a', 5, 1, 1, 7, 0];
    let body = |names, int64| {
        let settings = Settings { names, int64 };
        let body = write_with(Format::Json, &bytes, &ty("line"), settings).unwrap();
        String::from_utf8(body).unwrap()
    };
    assert_eq!(
        body(Names::Camel, Int64::Number),
        r#"{"sku":"a","unitPrice":5,"of":{"tag":"some","val":7}}"#
    );
    assert_eq!(
        body(Names::Kebab, Int64::String),
        r#"{"sku":"a","unit-price":"5","of":{"tag":"some","val":7}}"#
    );
    let settings = Settings {
        names: Names::Camel,
        int64: Int64::String,
    };
    // Only types of 64 bits are strings, and CBOR has integers.
    let tuple = ty("tuple<u32, s64>");
    let body = write_with(Format::Json, &[1, 0x7f], &tuple, settings);
    assert_eq!(body, Ok(br#"[1,"-1"]"#.to_vec()));
    let body = write_with(Format::Cbor, &[1, 0x7f], &tuple, settings);
    assert_eq!(body, Ok(vec![0x82, 1, 0x20]));
}

#[test]
fn a_stream_is_no_body() {
    let f = function("f: async func() -> stream<u8>;", "f");
    let stream = f.result.unwrap();
    assert_eq!(write(&[2], &stream), Err(EncodeError::Stream));
    assert_eq!(
        crate::support::problems("[1]", &stream),
        ["at ``: expected a body that is streamed, found an array"]
    );
}

#[test]
fn a_case_is_found_with_its_payload() {
    let name = |of: &str, bytes: &[u8]| {
        let ty = ty(of);
        let case = encode::case(&ty, bytes).unwrap();
        case.map(|CaseValue { name, payload }| {
            (name.to_owned(), payload.map(|(_, bytes)| bytes.to_vec()))
        })
    };
    let found =
        |name: &str, payload: Option<&[u8]>| Some((name.to_owned(), payload.map(<[u8]>::to_vec)));
    assert_eq!(name("error", &[0]), found("empty", None));
    assert_eq!(
        name("error", &[1, 1, 97]),
        found("out-of-stock", Some(&[1, 97]))
    );
    assert_eq!(name("size", &[1]), found("extra-large", None));
    assert_eq!(name("option<u8>", &[0]), found("none", None));
    assert_eq!(name("option<u8>", &[1, 7]), found("some", Some(&[7])));
    assert_eq!(name("result<u8>", &[0, 7]), found("ok", Some(&[7])));
    assert_eq!(name("result<u8>", &[1]), found("err", None));
    assert_eq!(name("line", &[1]), None);
    assert!(encode::case(&ty("error"), &[2]).is_err());
    assert!(encode::case(&ty("error"), &[]).is_err());
}

#[test]
fn a_field_is_found_along_a_path() {
    let items = "record inner { a: string, id: u16 } record outer { x: list<u8>, of: inner }";
    let ty = param(items, "outer");
    let bytes = [2, 9, 9, 1, b'z', 0xac, 2];
    let field = |path: &[&str]| {
        let field = encode::field(&ty, &bytes, path).unwrap();
        field.map(|(_, bytes)| bytes.to_vec())
    };
    assert_eq!(field(&["of", "id"]), Some(vec![0xac, 2]));
    assert_eq!(field(&["of", "a"]), Some(vec![1, b'z']));
    assert_eq!(field(&["x"]), Some(vec![2, 9, 9]));
    assert_eq!(field(&[]), Some(bytes.to_vec()));
    assert_eq!(field(&["of", "missing"]), None);
    assert_eq!(field(&["x", "id"]), None);
    assert!(encode::field(&ty, &bytes[..5], &["of", "id"]).is_err());
}
