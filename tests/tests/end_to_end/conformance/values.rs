//! Values of every type, and their ends: the smallest, the largest, the empty, the odd.

use super::case::Case;

const IMPORTER: &str = "importer";

const fn same(function: &'static str, values: &'static [&'static str]) -> Case {
    Case::same(IMPORTER, function, values)
}

pub(super) const CASES: &[Case] = &[
    // Scalars.
    same("relay-values.echo-bool", &["false", "true"]),
    same("relay-values.echo-u8", &["0", "1", "127", "128", "255"]),
    same("relay-values.echo-s8", &["-128", "-1", "0", "127"]),
    same("relay-values.echo-u16", &["0", "255", "256", "65535"]),
    same("relay-values.echo-s16", &["-32768", "-1", "0", "32767"]),
    same("relay-values.echo-u32", &["0", "2147483648", "4294967295"]),
    same(
        "relay-values.echo-s32",
        &["-2147483648", "-1", "2147483647"],
    ),
    same(
        "relay-values.echo-u64",
        &["0", "9223372036854775808", "18446744073709551615"],
    ),
    same(
        "relay-values.echo-s64",
        &["-9223372036854775808", "-1", "9223372036854775807"],
    ),
    same(
        "relay-values.echo-f32",
        &["nan", "inf", "-inf", "-0", "0", "1.5", "-0.1"],
    ),
    Case::same_number(
        IMPORTER,
        "relay-values.echo-f32",
        &["3.4028235e38", "-3.4028235e38", "1e-45", "1.1754944e-38"],
    ),
    same(
        "relay-values.echo-f64",
        &["nan", "inf", "-inf", "-0", "0", "0.1", "-1.5"],
    ),
    Case::same_number(
        IMPORTER,
        "relay-values.echo-f64",
        &[
            "1.7976931348623157e308",
            "-1.7976931348623157e308",
            "5e-324",
            "2.2250738585072014e-308",
        ],
    ),
    same(
        "relay-values.echo-char",
        &[
            "'a'",
            r"'\u{0}'",
            "'ß'",
            "'世'",
            "'🦀'",
            r"'\u{10ffff}'",
            r"'\u{e000}'",
            r"'\u{d7ff}'",
        ],
    ),
    same(
        "relay-values.echo-text",
        &[
            "\"\"",
            "\"a\"",
            "\"Grüße, 世界 🦀\"",
            r#""\u{0}\n\"\\""#,
            r#""a\u{301}""#,
        ],
    ),
    // Lists.
    same(
        "relay-values.echo-bools",
        &["[]", "[true]", "[true, false, true]"],
    ),
    same(
        "relay-values.echo-bytes",
        &["[]", "[0]", "[0, 127, 128, 255]"],
    ),
    same("relay-values.echo-blob", &["[]", "[255, 0]"]),
    same("relay-values.echo-s8s", &["[]", "[-128, 127, -1]"]),
    same("relay-values.echo-u16s", &["[]", "[0, 256, 65535]"]),
    same("relay-values.echo-s16s", &["[]", "[-32768, 32767, -1]"]),
    same("relay-values.echo-u32s", &["[]", "[0, 65536, 4294967295]"]),
    same(
        "relay-values.echo-s32s",
        &["[]", "[-2147483648, 2147483647, -1]"],
    ),
    same(
        "relay-values.echo-u64s",
        &["[]", "[0, 4294967296, 18446744073709551615]"],
    ),
    same(
        "relay-values.echo-s64s",
        &["[]", "[-9223372036854775808, 9223372036854775807]"],
    ),
    same(
        "relay-values.echo-f32s",
        &["[]", "[nan, inf, -inf, -0, 1.5]"],
    ),
    same(
        "relay-values.echo-f64s",
        &["[]", "[nan, inf, -inf, -0, 0.1]"],
    ),
    same(
        "relay-values.echo-chars",
        &["[]", r"['a', 'ß', '世', '🦀', '\u{10ffff}', '\u{0}']"],
    ),
    same(
        "relay-values.echo-texts",
        &["[]", "[\"\"]", "[\"a\", \"\", \"世界\", \"\"]"],
    ),
    // Tuples and records.
    same("relay-values.echo-single", &["(0)", "(255)"]),
    same(
        "relay-values.echo-pair",
        &["(-128, -9223372036854775808)", "(127, 9223372036854775807)"],
    ),
    same(
        "relay-values.echo-five",
        &["(255, -0, \"\", '🦀', true)", "(0, nan, \"ß\", 'a', false)"],
    ),
    same(
        "relay-values.echo-point",
        &[
            "{x: 0.5, y: -inf, label: \"ö\"}",
            "{x: nan, y: -0, label: \"\"}",
        ],
    ),
    same(
        "relay-values.echo-points",
        &[
            "[]",
            "[{x: 1, y: 2, label: \"a\"}, {x: 3, y: 4, label: \"\"}, {x: 5, y: 6, label: \"c\"}]",
        ],
    ),
    same(
        "relay-values.echo-gaps",
        &[
            "{a: 255, b: 18446744073709551615, c: true, d: '🦀', e: 65535, f: -0, g: -128}",
            "{a: 0, b: 0, c: false, d: 'a', e: 0, f: nan, g: 127}",
        ],
    ),
    same(
        "relay-values.echo-gaps-list",
        &[
            "[]",
            "[{a: 1, b: 2, c: true, d: 'd', e: 3, f: 4, g: -5}, {a: 6, b: 7, c: false, d: 'e', e: 8, f: 9, g: -1}]",
        ],
    ),
    same(
        "relay-values.echo-scalars",
        &[
            "{a: true, b: 255, c: -128, d: 65535, e: -32768, f: 4294967295, g: -2147483648, h: 18446744073709551615, \
             i: -9223372036854775808, j: -0, k: nan, l: '🦀', m: \"ß\"}",
            "{a: false, b: 0, c: 127, d: 0, e: 32767, f: 0, g: 2147483647, h: 0, i: 9223372036854775807, j: inf, \
             k: -inf, l: 'a', m: \"\"}",
        ],
    ),
    same(
        "relay-values.echo-parcel",
        &[
            "{number: 0, content: [], seals: []}",
            "{number: 4294967295, content: [0, 255], seals: [\"\", \"世\"]}",
        ],
    ),
    same(
        "relay-values.echo-parcels",
        &[
            "[]",
            "[{number: 1, content: [1], seals: []}, {number: 2, content: [], seals: [\"a\", \"b\"]}]",
        ],
    ),
    same(
        "relay-values.echo-wide",
        &[
            "{a: 255, b: 65535, c: 4294967295, d: 18446744073709551615, e: -128, f: -32768, g: -2147483648, \
             h: -9223372036854775808, i: nan, j: -0, k: '🦀', l: true, m: 1, n: 2, o: 3, p: 4, q: \"ß\"}",
        ],
    ),
    same(
        "relay-values.echo-order",
        &[
            "{id: 0, lines: [], outcome: ok([]), history: []}",
            "{id: 18446744073709551615, by: some(\"\"), lines: [({number: 1, content: [1, 2, 3], seals: [\"s\"]}, \
             some({x: -0, y: nan, label: \"世\"})), ({number: 2, content: [], seals: []}, none)], \
             outcome: err(polygon([{x: 1, y: 2, label: \"\"}])), history: [[], [none], [some(nothing), \
             some(both((1.5, -1))), none]], more: some(none)}",
            "{id: 1, lines: [], outcome: ok([0, 65535]), history: [[some(named((\"a\", 1)))]], more: \
             some(some(ok(({a: 1, b: 2, c: true, d: 'd', e: 3, f: 4, g: -5}, {read, execute}))))}",
            "{id: 1, lines: [], outcome: err(nothing), history: [], more: some(some(err([ok(\"a\"), err, ok(\"\")])))}",
        ],
    ),
    // Types that come from another interface.
    same(
        "relay-values.echo-segment",
        &["{start: {x: 0, y: 1, label: \"s\"}, end: {x: 2, y: 3, label: \"\"}, colour: blue}"],
    ),
    same(
        "relay-values.echo-filling",
        &[
            "plain(green)",
            "pattern([1, 2])",
            "segments([{start: {x: 0, y: 1, label: \"s\"}, end: {x: 2, y: 3, label: \"\"}, colour: red}])",
        ],
    ),
    // Variants, whose cases share flat slots, enums and flags.
    same(
        "relay-values.echo-shape",
        &[
            "nothing",
            "small(255)",
            "circle(-0)",
            "circle(nan)",
            "count(-9223372036854775808)",
            "ratio(nan)",
            "ratio(-0.1)",
            "letter('🦀')",
            "polygon([])",
            "polygon([{x: 1, y: 2, label: \"a\"}])",
            "named((\"\", 0))",
            "named((\"世\", 255))",
            "both((1.5, -1))",
            "perhaps(none)",
            "perhaps(some(2.5))",
        ],
    ),
    same(
        "relay-values.echo-shapes",
        &[
            "[]",
            "[nothing, circle(1.5), count(-1), ratio(2.5), polygon([]), named((\"a\", 1)), perhaps(some(-0))]",
        ],
    ),
    same("relay-values.echo-colour", &["red", "green", "blue"]),
    same("relay-values.echo-colours", &["[]", "[blue, red, green]"]),
    same("relay-values.echo-many", &["c0", "c255", "c256", "c299"]),
    same("relay-values.echo-many-list", &["[]", "[c299, c0, c256]"]),
    same("relay-values.echo-one-flag", &["{}", "{f0}"]),
    same(
        "relay-values.echo-eight-flags",
        &["{}", "{f7}", "{f0, f1, f2, f3, f4, f5, f6, f7}"],
    ),
    same(
        "relay-values.echo-nine-flags",
        &["{}", "{f8}", "{f0, f1, f2, f3, f4, f5, f6, f7, f8}"],
    ),
    same(
        "relay-values.echo-seventeen-flags",
        &["{}", "{f16}", "{f0, f7, f8, f15, f16}"],
    ),
    same(
        "relay-values.echo-thirty-two-flags",
        &["{}", "{f31}", "{f0, f7, f8, f15, f16, f23, f24, f31}"],
    ),
    same(
        "relay-values.echo-flags-list",
        &["[]", "[({f0}, {f8}, {f31}), ({}, {}, {})]"],
    ),
    // Options and results.
    same(
        "relay-values.echo-maybe-u8",
        &["none", "some(0)", "some(255)"],
    ),
    same(
        "relay-values.echo-maybe-u64",
        &["none", "some(18446744073709551615)"],
    ),
    same(
        "relay-values.echo-maybe-text",
        &["none", "some(\"\")", "some(\"ß\")"],
    ),
    same(
        "relay-values.echo-maybe-maybe",
        &[
            "none",
            "some(none)",
            "some(some(\"\"))",
            "some(some(\"a\"))",
        ],
    ),
    same(
        "relay-values.echo-maybe-list",
        &["[]", "[none, some(1), none]"],
    ),
    same("relay-values.echo-outcome", &["ok", "err"]),
    same("relay-values.echo-outcome-ok", &["ok(4294967295)", "err"]),
    same("relay-values.echo-outcome-err", &["ok", "err(65535)"]),
    same(
        "relay-values.echo-outcome-both",
        &["ok(\"\")", "ok(\"ß\")", "err(18446744073709551615)"],
    ),
    same(
        "relay-values.echo-outcome-rich",
        &[
            "ok([])",
            "ok([nothing, count(1)])",
            "err({x: 1, y: -0, label: \"e\"})",
        ],
    ),
    same(
        "relay-values.echo-outcomes",
        &["[]", "[ok(-0), err(nan), ok(1.5)]"],
    ),
    // Deep.
    same(
        "relay-values.echo-cube",
        &["[]", "[[]]", "[[[]]]", "[[[1, 2], []], [], [[65535]]]"],
    ),
    same(
        "relay-values.echo-deep",
        &[
            "[]",
            "[none, some(ok(([none, some(\"x\")], [[], [1]]))), some(err(none)), \
             some(err(some([(1, -2, \"t\"), (255, -9223372036854775808, \"\")])))]",
        ],
    ),
    // Words that mean something elsewhere.
    same(
        "relay-values.echo-keywords",
        &[
            "{type: 1, list: [\"a\"], record: true, func: some(65535), interface: 'x', match: \"m\", self: -1, none: -2}",
            "{type: 0, list: [], record: false, interface: 'ß', match: \"\", self: 127, none: 0}",
        ],
    ),
    same(
        "relay-values.echo-answer",
        &[
            "%none",
            "%some(3)",
            "%ok(\"x\")",
            "%err",
            "%true",
            "%nan(nan)",
            "resource([true])",
        ],
    ),
    same(
        "relay-values.echo-answers",
        &[
            "[]",
            "[%none, %some(3), %ok(\"\"), %err, %true, %nan(-0), resource([])]",
        ],
    ),
    same(
        "relay-values.echo-word",
        &["enum", "static", "u8", "fn", "%inf"],
    ),
];
