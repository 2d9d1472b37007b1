//! Calls that go wrong, for each form in which a function can tell.

use super::case::{Case, Expected, value};

/// Told as a text.
const TEXT: Expected = Expected::Traps(&Expected::Tells(&["err(\"", "trapped"]));

/// Told as the case of a variant.
const CASE: Expected = Expected::Traps(&Expected::Tells(&["err(link-failure(\"", "trapped"]));

const fn gives(function: &'static str, calls: &'static [(&'static str, Expected)]) -> Case {
    Case::gives("importer", function, calls)
}

pub(super) const CASES: &[Case] = &[
    gives(
        "relay-failures.plain",
        &[
            ("behave", value("7")),
            (
                "trap",
                Expected::Traps(&Expected::Ends(&[
                    "`exporter`",
                    "failures",
                    "plain",
                    "trapped",
                ])),
            ),
        ],
    ),
    gives(
        "relay-failures.text",
        &[
            ("behave", value("ok(7)")),
            ("refuse", value("err(\"refused\")")),
            ("trap", TEXT),
        ],
    ),
    gives(
        "relay-failures.text-or-nothing",
        &[
            ("behave", value("ok")),
            ("refuse", value("err(\"refused\")")),
            ("trap", TEXT),
        ],
    ),
    gives(
        "relay-failures.as-case",
        &[
            ("behave", value("ok(7)")),
            ("refuse", value("err(refused(7))")),
            ("trap", CASE),
        ],
    ),
    gives(
        "relay-failures.case-or-nothing",
        &[
            ("behave", value("ok")),
            ("refuse", value("err(refused(7))")),
            ("trap", CASE),
        ],
    ),
    gives(
        "relay-failures.other",
        &[
            ("behave", value("ok(7)")),
            ("refuse", value("err(bored)")),
            (
                "trap",
                Expected::Traps(&Expected::Ends(&[
                    "`exporter`",
                    "failures",
                    "other",
                    "trapped",
                ])),
            ),
        ],
    ),
    gives(
        "relay-failures.direct-plain",
        &[
            ("0", value("7")),
            (
                "2",
                Expected::Traps(&Expected::Ends(&[
                    "`exporter`",
                    "failures",
                    "direct-plain",
                    "trapped",
                ])),
            ),
        ],
    ),
    gives(
        "relay-failures.direct-text",
        &[
            ("0", value("ok(7)")),
            ("1", value("err(\"refused\")")),
            ("2", TEXT),
        ],
    ),
    gives(
        "relay-failures.direct-text-or-nothing",
        &[
            ("0", value("ok")),
            ("1", value("err(\"refused\")")),
            ("2", TEXT),
        ],
    ),
    gives(
        "relay-failures.survive",
        &[
            (
                "behave",
                value(
                    r#"["ok 7", "own memory is as it was: true", "the other link: works", "the same link: Ok(7)"]"#,
                ),
            ),
            (
                "trap",
                Expected::Traps(&Expected::Tells(&[
                    "[\"link failure: trapped",
                    "own memory is as it was: true",
                    "the other link: works",
                    "the same link: Ok(7)",
                ])),
            ),
        ],
    ),
    gives(
        "relay-failures.flood-bytes",
        &[("0", value("ok(0)")), ("1000000", value("ok(1000000)"))],
    ),
    gives(
        "relay-failures.flood-texts",
        &[("1000, 100", value("ok(1000)")), ("3, 0", value("ok(3)"))],
    ),
    gives(
        "relay-failures.flood-units",
        &[("10000", value("ok(10000)"))],
    ),
    gives(
        "relay-failures.swallow-bytes",
        &[("1000000", value("ok(1000000)"))],
    ),
    gives(
        "relay-failures.swallow-texts",
        &[("1000, 100", value("ok(100000)"))],
    ),
];
