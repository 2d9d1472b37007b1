//! Tests of subjects, by examples and by properties.

use proptest::prelude::*;

use super::*;

fn scope() -> Scope {
    Scope::new("test").unwrap()
}

fn subject(names: &[&str]) -> Subject {
    scope().subject(names).unwrap()
}

#[test]
fn names_become_tokens_and_come_back() {
    for (name, token) in [
        ("shop", "shop"),
        ("A-b_9", "A-b_9"),
        ("*", "=2A"),
        (">", "=3E"),
        (".", "=2E"),
        ("../etc", "=2E=2E=2Fetc"),
        ("two words", "two=20words"),
        ("=2A", "=3D2A"),
        ("\r\nPUB x 0", "=0D=0APUB=20x=200"),
        ("\0", "=00"),
        (
            "wasi:keyvalue/store@0.2.0",
            "wasi=3Akeyvalue=2Fstore=400=2E2=2E0",
        ),
        ("ä", "=C3=A4"),
    ] {
        let subject = subject(&[name]);
        assert_eq!(subject.as_str(), format!("weft.test.{token}"));
        assert_eq!(subject.names().collect::<Vec<_>>(), [name]);
        assert_eq!(scope().parse(subject.as_str()), Some(subject));
    }
}

#[test]
fn invalid_names_are_rejected_with_the_reason() {
    let long = "a".repeat(300);
    let encoded_long = "*".repeat(86);
    let many = ["a"; SUBJECT_NAMES_MAX + 1];
    let long_together = vec!["a".repeat(TOKEN_BYTES_MAX); 5];
    let long_together: Vec<&str> = long_together.iter().map(String::as_str).collect();
    for (names, expected) in [
        (vec!["a", ""], SubjectError::EmptyName { place: 2 }),
        (
            vec![long.as_str()],
            SubjectError::LongName {
                place: 1,
                found: 300,
            },
        ),
        (
            vec![encoded_long.as_str()],
            SubjectError::LongName {
                place: 1,
                found: 258,
            },
        ),
        (vec![], SubjectError::Count { found: 0 }),
        (many.to_vec(), SubjectError::Count { found: 17 }),
        (long_together, SubjectError::LongSubject { found: 1289 }),
    ] {
        assert_eq!(scope().subject(&names), Err(expected));
    }
    assert_eq!(Scope::new(""), Err(SubjectError::EmptyName { place: 0 }));
    let longest = "l".repeat(MAX_LATTICE_BYTES);
    assert!(Scope::new(&longest).is_ok());
    let found = MAX_LATTICE_BYTES + 1;
    let long = Scope::new(&format!("{longest}l"));
    assert_eq!(long, Err(SubjectError::LongLattice { found }));
}

#[test]
fn a_rest_wildcard_is_only_valid_at_the_end() {
    let refused = scope().pattern(&[Part::Rest, Part::Name("a")]);
    assert_eq!(refused, Err(SubjectError::RestNotLast { place: 1 }));
}

#[test]
fn malformed_and_foreign_subjects_are_not_parsed() {
    for text in [
        "weft.other.a",
        "weft.tes",
        "weft.test.",
        "weft.test.a..b",
        "weft.test.*",
        "weft.test.>",
        "weft.test.=2a",
        "weft.test.=41",
        "weft.test.=C3",
        "weft.test.=",
        "weft.test.a b",
        "_INBOX.abc",
        "$JS.API.STREAM.DELETE.KV",
    ] {
        assert_eq!(scope().parse(text), None, "{text}");
    }
}

#[test]
fn patterns_match_as_on_a_server() {
    use Part::{Any, Name, Rest};
    for (parts, matching, others) in [
        (
            vec![Name("a"), Name("b")],
            vec![vec!["a", "b"]],
            vec![vec!["a"], vec!["a", "b", "c"], vec!["a", "*"]],
        ),
        (
            vec![Name("a"), Any],
            vec![vec!["a", "b"], vec!["a", "*"]],
            vec![vec!["a"], vec!["a", "b", "c"], vec!["b", "b"]],
        ),
        (
            vec![Any, Name("b"), Any],
            vec![vec!["a", "b", "c"]],
            vec![vec!["a", "c", "c"], vec!["a", "b"]],
        ),
        (
            vec![Name("a"), Rest],
            vec![vec!["a", "b"], vec!["a", "b", "c"]],
            vec![vec!["a"], vec!["b", "a"]],
        ),
        (vec![Rest], vec![vec!["a"], vec!["a", "b"]], vec![]),
    ] {
        let pattern = scope().pattern(&parts).unwrap();
        for names in matching {
            assert!(pattern.matches(&subject(&names)), "{pattern} {names:?}");
        }
        for names in others {
            assert!(!pattern.matches(&subject(&names)), "{pattern} {names:?}");
        }
        let elsewhere = Scope::new("tests").unwrap().subject(&["a", "b"]).unwrap();
        assert!(!pattern.matches(&elsewhere));
    }
}

/// Names of every kind, mostly ones that need encoding.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9_-]{1,8}",
        "[.*> =\\t\\r\\n/\\\\$%]{1,8}",
        "[=0-9A-F]{1,8}",
        "\\PC{1,20}",
    ]
}

proptest! {
    #[test]
    fn different_names_make_different_subjects(
        one in prop::collection::vec(name(), 1..4),
        other in prop::collection::vec(name(), 1..4),
    ) {
        let names = |names: &[String]| subject(&names.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(one == other, names(&one) == names(&other));
    }

    #[test]
    fn a_subject_is_never_a_wildcard_and_gives_its_names_back(
        names in prop::collection::vec(name(), 1..4),
    ) {
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let subject = subject(&borrowed);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-=".contains(&byte);
        prop_assert!(subject.as_str().bytes().all(plain));
        prop_assert_eq!(subject.as_str().split('.').count(), names.len() + 2);
        prop_assert_eq!(subject.names().collect::<Vec<_>>(), names);
        prop_assert_eq!(scope().parse(subject.as_str()), Some(subject.clone()));
        prop_assert!(Pattern::from(&subject).matches(&subject));
    }

    #[test]
    fn any_name_is_encoded_or_rejected(name in "\\PC{0,300}", control in "[\\x00-\\x1f]{0,3}") {
        let name = format!("{name}{control}");
        if let Ok(subject) = scope().subject(&[&name]) {
            prop_assert!(subject.as_str().len() <= "weft.test.".len() + TOKEN_BYTES_MAX);
        }
    }

    #[test]
    fn any_text_that_parses_is_a_subject_of_its_names(text in "weft\\.test\\.[a-c.=*>2AE ]{0,12}") {
        if let Some(parsed) = scope().parse(&text) {
            let names: Vec<String> = parsed.names().collect();
            let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
            prop_assert_eq!(scope().subject(&borrowed), Ok(parsed));
        }
    }
}
