//! Tests of values in paths, queries and headers.

use proptest::prelude::*;
use weft_json::text::{self, Bindable};
use weft_json::{EncodeError, Kind, Type};

use crate::model::{Random, Value};
use crate::support::param;

const ITEMS: &str = "enum size { small, extra-large } record point { x: u8 } type sku = string;
    flags marks { a } variant one { only(u8) }";

const WORDS: [&str; 15] = [
    "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char", "string",
    "size", "sku",
];

fn ty(name: &str) -> Type {
    param(ITEMS, name)
}

fn read(of: &str, texts: &[&str]) -> Result<Vec<u8>, String> {
    let mut out = vec![0xee];
    match text::decode(&ty(of), texts, 100, &mut out) {
        Ok(()) => Ok(out.split_off(1)),
        Err(problem) => Err(problem.to_string()),
    }
}

#[test]
fn scalars_strings_and_enums_are_texts_and_options_and_lists_of_them() {
    for word in WORDS {
        assert_eq!(text::bindable(&ty(word)), Some(Bindable::One), "{word}");
        let option = ty(&format!("option<{word}>"));
        assert_eq!(text::bindable(&option), Some(Bindable::Optional));
        let list = ty(&format!("list<{word}>"));
        let expected = (word != "u8").then_some(Bindable::Many);
        assert_eq!(text::bindable(&list), expected);
    }
    let others = [
        "point",
        "marks",
        "one",
        "tuple<u8>",
        "option<option<u8>>",
        "list<list<u8>>",
        "list<option<u8>>",
        "option<list<string>>",
        "map<string, u8>",
        "result<u8>",
        "list<point>",
    ];
    for other in others {
        assert_eq!(text::bindable(&ty(other)), None, "{other}");
        assert!(
            read(other, &["1"])
                .unwrap_err()
                .contains("expected a type that is a text")
        );
        assert_eq!(text::encode(&ty(other), &[0]), Err(EncodeError::NotText));
    }
}

#[test]
fn texts_are_read_as_in_json_without_quotes() {
    let cases: [(&str, &[&str], &[u8]); 16] = [
        ("bool", &["true"], &[1]),
        ("u8", &["41.0"], &[41]),
        ("s16", &["-4e1"], &[0x58]),
        (
            "u64",
            &["18446744073709551615"],
            &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ),
        ("f32", &["-Infinity"], &[0, 0, 0x80, 0xff]),
        ("f64", &["1.5"], &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        ("char", &["€"], "€".as_bytes()),
        ("string", &[""], &[0]),
        ("string", &["\"a\""], &[3, b'"', b'a', b'"']),
        ("size", &["extra-large"], &[1]),
        ("option<u16>", &[], &[0]),
        ("option<u16>", &["7"], &[1, 7]),
        ("option<string>", &[""], &[1, 0]),
        ("list<u16>", &[], &[0]),
        ("list<u16>", &["1", "300"], &[2, 1, 0xac, 2]),
        ("list<string>", &["a,b"], &[1, 3, b'a', b',', b'b']),
    ];
    for (of, texts, bytes) in cases {
        assert_eq!(read(of, texts), Ok(bytes.to_vec()), "{of} {texts:?}");
    }
}

#[test]
fn other_texts_are_problems() {
    let cases: [(&str, &[&str], &str); 17] = [
        ("bool", &["1"], "at ``: expected true or false, found \"1\""),
        (
            "bool",
            &["True"],
            "at ``: expected true or false, found \"True\"",
        ),
        (
            "u8",
            &["256"],
            "at ``: expected an integer from 0 to 255, found \"256\"",
        ),
        (
            "u8",
            &["+1"],
            "at ``: expected an integer from 0 to 255, found \"+1\"",
        ),
        (
            "u8",
            &["01"],
            "at ``: expected an integer from 0 to 255, found \"01\"",
        ),
        (
            "u8",
            &[" 1"],
            "at ``: expected an integer from 0 to 255, found \" 1\"",
        ),
        (
            "u8",
            &["1.5"],
            "at ``: expected an integer from 0 to 255, found \"1.5\"",
        ),
        (
            "u8",
            &[""],
            "at ``: expected an integer from 0 to 255, found \"\"",
        ),
        (
            "f64",
            &["1e999"],
            "at ``: expected a number of 64 bits, found \"1e999\"",
        ),
        (
            "f64",
            &["inf"],
            "at ``: expected a number of 64 bits, found \"inf\"",
        ),
        (
            "char",
            &["ab"],
            "at ``: expected one character, found \"ab\"",
        ),
        (
            "size",
            &["Small"],
            "at ``: expected one of `small`, `extra-large`, found \"Small\"",
        ),
        ("string", &[], "at ``: expected a text, found nothing"),
        (
            "u8",
            &["1", "2"],
            "at ``: expected one value, found 2 values",
        ),
        (
            "option<u8>",
            &["1", "2"],
            "at ``: expected one value, found 2 values",
        ),
        (
            "list<u16>",
            &["1", "x", "y"],
            "at `/1`: expected an integer from 0 to 65535, found \
            \"x\"",
        ),
        (
            "list<string>",
            &["a"; 60],
            "at `/49`: expected a value of at most 100 bytes, found more",
        ),
    ];
    for (of, texts, expected) in cases {
        assert_eq!(read(of, texts), Err(expected.to_owned()), "{of} {texts:?}");
    }
    let long = "x".repeat(1 << 20);
    assert!(read("u8", &[&long]).unwrap_err().len() < 200);
    assert!(
        read("string", &[&long])
            .unwrap_err()
            .contains("at most 100 bytes")
    );
}

#[test]
fn malformed_value_bytes_are_no_text() {
    assert!(matches!(
        text::encode(&ty("size"), &[2]),
        Err(EncodeError::Malformed(_))
    ));
    assert!(matches!(
        text::encode(&ty("u8"), &[1, 2]),
        Err(EncodeError::Malformed(_))
    ));
    assert!(matches!(
        text::encode(&ty("string"), &[1, 255]),
        Err(EncodeError::Malformed(_))
    ));
}

proptest! {
    #[test]
    fn a_value_comes_back_from_its_text(index in 0..WORDS.len(), seed in any::<u64>()) {
        let ty = ty(WORDS[index]);
        let bytes = Value::random(&ty, &mut Random(seed)).wire(&ty);
        let text = text::encode(&ty, &bytes).unwrap();
        let mut out = Vec::new();
        prop_assert_eq!(text::decode(&ty, &[&text], 100, &mut out), Ok(()));
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn a_text_is_read_as_its_json(index in 0..WORDS.len(), text in "[-+0-9.eE]{1,6}|\\PC{0,3}") {
        let ty = ty(WORDS[index]);
        let is_quoted = matches!(ty.kind(), Kind::String | Kind::Enum(_))
            || ["char"].contains(&WORDS[index]);
        let body = match is_quoted {
            true => serde_json::to_string(&text).unwrap(),
            false => text.clone(),
        };
        // White space is allowed in JSON only.
        prop_assume!(is_quoted || text.trim() == text);
        let mut out = Vec::new();
        let read = text::decode(&ty, &[&text], 100, &mut out).map(|()| out);
        let of_body = crate::support::read(&body, &ty);
        if !["NaN", "Infinity", "-Infinity"].contains(&&*text) {
            prop_assert_eq!(read.ok(), of_body.ok());
        }
    }
}
