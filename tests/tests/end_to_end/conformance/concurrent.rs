//! Async functions, streams and futures. Where a stream ends unhappily, the importer tells what it saw of it.

use super::case::{Case, Expected, value};

const IMPORTER: &str = "concurrent-importer";

const fn same(function: &'static str, values: &'static [&'static str]) -> Case {
    Case::same(IMPORTER, function, values)
}

const fn gives(function: &'static str, calls: &'static [(&'static str, Expected)]) -> Case {
    Case::gives(IMPORTER, function, calls)
}

pub(super) const CASES: &[Case] = &[
    // The loops that are measured.
    gives("relay-loops.add", &[("3", value("3"))]),
    gives("relay-loops.echo-text", &[("2, 16", value("16"))]),
    gives(
        "relay-loops.echo-bytes",
        &[
            ("2, 70000", value("70000")),
            // Larger than a message of the bus, as argument and as result.
            ("1, 2097152", value("2097152")),
        ],
    ),
    gives(
        "relay-loops.echo-texts",
        &[
            // More than a message of the bus in one write, and in one element.
            ("16, 65536", value("1114112")),
            ("2, 2097152", value("6291456")),
        ],
    ),
    gives("relay-loops.read-bytes", &[("1", value("65536"))]),
    // Parameters and results.
    gives("relay-concurrent.nothing", &[("", value(""))]),
    gives("relay-concurrent.add", &[("4294967295, 2", value("1"))]),
    gives(
        "relay-concurrent.divide",
        &[
            ("7, 2", value("ok(3)")),
            ("7, 0", value("err(\"cannot divide 7 by 0\")")),
        ],
    ),
    same(
        "relay-concurrent.echo-text",
        &["\"\"", "\"Grüße, 世界 🦀\""],
    ),
    same("relay-concurrent.echo-bytes", &["[]", "[0, 127, 128, 255]"]),
    same(
        "relay-concurrent.echo-order",
        &[
            "{id: 0, lines: [], outcome: ok([]), history: []}",
            "{id: 18446744073709551615, by: some(\"\"), lines: [({number: 1, content: [1, 2, 3], seals: [\"s\"]}, \
             some({x: -0, y: nan, label: \"世\"})), ({number: 2, content: [], seals: []}, none)], \
             outcome: err(polygon([{x: 1, y: 2, label: \"\"}])), history: [[], [none], [some(nothing), \
             some(both((1.5, -1))), none]], more: some(some(err([ok(\"a\"), err])))}",
        ],
    ),
    same(
        "relay-concurrent.echo-shape",
        &[
            "nothing",
            "circle(nan)",
            "count(-9223372036854775808)",
            "polygon([])",
            "named((\"世\", 255))",
            "both((1.5, -1))",
        ],
    ),
    same(
        "relay-concurrent.echo-outcome",
        &[
            "ok([])",
            "ok([0, 65535])",
            "err(nothing)",
            "err(letter('🦀'))",
        ],
    ),
    gives(
        "relay-concurrent.several",
        &[(
            "255, \"b\", [{x: 1, y: 2, label: \"p\"}], some(small(1)), -9223372036854775808, \
             {number: 1, content: [1], seals: [\"\"]}",
            value(
                "({number: 1, content: [1], seals: [\"\"]}, -9223372036854775808, some(small(1)), \
                 [{x: 1, y: 2, label: \"p\"}], \"b\", 255)",
            ),
        )],
    ),
    gives(
        "relay-concurrent.later",
        &[("0, \"a\"", value("\"a\"")), ("100, \"ß\"", value("\"ß\""))],
    ),
    // Functions that are not async, beside those that are.
    same("relay-concurrent.plain", &["\"\"", "\"ß\""]),
    same(
        "relay-concurrent.plain-order",
        &["{id: 1, lines: [], outcome: err(nothing), history: [[]], more: some(none)}"],
    ),
    // Streams and futures that end well.
    gives(
        "relay-concurrent.streams",
        &[
            (
                "0",
                value(
                    r#"["echo_bools: 0 as they were", "echo_u8s: 0 as they were", "echo_s8s: 0 as they were", "echo_u16s: 0 as they were", "echo_s16s: 0 as they were", "echo_u32s: 0 as they were", "echo_s32s: 0 as they were", "echo_u64s: 0 as they were", "echo_s64s: 0 as they were", "echo_f32s: 0 as they were", "echo_f64s: 0 as they were", "echo_texts: 0 as they were", "echo_blobs: 0 as they were"]"#,
                ),
            ),
            (
                "1000",
                value(
                    r#"["echo_bools: 1000 as they were", "echo_u8s: 1000 as they were", "echo_s8s: 1000 as they were", "echo_u16s: 1000 as they were", "echo_s16s: 1000 as they were", "echo_u32s: 1000 as they were", "echo_s32s: 1000 as they were", "echo_u64s: 1000 as they were", "echo_s64s: 1000 as they were", "echo_f32s: 1000 as they were", "echo_f64s: 1000 as they were", "echo_texts: 1000 as they were", "echo_blobs: 1000 as they were"]"#,
                ),
            ),
        ],
    ),
    gives(
        "relay-concurrent.bytes",
        &[
            ("0, 1", value("ok(0)")),
            ("1000, 1", value("ok(1000)")),
            ("10000000, 65536", value("ok(10000000)")),
            ("5000000, 1000000", value("ok(5000000)")),
        ],
    ),
    gives(
        "relay-concurrent.pass",
        &[("0", value("ok(0)")), ("100000", value("ok(100000)"))],
    ),
    gives(
        "relay-concurrent.futures",
        &[(
            "",
            value(
                r#"["echo_later_u32: 4294967295, written: true", "echo_later_bool: true, written: true", "echo_later_f64: -1.7976931348623157e308, written: true", "echo_later_char: \'ß\', written: true", "echo_later_text: \"ä世\", written: true", "echo_later_bytes: [0, 255], written: true"]"#,
            ),
        )],
    ),
    gives(
        "relay-concurrent.numbers",
        &[("0", value("[]")), ("7", value("[0, 1, 2, 3, 4, 5, 6]"))],
    ),
    gives(
        "relay-concurrent.bounded-numbers",
        &[
            ("0", value("ok([])")),
            ("3", value("ok([0, 1, 2])")),
            ("1001", value("err(\"1001 numbers are too many\")")),
        ],
    ),
    gives(
        "relay-concurrent.read",
        &[
            ("0", value("(0, ok)")),
            ("1000000", value("(1000000, ok)")),
            (
                "1000001",
                value("(1000000, err(\"there are 1000000 bytes and no more\"))"),
            ),
        ],
    ),
    gives(
        "relay-concurrent.collect",
        &[("0", value("[]")), ("5", value("[0, 1, 2, 3, 4]"))],
    ),
    gives(
        "relay-concurrent.zip",
        &[
            ("[1, 2, 3], [\"a\", \"b\"]", value("[\"1 a\", \"2 b\"]")),
            ("[1], [\"ß\", \"b\", \"c\"]", value("[\"1 ß\"]")),
            ("[], []", value("[]")),
        ],
    ),
    gives(
        "relay-concurrent.at-once",
        &[("3", value("[\"call 0\", \"call 1\", \"call 2\"]"))],
    ),
    // And those that do not.
    gives(
        "relay-concurrent.reader-leaves",
        &[
            (
                "0",
                value(
                    "[\"0 numbers in order: true\", \"the exporter saw it: true\", \"and was not far ahead: true\"]",
                ),
            ),
            (
                "10",
                value(
                    "[\"10 numbers in order: true\", \"the exporter saw it: true\", \"and was not far ahead: true\"]",
                ),
            ),
        ],
    ),
    gives("relay-concurrent.reader-dawdles", &[("", value("ok(1)"))]),
    gives(
        "relay-concurrent.exporter-leaves",
        &[
            (
                "0",
                value(
                    "[\"the exporter has 0 numbers in order: true\", \"the importer saw it leave: true\"]",
                ),
            ),
            (
                "10",
                value(
                    "[\"the exporter has 10 numbers in order: true\", \"the importer saw it leave: true\"]",
                ),
            ),
        ],
    ),
    gives(
        "relay-concurrent.nobody-begins",
        &[(
            "",
            value(
                "[\"the exporter saw that nobody reads: true\", \"a stream that nobody writes to: []\", \
                 \"a stream that is dropped: true\"]",
            ),
        )],
    ),
    gives(
        "relay-concurrent.call-is-given-up",
        &[(
            "",
            value("[\"what it waited for was let go: true\", \"another call: 2\"]"),
        )],
    ),
    // An exporter that traps while its stream is read: what was written before comes, and then the end.
    gives(
        "relay-concurrent.broken",
        &[
            ("5", Expected::Traps(&value("[0, 1, 2, 3, 4]"))),
            ("0", Expected::Traps(&value("[]"))),
        ],
    ),
    gives(
        "relay-concurrent.misbehave",
        &[
            ("behave", value("7")),
            (
                "trap",
                Expected::Traps(&Expected::Ends(&[
                    "`concurrent-exporter`",
                    "concurrent",
                    "misbehave",
                    "trapped",
                ])),
            ),
        ],
    ),
    gives(
        "relay-concurrent.misbehave-text",
        &[
            ("behave", value("ok(7)")),
            ("refuse", value("err(\"refused\")")),
            (
                "trap",
                Expected::Traps(&Expected::Tells(&["err(\"", "trapped"])),
            ),
        ],
    ),
    gives(
        "relay-concurrent.misbehave-case",
        &[
            ("refuse", value("err(refused(7))")),
            (
                "trap",
                Expected::Traps(&Expected::Tells(&["err(link-failure(\"", "trapped"])),
            ),
        ],
    ),
    gives(
        "relay-concurrent.misbehave-other",
        &[
            ("refuse", value("err(bored)")),
            (
                "trap",
                Expected::Traps(&Expected::Ends(&[
                    "concurrent",
                    "misbehave-other",
                    "trapped",
                ])),
            ),
        ],
    ),
    gives(
        "relay-concurrent.survive",
        &[
            ("behave", value("[\"ok 7\", \"the same link: Ok(7)\"]")),
            (
                "trap",
                Expected::Traps(&Expected::Tells(&[
                    "[\"link failure: trapped",
                    "\"the same link: Ok(7)\"",
                ])),
            ),
        ],
    ),
];
