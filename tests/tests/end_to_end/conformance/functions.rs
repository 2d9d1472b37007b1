//! Functions rather than values: names that mean something elsewhere, many parameters, and much to carry.

use super::case::{Case, Expected, value};

const fn gives(function: &'static str, calls: &'static [(&'static str, Expected)]) -> Case {
    Case::gives("importer", function, calls)
}

pub(super) const CASES: &[Case] = &[
    // Names.
    gives(
        "relay-interface.type",
        &[
            ("4, some(5)", value("9")),
            ("4294967295, none", value("4294967295")),
        ],
    ),
    gives(
        "relay-interface.list",
        &[("\"a b\"", value("[\"a\", \"b\"]"))],
    ),
    Case::same(
        "importer",
        "relay-interface.static",
        &["none", "some(\"\")", "some(\"ß\")"],
    ),
    gives(
        "relay-interface.match",
        &[
            ("255, some(0)", value("(255, some(0))")),
            ("0, none", value("(0, none)")),
        ],
    ),
    // Few and many parameters and results.
    gives("relay-values.nothing", &[("", value(""))]),
    gives(
        "relay-values.sixteen",
        &[
            (
                "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15.5, 16.5",
                value("137"),
            ),
            (
                "255, 65535, 4294967295, 0, -128, -32768, -2147483648, 0, 0, 0, 0, 0, 0, 0, -0, inf",
                value("inf"),
            ),
        ],
    ),
    gives(
        "relay-values.seventeen",
        &[(
            "255, 65535, 4294967295, 18446744073709551615, -128, -32768, -2147483648, -9223372036854775808, -0, nan, \
             '🦀', true, 1, 2, 3, 4, \"ß\"",
            value(
                "{a: 255, b: 65535, c: 4294967295, d: 18446744073709551615, e: -128, f: -32768, g: -2147483648, \
                 h: -9223372036854775808, i: -0, j: nan, k: '🦀', l: true, m: 1, n: 2, o: 3, p: 4, q: \"ß\"}",
            ),
        )],
    ),
    gives(
        "relay-values.several",
        &[(
            "\"a\", [1, 2], some({x: 1, y: 2, label: \"p\"}), both((1.5, -1)), {a: true, b: 1, c: -1, d: 2, e: -2, \
             f: 3, g: -3, h: 4, i: -4, j: 5.5, k: -5.5, l: 'l', m: \"m\"}",
            value(
                "({a: true, b: 1, c: -1, d: 2, e: -2, f: 3, g: -3, h: 4, i: -4, j: 5.5, k: -5.5, l: 'l', m: \"m\"}, \
                 both((1.5, -1)), some({x: 1, y: 2, label: \"p\"}), [1, 2], \"a\")",
            ),
        )],
    ),
    // Much.
    gives(
        "relay-bulk.bytes",
        &[
            ("0", value("ok(0)")),
            ("65536", value("ok(65536)")),
            ("1048576", value("ok(1048576)")),
        ],
    ),
    gives(
        "relay-bulk.parcel",
        &[
            ("0", value("ok(0)")),
            ("65536", value("ok(65536)")),
            ("1048576", value("ok(1048576)")),
        ],
    ),
    gives(
        "relay-bulk.text",
        &[
            ("65536", value("ok(65536)")),
            ("1000000", value("ok(1000000)")),
        ],
    ),
    gives(
        "relay-bulk.texts",
        &[
            ("1000, 100", value("ok(1000)")),
            ("10, 10000", value("ok(10)")),
        ],
    ),
    gives(
        "relay-bulk.points",
        &[("1024", value("ok(1024)")), ("10000", value("ok(10000)"))],
    ),
    gives("relay-bulk.again", &[("10000, 100", value("ok(10000)"))]),
];
