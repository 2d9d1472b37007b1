//! Entries of the cache are used again, for the same input only.

use std::sync::Arc;

use weft_stub::{Cache, Component, StubError};

use crate::support::{component, no_signature};

const NAME: &str = "test:test/api";

fn importer() -> Vec<u8> {
    let packages = "interface api { echo: func(text: string) -> string; }";
    component(packages, "import api;")
}

#[test]
fn a_cached_component_is_found_by_its_digest_and_not_decoded() {
    let cache = Cache::new(no_signature);
    let bytes = importer();
    let first = Component {
        digest: "one",
        bytes: &bytes,
    };
    let made = cache.stub(first, &[NAME]).unwrap();
    assert!(made.bytes.is_some());
    let unread = Component {
        bytes: &[],
        ..first
    };
    assert!(Arc::ptr_eq(&made, &cache.stub(unread, &[NAME]).unwrap()));
    let other = Component {
        digest: "other",
        ..unread
    };
    assert!(matches!(
        cache.stub(other, &[NAME]),
        Err(StubError::World(_))
    ));
}

#[test]
fn another_component_with_the_same_interface_has_the_same_stub() {
    let cache = Cache::new(no_signature);
    let bytes = importer();
    let [one, other] = ["one", "other"].map(|digest| {
        let component = Component {
            digest,
            bytes: &bytes,
        };
        cache.stub(component, &[NAME]).unwrap()
    });
    assert!(!Arc::ptr_eq(&one, &other));
    assert_eq!(one.bytes, other.bytes);
}

#[test]
fn each_end_of_a_component_and_each_set_of_interfaces_has_its_own_entry() {
    let cache = Cache::new(no_signature);
    let packages = "interface api { echo: func(text: string) -> string; }
        interface second { double: func(text: string) -> string; }";
    let bytes = component(packages, "import api; import second; export api;");
    let both = Component {
        digest: "one",
        bytes: &bytes,
    };
    let stub = cache.stub(both, &[NAME]).unwrap();
    let of_two = cache.stub(both, &[NAME, "test:test/second"]).unwrap();
    let skeleton = cache.skeleton(both, &[NAME]).unwrap();
    let count = |plan: &weft_stub::plan::Plan| plan.functions().count();
    assert_eq!((count(&stub.plan), count(&of_two.plan)), (1, 2));
    assert_ne!(stub.bytes, of_two.bytes);
    assert_ne!(stub.bytes, skeleton.bytes);
}
