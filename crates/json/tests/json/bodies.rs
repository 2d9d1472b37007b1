//! Tests of bodies with problems: where they are reported, and what a body costs.

use std::time::{Duration, Instant};

use weft_json::{
    Argument, DecodeError, Format, Function, MAX_PROBLEMS, Names, Settings, Type, decode,
};
use weft_wire::{Encoder, Limits};

use crate::support::{function, param, problems, read, read_with, syntax};

const ITEMS: &str = "
    record line { sku: string, unit-price: u32, note: option<string> }
    record order { id: u64, lines: list<line>, paid: bool }
    variant shape { dot, circle(f32), named(line), maybe(option<u8>) }
    enum size { small, large }
    flags marks { is-new, is-cheap }";

fn ty(name: &str) -> Type {
    param(ITEMS, name)
}

#[test]
fn all_problems_of_a_body_are_reported_each_with_its_pointer() {
    let body = r#"{
        "id": -1,
        "lines": [
            {"sku": "a", "unitPrice": 1},
            {"sku": 7, "unitPrice": 4294967296, "extra": {"a": [1, 2]}},
            {"unitPrice": 1.5, "unitPrice": 2},
            "none"
        ],
        "paid": null
    }"#;
    assert_eq!(
        problems(body, &ty("order")),
        [
            "at `/id`: expected an integer from 0 to 18446744073709551615, found -1",
            "at `/lines/1/sku`: expected a string, found 7",
            "at `/lines/1/unitPrice`: expected an integer from 0 to 4294967295, found 4294967296",
            "at `/lines/1/extra`: expected one of `sku`, `unitPrice`, `note`, found an unknown key",
            "at `/lines/2/unitPrice`: expected an integer from 0 to 4294967295, found 1.5",
            "at `/lines/2/unitPrice`: expected each key once, found the key again",
            "at `/lines/2/sku`: expected a string, found nothing",
            "at `/lines/3`: expected an object with `sku`, `unitPrice`, `note`, found the string \
             \"none\"",
            "at `/paid`: expected true or false, found null",
        ]
    );
}

#[test]
fn each_type_names_its_form_and_what_was_found() {
    let cases = [
        ("bool", "1", "at ``: expected true or false, found 1"),
        (
            "u8",
            "256",
            "at ``: expected an integer from 0 to 255, found 256",
        ),
        (
            "s8",
            "-129",
            "at ``: expected an integer from -128 to 127, found -129",
        ),
        (
            "u8",
            "\"1\"",
            "at ``: expected an integer from 0 to 255, found the string \"1\"",
        ),
        (
            "s64",
            "\"1.0\"",
            "at ``: expected an integer from -9223372036854775808 to \
            9223372036854775807, found the string \"1.0\"",
        ),
        (
            "f32",
            "1e39",
            "at ``: expected a number of 32 bits, found 1e39",
        ),
        (
            "f64",
            "1e999999",
            "at ``: expected a number of 64 bits, found 1e999999",
        ),
        (
            "f64",
            "\"nan\"",
            "at ``: expected a number of 64 bits, found the string \"nan\"",
        ),
        (
            "char",
            "\"ab\"",
            "at ``: expected a string of one character, found the string \"ab\"",
        ),
        (
            "char",
            "\"\"",
            "at ``: expected a string of one character, found the string \"\"",
        ),
        ("string", "[1]", "at ``: expected a string, found an array"),
        (
            "string",
            r#""\ud800""#,
            "at ``: expected a string, found a string with half of a \
            surrogate pair",
        ),
        (
            "list<u8>",
            "\"a\"",
            "at ``: expected a string of base64, found the string \"a\"",
        ),
        (
            "list<u8>",
            "[1]",
            "at ``: expected a string of base64, found an array",
        ),
        (
            "list<u16>",
            "{}",
            "at ``: expected an array, found an object",
        ),
        (
            "tuple<u8, bool>",
            "[1]",
            "at ``: expected an array of 2, found an array of 1",
        ),
        (
            "tuple<u8>",
            "[1, [2]]",
            "at ``: expected an array of 1, found an array of 2",
        ),
        (
            "size",
            "\"huge\"",
            "at ``: expected one of `small`, `large`, found the string \"huge\"",
        ),
        (
            "option<u8>",
            "true",
            "at ``: expected an integer from 0 to 255, found true",
        ),
        (
            "marks",
            r#"{"isNew": 1}"#,
            "at `/isNew`: expected true or false, found 1",
        ),
        (
            "marks",
            r#"{"is-new": true}"#,
            "at `/is-new`: expected one of `isNew`, `isCheap`, found an unknown key",
        ),
        (
            "marks",
            r#"{"isNew": true, "isNew": true}"#,
            "at `/isNew`: expected each key once, found the key again",
        ),
        (
            "map<u8, bool>",
            r#"{"01": true}"#,
            "at `/01`: expected a key that is an integer from 0 to 255, found the string \"01\"",
        ),
        (
            "map<string, u8>",
            r#"{"a": 1, "b": 2, "\u0061": 3}"#,
            "at `/a`: expected each key once, found the key again",
        ),
        (
            "map<string, u8>",
            r#"{"a/b~": -1}"#,
            "at `/a~1b~0`: expected an integer from 0 to 255, found -1",
        ),
        (
            "shape",
            r#"{"val": 1}"#,
            "at `/tag`: expected one of `dot`, `circle`, `named`, `maybe`, found nothing",
        ),
        (
            "shape",
            r#"{"tag": "Dot"}"#,
            "at `/tag`: expected one of `dot`, `circle`, `named`, `maybe`, found the string \
             \"Dot\"",
        ),
        (
            "shape",
            r#"{"tag": "dot", "val": null}"#,
            "at `/val`: expected no `val` beside this `tag`, found a value",
        ),
        (
            "shape",
            r#"{"val": {"sku": 1, "unitPrice": 1}, "tag": "named"}"#,
            "at `/val/sku`: expected a string, found 1",
        ),
        (
            "shape",
            r#"{"tag": "circle"}"#,
            "at `/val`: expected a number of 32 bits, found nothing",
        ),
        (
            "shape",
            r#"{"tag": "dot", "tag": "dot"}"#,
            "at `/tag`: expected each key once, found the key again",
        ),
        (
            "shape",
            r#""dot""#,
            "at ``: expected an object with `tag`, found the string \"dot\"",
        ),
        (
            "result<u8>",
            r#"{"ok": 1}"#,
            "at `/ok`: expected one of `tag`, `val`, found an unknown \
            key",
        ),
        (
            "option<option<u8>>",
            "null",
            "at ``: expected an object with `tag`, found null",
        ),
    ];
    for (of, body, expected) in cases {
        let found = problems(body, &ty(of));
        assert_eq!(found[0], expected, "{of}: {body}");
    }
}

#[test]
fn a_key_without_a_value_is_none_of_an_option() {
    let cases = [
        ("line", r#"{"sku":"a","unitPrice":1}"#, vec![1, b'a', 1, 0]),
        (
            "line",
            r#"{"sku":"a","unitPrice":1,"note":null}"#,
            vec![1, b'a', 1, 0],
        ),
        ("shape", r#"{"tag":"maybe"}"#, vec![3, 0]),
        ("shape", r#"{"val":null,"tag":"maybe"}"#, vec![3, 0]),
        ("shape", r#"{"val":5,"tag":"maybe"}"#, vec![3, 1, 5]),
        ("option<option<u8>>", r#"{"tag":"none"}"#, vec![0]),
        ("option<option<u8>>", r#"{"tag":"some"}"#, vec![1, 0]),
        ("marks", "{}", vec![0]),
    ];
    for (of, body, bytes) in cases {
        assert_eq!(read(body, &ty(of)), Ok(bytes), "{of}: {body}");
    }
}

#[test]
fn fields_come_out_in_the_order_of_wit() {
    let nested = "record inner { a: u8, b: list<inner2>, c: u8 } record inner2 { x: u8, y: string }
        record outer { p: inner, q: option<u8>, r: inner }";
    let ty = param(nested, "outer");
    let inner = r#"{"c":3,"b":[{"y":"é","x":9},{"x":8,"y":""}],"a":1}"#;
    let body = format!(r#"{{"r":{inner},"p":{inner}}}"#);
    let inner = [1, 2, 9, 2, 0xc3, 0xa9, 8, 0, 3];
    let expected = [&inner[..], &[0], &inner].concat();
    assert_eq!(read(&body, &ty), Ok(expected));
}

#[test]
fn the_names_of_wit_are_keys_if_the_setting_is_so() {
    let settings = Settings {
        names: Names::Kebab,
        ..Settings::default()
    };
    let body = br#"{"unit-price":1,"sku":"a"}"#;
    let read = read_with(Format::Json, body, &ty("line"), settings);
    assert_eq!(read, Ok(vec![1, b'a', 1, 0]));
    let camel = br#"{"unitPrice":1,"sku":"a"}"#;
    assert!(read_with(Format::Json, camel, &ty("line"), settings).is_err());
}

#[test]
fn reading_ends_at_the_last_problem_that_is_reported() {
    let many = format!("[{}", "-1,".repeat(1_000_000));
    let found = problems(&many, &ty("list<u16>"));
    assert_eq!(found.len(), MAX_PROBLEMS);
    assert!(found[31].starts_with("at `/31`"));
}

#[test]
fn syntax_errors_have_a_line_and_a_column() {
    let cases: [(&[u8], &str); 24] = [
        (
            b"",
            "line 1, column 1: expected a value, found the end of the body",
        ),
        (
            b"{",
            "line 1, column 2: expected `,` or `}`, found the end of the body",
        ),
        (
            b"{\n  \"id\" 1",
            "line 2, column 8: expected `:`, found `1`",
        ),
        (
            b"{\"id\":1,}",
            "line 1, column 9: expected a key in quotes, found `}`",
        ),
        (
            b"{\"id\":1 \"paid\":true}",
            "line 1, column 9: expected `,` or `}`, found `\"`",
        ),
        (
            b"{'id':1}",
            "line 1, column 2: expected a key in quotes, found `'`",
        ),
        (
            b"{\"lines\":[,]}",
            "line 1, column 11: expected a value, found `,`",
        ),
        (
            b"{\"lines\":[}",
            "line 1, column 11: expected a value, found `}`",
        ),
        (
            b"{\"id\":01}",
            "line 1, column 8: expected `,` or `}`, found `1`",
        ),
        (
            b"{\"id\":1.}",
            "line 1, column 9: expected a digit, found `}`",
        ),
        (
            b"{\"id\":-}",
            "line 1, column 8: expected a digit, found `}`",
        ),
        (
            b"{\"id\":1e}",
            "line 1, column 9: expected a digit, found `}`",
        ),
        (
            b"{\"id\":+1}",
            "line 1, column 7: expected a value, found `+`",
        ),
        (
            b"{\"id\":NaN}",
            "line 1, column 7: expected a value, found `N`",
        ),
        (
            b"nul",
            "line 1, column 4: expected null, found the end of the body",
        ),
        (b"trua", "line 1, column 4: expected true, found `a`"),
        (
            b"\"a\nb\"",
            "line 1, column 3: expected `\"`, or a character of a string, found U+000A",
        ),
        (
            b"\"\xe2\x82\xac\\x\"",
            "line 1, column 4: expected one of `\"\\/bfnrtu`, found `x`",
        ),
        (
            b"\"\\u12g4\"",
            "line 1, column 6: expected a hexadecimal digit, found `g`",
        ),
        (
            b"\"abc",
            "line 1, column 5: expected `\"`, or a character of a string, found the end of \
            the body",
        ),
        (
            b"{} \n {}",
            "line 2, column 2: expected the end of the body, found `{`",
        ),
        (
            b"{\"a\xff\":1}",
            "line 1, column 4: expected UTF-8, found the byte 0xff",
        ),
        (
            b"\n\"\xed\xa0\x80\"",
            "line 2, column 2: expected UTF-8, found the byte 0xed",
        ),
        (
            b"\xef\xbb\xbf{}",
            "line 1, column 1: expected a value, found `\u{feff}`",
        ),
    ];
    for (body, expected) in cases {
        let expected = format!("malformed body at {expected}");
        assert_eq!(
            syntax(body, &ty("order")),
            expected,
            "{}",
            body.escape_ascii()
        );
    }
}

#[test]
fn half_a_surrogate_pair_is_a_problem_of_its_string_only() {
    let body = r#"{"sku":"\ud83d\ude00","unitPrice":1,"note":"\ude00\ud83dx"}"#;
    let expected = "at `/note`: expected a string, found a string with half of a surrogate pair";
    assert_eq!(problems(body, &ty("line")), [expected]);
    let half_keys = r#"{"\ud800":1}"#;
    for of in ["map<string, u8>", "map<char, u8>"] {
        assert_eq!(problems(half_keys, &ty(of)).len(), 1);
    }
    let pair = r#"{"😀":1,"\ud83d\ude00":2}"#;
    assert!(problems(pair, &ty("map<char, u8>"))[0].contains("each key once"));
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    let deep = |open: &str, close: &str, levels: usize| {
        format!(
            "{{\"extra\":{}1{}}}",
            open.repeat(levels),
            close.repeat(levels)
        )
    };
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let error = syntax(deep(open, close, 100_000).as_bytes(), &ty("line"));
        assert!(
            error.contains("expected at most 128 levels, found more"),
            "{error}"
        );
        // Less is skipped.
        assert_eq!(problems(&deep(open, close, 100), &ty("line")).len(), 3);
    }
    let half = "[".repeat(1_000_000);
    assert!(syntax(half.as_bytes(), &ty("u8")).contains("128 levels"));
    let cbor = vec![0x81; 1_000_000];
    let error = read_with(Format::Cbor, &cbor, &ty("u8"), Settings::default());
    assert!(matches!(error, Err(DecodeError::Syntax(error)) if error.expected.contains("128")));
}

#[test]
fn a_type_as_deep_as_a_value_is_read_and_written() {
    let mut items = String::from("type t0 = list<u16>;\n");
    for level in 1..100 {
        let below = level - 1;
        items += &format!("variant t{level} {{ leaf, of(t{below}) }}\n");
    }
    let ty = param(&items, "t99");
    let body = format!(
        "{}[7]{}",
        r#"{"tag":"of","val":"#.repeat(99),
        "}".repeat(99)
    );
    let mut expected = vec![1; 99];
    expected.extend([1, 7]);
    assert_eq!(read(&body, &ty), Ok(expected.clone()));
    assert_eq!(crate::support::write(&expected, &ty), Ok(body));
}

#[test]
fn huge_numbers_are_read_in_linear_time() {
    let digits = "9".repeat(1 << 20);
    let fraction = format!("1.{}", "0".repeat(1 << 20));
    let tiny = format!("0.{}1", "0".repeat(1 << 20));
    let start = Instant::now();
    assert!(problems(&digits, &ty("u64"))[0].ends_with("9…"));
    assert_eq!(problems(&digits, &ty("f64")).len(), 1);
    assert_eq!(read(&fraction, &ty("u8")), Ok(vec![1]));
    assert_eq!(read(&tiny, &ty("f64")), Ok(vec![0; 8]));
    assert_eq!(
        read("1e-999999999999999999999999", &ty("f32")),
        Ok(vec![0; 4])
    );
    assert_eq!(problems("-1e999999999999999999999999", &ty("s64")).len(), 1);
    // Quadratic time would take minutes.
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn long_keys_and_strings_are_cut_in_problems() {
    let long = "k".repeat(1 << 20);
    let found = problems(&format!(r#"{{"{long}":1}}"#), &ty("marks"));
    assert!(found[0].len() < 300, "{}", found[0].len());
    let found = problems(&format!(r#""{long}""#), &ty("size"));
    assert!(found[0].len() < 200, "{}", found[0].len());
}

fn limited(body: &str, of: &str, limits: Limits) -> Result<usize, DecodeError> {
    let mut out = Vec::new();
    let settings = Settings::default();
    decode::value(
        Format::Json,
        body.as_bytes(),
        &ty(of),
        settings,
        limits,
        &mut out,
    )?;
    Ok(out.len())
}

#[test]
fn encoded_bytes_have_a_limit_for_every_type() {
    let limit = |bytes| Limits {
        bytes,
        ..Limits::LINK
    };
    let bodies = [
        ("list<u16>", "[1,2,3]"),
        ("list<bool>", "[true,false,true]"),
        ("string", "\"abc\""),
        ("list<u8>", "\"AQID\""),
        ("f32", "1"),
        ("map<u8, u8>", r#"{"1":1}"#),
        ("tuple<u8, u8>", "[1,2]"),
        ("line", r#"{"note":null,"unitPrice":1,"sku":""}"#),
        ("shape", r#"{"tag":"maybe","val":1}"#),
        ("option<char>", "\"€\""),
    ];
    for (of, body) in bodies {
        let length = limited(body, of, Limits::LINK).unwrap();
        assert_eq!(limited(body, of, limit(length)), Ok(length), "{of}");
        for bytes in 0..length {
            let error = limited(body, of, limit(bytes));
            assert_eq!(error, Err(DecodeError::TooLarge { limit: bytes }), "{of}");
        }
    }
}

#[test]
fn elements_have_a_limit_over_all_lists() {
    let limits = Limits {
        elements: 4,
        ..Limits::LINK
    };
    assert_eq!(limited("[[1],[2]]", "list<list<u16>>", limits), Ok(5));
    let error = limited("[[1],[2,3]]", "list<list<u16>>", limits).unwrap_err();
    let DecodeError::Invalid(problems) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        problems[0].to_string(),
        "at `/1`: expected at most 4 elements in all, found more"
    );
    assert!(
        limited(
            r#"{"a":1,"b":1,"c":1,"d":1,"e":1}"#,
            "map<string, u8>",
            limits
        )
        .is_err()
    );
    assert_eq!(limited("\"AQIDBAUG\"", "list<u8>", limits), Ok(7));
}

#[test]
fn arrays_of_a_million_elements_are_read() {
    let body = format!("[{}0]", "0,".repeat(999_999));
    assert_eq!(limited(&body, "list<u16>", Limits::LINK), Ok(1_000_003));
    let keys: Vec<_> = (0..200_000).map(|key| format!("\"{key}\":0")).collect();
    let body = format!("{{{}}}", keys.join(","));
    assert!(limited(&body, "map<u32, u8>", Limits::LINK).is_ok());
    let body = format!("{{{},\"7\":0}}", keys.join(","));
    assert!(limited(&body, "map<u32, u8>", Limits::LINK).is_err());
}

// === Arguments ===

fn arguments(
    function: &Function,
    body: &str,
    from_elsewhere: &[(&str, &[u8])],
) -> Result<Vec<u8>, DecodeError> {
    let arguments = function.params.iter().map(|param| {
        let found = from_elsewhere.iter();
        let mut found = found.filter(|(name, _)| *name == param.name.wit());
        match found.next() {
            Some((_, bytes)) => Argument::Encoded(bytes),
            None => Argument::Body(param),
        }
    });
    let arguments: Vec<_> = arguments.collect();
    let mut out = vec![0xee];
    let (settings, limits) = (Settings::default(), Limits::LINK);
    let body = body.as_bytes();
    decode::arguments(Format::Json, body, &arguments, settings, limits, &mut out)?;
    assert_eq!(out[0], 0xee);
    Ok(out.split_off(1))
}

#[test]
fn parameters_of_a_body_are_joined_with_those_from_elsewhere() {
    let f = function(
        "f: func(a: string, order-id: u16, c: option<u8>, d: bool);",
        "f",
    );
    let a: (&str, &[u8]) = ("a", &[1, b'x']);
    let id: (&str, &[u8]) = ("order-id", &[0xac, 2]);
    let d: (&str, &[u8]) = ("d", &[1]);
    let expected = Ok(vec![1, b'x', 0xac, 2, 0, 1]);
    let all = r#"{"d":true,"orderId":300,"a":"x"}"#;
    assert_eq!(arguments(&f, all, &[]), expected);
    assert_eq!(arguments(&f, r#"{"d":true,"orderId":300}"#, &[a]), expected);
    assert_eq!(arguments(&f, r#"{"d":true,"a":"x"}"#, &[id]), expected);
    assert_eq!(arguments(&f, r#"{"a":"x"}"#, &[d, id]), expected);
    assert_eq!(arguments(&f, "{}", &[a, d, id]), expected);
    let twice = arguments(&f, all, &[id]).unwrap_err();
    assert_eq!(
        twice.to_string(),
        "body does not have the expected type, 1 problems, the first at `/orderId`: expected one \
         of `a`, `c`, `d`, found an unknown key"
    );
    let missing = arguments(&f, "{}", &[]).unwrap_err();
    assert!(matches!(missing, DecodeError::Invalid(problems) if problems.len() == 3));
    let other = arguments(&f, "[1]", &[]).unwrap_err();
    assert!(other.to_string().ends_with("found an array"));
}

#[test]
fn arguments_from_elsewhere_count_for_the_limit() {
    let f = function("f: func(a: string, b: string);", "f");
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 100);
    encoder.string("0123456789").unwrap();
    let arguments = [Argument::Encoded(&bytes), Argument::Body(&f.params[1])];
    let read = |limit| {
        let limits = Limits {
            bytes: limit,
            ..Limits::LINK
        };
        let (body, settings) = (br#"{"b":"x"}"#, Settings::default());
        decode::arguments(
            Format::Json,
            body,
            &arguments,
            settings,
            limits,
            &mut Vec::new(),
        )
    };
    assert_eq!(read(13), Ok(()));
    assert_eq!(read(12), Err(DecodeError::TooLarge { limit: 12 }));
}

// === Costs ===

/// A body of orders of about this length, with keys in another order than in WIT, and its type.
fn orders(length: usize) -> (String, Type) {
    let line = r#"{"unitPrice":1250,"note":"a \"quoted\" note\n","sku":"tea-and-coffee"}"#;
    let order =
        format!(r#"{{"paid":false,"lines":[{line},{line},{line}],"id":18446744073709551615}}"#);
    let count = length / order.len();
    (
        format!("[{}]", vec![order; count].join(",\n  ")),
        ty("list<order>"),
    )
}

#[test]
fn a_body_takes_little_more_memory_than_itself_and_its_value() {
    let escaped = format!("\"{}\"", r"\u00e9\n".repeat(50_000));
    let numbers = format!("[{}1]", "4294967295, ".repeat(50_000));
    // Up to four times as long on the wire.
    let floats = format!("[{}1]", "1,".repeat(100_000));
    let longer = format!(r#"{{"b":true,"a":[{}1]}}"#, "10,".repeat(100_000));
    let unordered = format!(r#"{{"b":true,"a":{floats}}}"#);
    let record = param("record r { a: list<f64>, b: bool }", "r");
    let keys: Vec<_> = (0..50_000).map(|key| format!("\"key-{key}\": 1")).collect();
    let map = format!("{{{}}}", keys.join(","));
    let cases = [
        orders(1 << 20),
        (escaped, ty("string")),
        (numbers, ty("list<u32>")),
        (map, ty("map<string, u8>")),
        (floats.clone(), ty("list<f64>")),
        (unordered, record.clone()),
        (longer, record),
    ];
    for (body, ty) in cases {
        let mut encoded = 0;
        let allocated = allocation_counter::measure(|| {
            let (body, mut out) = (body.as_bytes(), Vec::new());
            let (settings, limits) = (Settings::default(), Limits::LINK);
            decode::value(Format::Json, body, &ty, settings, limits, &mut out).unwrap();
            encoded = out.len();
        });
        let used = body.len() as u64 + allocated.bytes_max;
        let bound = 2 * (body.len() + encoded) as u64;
        assert!(used <= bound, "{used} bytes of memory, {bound} allowed");
    }
}

#[test]
fn every_name_of_a_large_type_is_found() {
    let list = |name: &dyn Fn(usize) -> String| {
        let names: Vec<_> = (0..1000).map(name).collect();
        names.join(", ")
    };
    let cases = list(&|index| format!("c{index}"));
    let fields = list(&|index| format!("a-field{index}: option<u8>"));
    let flags = list(&|index| format!("is-b{index}"));
    let keys = |start: &str, value: &str| {
        let keys = (0..1000).rev();
        list(&|index| {
            format!(
                "\"{start}{}\":{value}",
                keys.clone().nth(index).expect("a key")
            )
        })
    };
    let bodies = [
        ("enum", &cases, list(&|index| format!("\"c{index}\""))),
        (
            "variant",
            &cases,
            list(&|index| format!(r#"{{"tag":"c{index}"}}"#)),
        ),
        ("flags", &flags, format!("{{{}}}", keys("isB", "true"))),
        ("flags", &flags, format!("{{{}}}", keys("is-b", "true"))),
        ("record", &fields, format!("{{{}}}", keys("aField", "1"))),
        ("record", &fields, format!("{{{}}}", keys("a-field", "1"))),
    ];
    for (kind, names, body) in bodies {
        let ty = param(&format!("{kind} t {{ {names} }}"), "list<t>");
        let settings = Settings {
            names: if body.contains('-') {
                Names::Kebab
            } else {
                Names::Camel
            },
            ..Settings::default()
        };
        let body = format!("[{}]", body.replace(", ", ","));
        let bytes = read_with(Format::Json, body.as_bytes(), &ty, settings).unwrap();
        let again = crate::support::write_with(Format::Json, &bytes, &ty, settings).unwrap();
        // Keys are written in the order of WIT.
        let sorted = |body: &str| {
            let mut parts: Vec<_> = body.split([',', '{', '}']).collect();
            parts.sort_unstable();
            parts.join(" ")
        };
        assert_eq!(sorted(&String::from_utf8(again).unwrap()), sorted(&body));
        let unknown = body.replace("999", "1000");
        assert!(read_with(Format::Json, unknown.as_bytes(), &ty, settings).is_err());
    }
}

#[test]
fn a_mebibyte_that_is_wrong_in_its_last_element_is_refused_at_once() {
    let (mut body, ty) = orders(1 << 20);
    body.truncate(body.len() - 1);
    body += r#",{"id":1,"lines":[],"paid":0}]"#;
    let start = Instant::now();
    let found = problems(&body, &ty);
    let time = start.elapsed();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with("/paid`: expected true or false, found 0"),
        "{found:?}"
    );
    // A release takes a few milliseconds; this has little optimization, on a shared machine.
    assert!(time < Duration::from_millis(500), "{time:?}");
}
