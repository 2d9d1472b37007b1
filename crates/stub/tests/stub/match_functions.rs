//! Matching of an importer's functions with those of an exporter.

use weft_stub::plan::{MatchError, Plan};

use crate::support::{chain, component_world, exports, imports};

const API: &str = "a:b/api@0.1.0";

fn importer(interface: &str) -> Plan {
    let packages = format!("package a:b@0.1.0 {{ interface api {{ {interface} }} }}");
    imports(&component_world(&packages, "import a:b/api@0.1.0;"), &[API])
}

fn exporter(interface: &str) -> Plan {
    let world = format!("export serve: interface {{ {interface} }}");
    exports(&component_world("", &world), &["serve"])
}

fn pair(importing: &str, exporting: &str) -> Result<Vec<u32>, MatchError> {
    importer(importing).served_by(&exporter(exporting), &[(API, "serve")])
}

#[test]
fn functions_match_by_name_and_not_by_index() {
    let served = pair(
        "last: func(a: list<u32>); typed: func(a: u32); first: func() -> list<u32>;",
        "first: func() -> list<u32>; more: func() -> list<u32>; typed: func(a: u32); last: func(a: list<u32>);",
    );
    assert_eq!(served, Ok(vec![3, 2, 0]));
}

#[test]
fn an_importer_may_have_only_the_functions_that_are_not_concurrent() {
    let served = pair(
        "plain: func(a: list<u32>);",
        "feed: async func() -> stream<u8>; plain: func(a: list<u32>);",
    );
    assert_eq!(served, Ok(vec![1]));
}

#[test]
fn functions_of_a_concurrent_interface_match_whether_they_are_async_or_not() {
    let both = "feed: async func() -> stream<u8>; plain: func(a: list<u32>);";
    assert_eq!(pair(both, both), Ok(vec![0, 1]));
}

#[test]
fn a_function_that_is_not_served_is_named_with_the_reason() {
    let plain = "f: func(a: list<u32>);";
    let missing = pair(plain, "g: func(a: list<u32>);").unwrap_err();
    assert_eq!(
        missing.to_string(),
        "`serve` of the exporter has no function `f`"
    );
    let concurrent = pair(plain, "f: async func(a: list<u32>);").unwrap_err();
    assert_eq!(
        concurrent.to_string(),
        "`f` is concurrent in the exporter and synchronous in the importer"
    );
    let unsupported = pair(plain, "f: async func(a: stream<list<u32>>);").unwrap_err();
    assert!(
        chain(&unsupported).starts_with(
            "`f` of the exporter is unsupported on links between stores: `f` of `serve`: "
        ),
        "{}",
        chain(&unsupported)
    );
    let unlinked = importer(plain)
        .served_by(&exporter(plain), &[])
        .unwrap_err();
    assert_eq!(
        unlinked.to_string(),
        "import `a:b/api@0.1.0` is not linked to an export"
    );
}
