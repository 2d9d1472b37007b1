//! The table of typed shapes.

use super::case::{Case, Expected, value};

const fn gives(function: &'static str, calls: &'static [(&'static str, Expected)]) -> Case {
    Case::gives("importer", function, calls)
}

pub(super) const CASES: &[Case] = &[
    gives(
        "relay-direct.checked-bool",
        &[
            ("true, true", value("ok(true)")),
            ("false, true", value("err(\"refused true\")")),
        ],
    ),
    gives(
        "relay-direct.checked-u8",
        &[
            ("true, 255", value("ok(255)")),
            ("false, 255", value("err(\"refused 255\")")),
        ],
    ),
    gives(
        "relay-direct.checked-s8",
        &[
            ("true, -128", value("ok(-128)")),
            ("false, -1", value("err(\"refused -1\")")),
        ],
    ),
    gives(
        "relay-direct.checked-u16",
        &[
            ("true, 65535", value("ok(65535)")),
            ("false, 1", value("err(\"refused 1\")")),
        ],
    ),
    gives(
        "relay-direct.checked-s16",
        &[
            ("true, -32768", value("ok(-32768)")),
            ("false, -1", value("err(\"refused -1\")")),
        ],
    ),
    gives(
        "relay-direct.checked-u32",
        &[
            ("true, 4294967295", value("ok(4294967295)")),
            ("false, 4294967295", value("err(\"refused 4294967295\")")),
        ],
    ),
    gives(
        "relay-direct.checked-s32",
        &[
            ("true, -2147483648", value("ok(-2147483648)")),
            ("false, -1", value("err(\"refused -1\")")),
        ],
    ),
    gives(
        "relay-direct.checked-u64",
        &[
            (
                "true, 18446744073709551615",
                value("ok(18446744073709551615)"),
            ),
            (
                "false, 18446744073709551615",
                value("err(\"refused 18446744073709551615\")"),
            ),
        ],
    ),
    gives(
        "relay-direct.checked-s64",
        &[
            (
                "true, -9223372036854775808",
                value("ok(-9223372036854775808)"),
            ),
            ("false, -1", value("err(\"refused -1\")")),
        ],
    ),
    gives(
        "relay-direct.checked-f32",
        &[
            ("true, nan", value("ok(nan)")),
            ("true, -0", value("ok(-0)")),
            ("false, inf", value("err(\"refused inf\")")),
        ],
    ),
    gives(
        "relay-direct.checked-f64",
        &[
            ("true, nan", value("ok(nan)")),
            ("true, -0", value("ok(-0)")),
            ("false, -inf", value("err(\"refused -inf\")")),
        ],
    ),
    gives(
        "relay-direct.checked-char",
        &[
            ("true, '🦀'", value("ok('🦀')")),
            (r"true, '\u{10ffff}'", value(r"ok('\u{10ffff}')")),
        ],
    ),
    gives(
        "relay-direct.checked-text",
        &[
            ("true, \"\"", value("ok(\"\")")),
            ("true, \"Grüße, 世界 🦀\"", value("ok(\"Grüße, 世界 🦀\")")),
            ("false, \"ß\"", value(r#"err("refused \"ß\"")"#)),
        ],
    ),
    gives(
        "relay-direct.checked-bytes",
        &[
            ("true, []", value("ok([])")),
            ("true, [0, 127, 128, 255]", value("ok([0, 127, 128, 255])")),
            ("false, [255]", value("err(\"refused [255]\")")),
        ],
    ),
    // No parameters.
    gives("relay-direct.nothing", &[("", value(""))]),
    gives(
        "relay-direct.number",
        &[("", value("18446744073709551615"))],
    ),
    gives("relay-direct.text", &[("", value("\"näme\""))]),
    gives("relay-direct.bytes", &[("", value("[0, 127, 128, 255]"))]),
    gives("relay-direct.fallible-nothing", &[("", value("ok"))]),
    gives("relay-direct.fallible-text", &[("", value("err(\"\")"))]),
    // No result.
    gives(
        "relay-direct.accept-number",
        &[("18446744073709551615", value(""))],
    ),
    gives(
        "relay-direct.accept-text",
        &[("\"ß\", nan", value("")), ("\"\", -0", value(""))],
    ),
    gives(
        "relay-direct.accept-bytes",
        &[("[0, 255], \"ß\"", value("")), ("[], \"\"", value(""))],
    ),
    // Two parameters.
    gives("relay-direct.add", &[("4294967295, 2", value("1"))]),
    gives(
        "relay-direct.scale",
        &[("1.5, -2", value("-3")), ("nan, 1", value("nan"))],
    ),
    gives(
        "relay-direct.join",
        &[
            ("\"世\", \"界\"", value("\"世界\"")),
            ("\"\", \"\"", value("\"\"")),
        ],
    ),
    gives(
        "relay-direct.concat",
        &[("[1, 2], [3]", value("[1, 2, 3]")), ("[], []", value("[]"))],
    ),
    gives(
        "relay-direct.repeat",
        &[("\"ß\", 3", value("\"ßßß\"")), ("\"ß\", 0", value("\"\""))],
    ),
    gives(
        "relay-direct.starts-with",
        &[
            ("\"🦀s\", '🦀'", value("true")),
            ("\"\", 'a'", value("false")),
        ],
    ),
    gives(
        "relay-direct.first",
        &[("[7, 8], 9", value("7")), ("[], 9", value("9"))],
    ),
    gives(
        "relay-direct.divide",
        &[
            ("7, 2", value("ok(3)")),
            ("7, 0", value("err(\"cannot divide 7 by 0\")")),
            (
                "-9223372036854775808, -1",
                value("err(\"cannot divide -9223372036854775808 by -1\")"),
            ),
        ],
    ),
    gives(
        "relay-direct.parse",
        &[
            ("\"12\"", value("ok(12)")),
            ("\"ß\"", value("err(\"`ß` is no number\")")),
        ],
    ),
    gives(
        "relay-direct.verify",
        &[
            ("[1]", value("ok")),
            ("[]", value("err(\"there is nothing to verify\")")),
        ],
    ),
    gives(
        "relay-direct.decode",
        &[
            ("[195, 159]", value("ok(\"ß\")")),
            (
                "[195]",
                value("err(\"incomplete utf-8 byte sequence from index 0\")"),
            ),
        ],
    ),
];
