//! Maps. The guests keep them sorted, so entries are written in the order of their keys.

use super::case::{Case, value};

const IMPORTER: &str = "importer";

const fn same(function: &'static str, values: &'static [&'static str]) -> Case {
    Case::same(IMPORTER, function, values)
}

pub(super) const CASES: &[Case] = &[
    same(
        "relay-maps.echo-bools",
        &["[]", "[(false, 0), (true, 255)]"],
    ),
    same("relay-maps.echo-u8s", &["[]", "[(0, 255), (255, 0)]"]),
    same(
        "relay-maps.echo-s8s",
        &["[(-128, \"\"), (-1, \"世\"), (127, \"a\")]"],
    ),
    same(
        "relay-maps.echo-s16s",
        &["[(-32768, nan), (0, -0), (32767, 1.5)]"],
    ),
    same(
        "relay-maps.echo-u32s",
        &["[(0, none), (4294967295, some(18446744073709551615))]"],
    ),
    same(
        "relay-maps.echo-s32s",
        &["[(-2147483648, true), (2147483647, false)]"],
    ),
    same(
        "relay-maps.echo-u64s",
        &["[(0, []), (18446744073709551615, [0, 128, 255])]"],
    ),
    same(
        "relay-maps.echo-s64s",
        &["[(-9223372036854775808, 'a'), (9223372036854775807, '🦀')]"],
    ),
    same(
        "relay-maps.echo-chars",
        &["[('a', []), ('🦀', [{x: -0, y: nan, label: \"世\"}])]"],
    ),
    same(
        "relay-maps.echo-prices",
        &["[]", "[(\"\", 0), (\"a\", 4294967295), (\"世\", 1)]"],
    ),
    same(
        "relay-maps.echo-nested",
        &["[(\"\", []), (\"a\", [('b', []), ('c', [(\"d\", 1), (\"e\", 2)])])]"],
    ),
    same(
        "relay-maps.echo-shelf",
        &[
            "{name: \"\", items: []}",
            "{name: \"s\", items: [(0, nothing), (65535, named((\"世\", 255)))]}",
        ],
    ),
    same(
        "relay-maps.echo-outcome",
        &["ok([(\"a\", 1)])", "err([(7, \"b\")])", "ok([])"],
    ),
    Case::gives(
        IMPORTER,
        "relay-maps.several",
        &[(
            "[(\"a\", 1)], 2, [(-3, true), (4, false)]",
            value("([(-3, true), (4, false)], 2, [(\"a\", 1)])"),
        )],
    ),
    // The type is a list of pairs, in which a key may occur twice; the guest keeps the last.
    Case::gives(
        IMPORTER,
        "relay-maps.echo-prices",
        &[(
            "[(\"b\", 1), (\"a\", 2), (\"b\", 3)]",
            value("[(\"a\", 2), (\"b\", 3)]"),
        )],
    ),
    Case::gives(
        IMPORTER,
        "relay-maps.many",
        &[
            ("0", value("ok(0)")),
            ("1", value("ok(1)")),
            ("100000", value("ok(100000)")),
        ],
    ),
    Case::same(
        "concurrent-importer",
        "relay-concurrent.echo-map",
        &[
            "[]",
            "[(\"\", []), (\"a\", [(0, none), (65535, some(letter('🦀')))])]",
        ],
    ),
];
