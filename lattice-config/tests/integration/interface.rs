//! Properties of version matching, and references to interfaces.

use proptest::prelude::*;
use semver::Version;
use weft_lattice_config::interface::satisfies;
use weft_lattice_config::{InterfaceName, InterfaceRef};

#[test]
fn versions_match_by_semantic_versioning() {
    let cases = [
        ("0.1.0", "0.1.3", true),
        ("0.1.3", "0.1.0", false),
        ("0.1.0", "0.2.0", false),
        ("0.0.1", "0.0.2", false),
        ("0.0.1", "0.0.1", true),
        ("1.0.0", "1.9.0", true),
        ("1.2.0", "1.1.9", false),
        ("1.0.0", "2.0.0", false),
        ("0.2.0-rc.1", "0.2.0-rc.1", true),
        ("0.2.0-rc.1", "0.2.0", false),
        ("0.2.0", "0.2.1-rc.1", false),
        ("0.2.0+a", "0.2.0+b", true),
        ("0.2.0-rc.1+a", "0.2.0-rc.1+b", true),
    ];
    for (required, offered, expected) in cases {
        let required: Version = required.parse().unwrap();
        let offered: Version = offered.parse().unwrap();
        assert_eq!(
            satisfies(Some(&required), Some(&offered)),
            expected,
            "{offered} for {required}"
        );
    }
}

#[test]
fn without_a_required_version_any_offer_will_do_and_a_required_one_needs_an_offer() {
    let version = Version::new(1, 0, 0);
    assert!(satisfies(None, None) && satisfies(None, Some(&version)));
    assert!(!satisfies(Some(&version), None));
}

#[test]
fn a_reference_means_one_interface_or_all_of_a_package() {
    let cases = [
        ("wasi:keyvalue", "wasi:keyvalue/store@0.2.0", true),
        ("wasi:keyvalue", "wasi:keyvalue/atomics", true),
        ("wasi:keyvalue/store", "wasi:keyvalue/store@0.2.0", true),
        ("wasi:keyvalue/store", "wasi:keyvalue/atomics@0.2.0", false),
        ("wasi:keyvalue", "wasi:key/value", false),
        ("wasi:keyvalue", "other:keyvalue/store", false),
        ("wasi:keyvalue@0.2.0", "wasi:keyvalue/store@0.2.4", true),
        ("wasi:keyvalue@0.2.0", "wasi:keyvalue/store", false),
    ];
    for (reference, name, expected) in cases {
        let matches = reference
            .parse::<InterfaceRef>()
            .unwrap()
            .matches(&name.parse().unwrap());
        assert_eq!(matches, expected, "`{reference}` and `{name}`");
    }
}

/// Small numbers, so that equal and neighbouring versions are likely.
fn version() -> impl Strategy<Value = Version> {
    let pre = prop_oneof![4 => Just(""), 1 => Just("-a"), 1 => Just("-b.2")];
    (0..3_u64, 0..3_u64, 0..3_u64, pre).prop_map(|(major, minor, patch, pre)| {
        format!("{major}.{minor}.{patch}{pre}")
            .parse()
            .expect("a version")
    })
}

fn track(version: &Version) -> (u64, u64, u64, String) {
    let (major, minor, patch) = (version.major, version.minor, version.patch);
    let pre = version.pre.to_string();
    match (major, minor, pre.is_empty()) {
        (_, _, false) => (major, minor, patch, pre),
        (0, 0, true) => (0, 0, patch, pre),
        (0, _, true) => (0, minor, 0, pre),
        (_, _, true) => (major, 0, 0, pre),
    }
}

proptest! {
    #[test]
    fn every_version_satisfies_itself(a in version()) {
        prop_assert!(satisfies(Some(&a), Some(&a)));
    }

    #[test]
    fn inside_a_track_newer_satisfies_older_and_across_tracks_nothing_does(
        a in version(), b in version(),
    ) {
        let expected = track(&a) == track(&b) && b >= a;
        prop_assert_eq!(satisfies(Some(&a), Some(&b)), expected, "{} for {}", b, a);
    }

    #[test]
    fn satisfaction_is_transitive(a in version(), b in version(), c in version()) {
        let is_chain = satisfies(Some(&a), Some(&b)) && satisfies(Some(&b), Some(&c));
        prop_assert!(!is_chain || satisfies(Some(&a), Some(&c)));
    }

    #[test]
    fn two_versions_that_satisfy_each_other_are_one(a in version(), b in version()) {
        let both = satisfies(Some(&a), Some(&b)) && satisfies(Some(&b), Some(&a));
        prop_assert_eq!(both, a == b);
    }

    #[test]
    fn an_interface_comes_back_from_its_text(
        name in "[a-z]{1,4}:[a-z]{1,4}(-[a-z0-9]{1,3})?/[a-z]{1,4}(-[A-Z0-9]{1,3})?(@[0-9]\\.[0-9]\\.[0-9])?",
    ) {
        let parsed: InterfaceName = name.parse().unwrap();
        prop_assert_eq!(parsed.to_string(), name.clone());
        prop_assert!(InterfaceRef::from(parsed.clone()).matches(&parsed));
    }
}
