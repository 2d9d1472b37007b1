//! Resources: the importer goes through a scenario and tells what it saw.

use super::case::{Case, Expected, value};

const fn gives(function: &'static str, calls: &'static [(&'static str, Expected)]) -> Case {
    Case::gives("importer", function, calls)
}

pub(super) const CASES: &[Case] = &[
    gives(
        "relay-resources.life",
        &[(
            "",
            value(
                r#"["40", "42", "(\"at 42\", 42, [\"a\", \"\"])", "Ok(40)", "Err(\"40 is less than 41\")", "40", "0", "1"]"#,
            ),
        )],
    ),
    gives(
        "relay-resources.statics",
        &[("", value(r#"["(false, true)", "false", "3", "2"]"#))],
    ),
    gives(
        "relay-resources.owned",
        &[(
            "",
            value(
                r#"["(\"five\", \"five\", 5)", "(Some(6), true)", "(Ok(100), Err(\"101 is more than 100\"))", "[0, 1]", "(true, [9])", "0"]"#,
            ),
        )],
    ),
    gives(
        "relay-resources.borrowed",
        &[("", value(r#"["6", "6", "0", "20", "[0, 1, 2, 10]", "0"]"#))],
    ),
    gives(
        "relay-resources.shared",
        &[(
            "",
            value(
                r#"["(6, 16)", "Some((3, \"left: 2\"))", "10", "Some(\"left: 1\")", "Some(2)", "true"]"#,
            ),
        )],
    ),
    // How many were dropped after each step: not one more, and not one less.
    gives(
        "relay-resources.drops",
        &[("", value(r#"["3", "4", "4", "5", "7", "7", "9", "10"]"#))],
    ),
    gives(
        "relay-resources.crowd",
        &[
            ("0", value(r#"["0", "0", "0", "0"]"#)),
            ("100", value(r#"["4950", "50", "7450", "200"]"#)),
            ("2000", value(r#"["1999000", "1000", "2999000", "4000"]"#)),
        ],
    ),
    gives("relay-resources.leak", &[("", value("1"))]),
    gives(
        "relay-resources.after-a-trap",
        &[(
            "",
            Expected::Traps(&value(r#"["true", "true", "true", "3", "4", "0", "1"]"#)),
        )],
    ),
    gives(
        "relay-resources.use-after-a-trap",
        &[(
            "",
            Expected::Traps(&Expected::Ends(&["resources", "counter.get", "refused"])),
        )],
    ),
];
