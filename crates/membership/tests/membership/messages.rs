//! Encoding of messages: round trips, and rejection of everything else.

use std::error::Error;
use std::sync::Arc;

use proptest::prelude::*;
use weft_membership::message::{
    Contents, Envelope, Failure, HostCondition, HostedComponent, Inventory, Kind, Labels,
    MAX_COMPONENTS, MAX_FAILURES, MAX_HEARTBEAT_BYTES, MAX_INVENTORY_BYTES, MAX_LABELS,
    MAX_REASON_BYTES, MAX_STORES, Message, Origin, Revision, StoreId, VERSION,
};
use weft_wire::{FieldError, FrameError, MAX_AUTHENTICATOR_BYTES, MAX_LATTICE_BYTES};

use super::strategies::{any_authenticator, any_contents, any_message};
use weft_testkit::membership::{LATTICE, RemoteHost, component, config, hosted, id};

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn messages_round_trip(message in any_message(), proof in any_authenticator()) {
        let bytes = message.encode_with(LATTICE, &proof)?;
        let envelope = Envelope::open(&bytes)?;
        prop_assert_eq!(envelope.kind(), message.kind());
        prop_assert_eq!(envelope.authenticator(), &proof[..]);
        prop_assert_eq!(Message::read(&envelope, LATTICE)?, message.clone());

        let plain = message.encode(LATTICE)?;
        let plain = Envelope::open(&plain)?;
        prop_assert_eq!((plain.head(), plain.body()), (envelope.head(), envelope.body()));
    }

    #[test]
    fn truncated_and_overlong_messages_are_rejected(message in any_message()) {
        let mut bytes = message.encode(LATTICE)?;
        for length in 0..bytes.len() {
            prop_assert!(Message::decode(&bytes[..length], LATTICE).is_err());
        }
        bytes.push(0);
        prop_assert!(Message::decode(&bytes, LATTICE).is_err());
    }

    #[test]
    fn a_message_for_another_lattice_is_rejected(message in any_message(), other in "[a-z]{1,9}") {
        prop_assume!(other != LATTICE);
        let found = Message::decode(&message.encode(&other)?, LATTICE);
        let expected = LATTICE.to_owned();
        prop_assert_eq!(found, Err(FrameError::Lattice { expected, found: other }));
    }

    #[test]
    fn the_hash_of_an_inventory_does_not_depend_on_the_order_of_its_parts(
        contents in any_contents(),
        seed in any::<u64>(),
    ) {
        let mut gathered = contents.clone();
        let length = gathered.components.len().max(1);
        gathered.components.rotate_left(seed as usize % length);
        gathered.stores.reverse();
        prop_assert_eq!(gathered.sorted().hash()?, contents.hash()?);
    }

    #[test]
    fn different_inventories_have_different_hashes(one in any_contents(), other in any_contents()) {
        prop_assert_eq!(one.hash()? == other.hash()?, one == other);
    }
}

fn heartbeat_bytes() -> Vec<u8> {
    let heartbeat = Message::Heartbeat(RemoteHost::new(1).heartbeat());
    heartbeat.encode(LATTICE).expect("within limits")
}

#[test]
fn another_version_is_reported_before_anything_else_is_read() {
    for found in [0, VERSION + 1, 0xff] {
        let mut bytes = heartbeat_bytes();
        bytes[0] = found;
        bytes[2..].fill(0xff);
        let error = Message::decode(&bytes, LATTICE).expect_err("another version");
        let supported = VERSION;
        assert_eq!(error, FrameError::Version { found, supported });
        assert!(
            error
                .to_string()
                .contains("run the same release of weft on both hosts")
        );
    }
}

#[test]
fn link_frames_and_unknown_kinds_are_rejected_by_kind() {
    for found in (0..64).chain(71..=255) {
        let bytes = [VERSION, found, 0, 0];
        assert_eq!(
            Message::decode(&bytes, LATTICE),
            Err(FrameError::Kind {
                found,
                supported: VERSION
            })
        );
    }
}

#[test]
fn a_message_needs_a_version_and_a_kind() {
    assert_eq!(Message::decode(&[], LATTICE), Err(FrameError::Empty));
    assert_eq!(Message::decode(&[VERSION], LATTICE), Err(FrameError::Empty));
}

#[test]
fn a_message_over_the_limit_of_its_kind_is_rejected_unread() {
    for (kind, limit) in [
        (Kind::Heartbeat, MAX_HEARTBEAT_BYTES),
        (Kind::InventoryRequest, MAX_HEARTBEAT_BYTES),
        (Kind::Inventory, MAX_INVENTORY_BYTES),
    ] {
        let mut bytes = vec![0xff; limit + 1];
        bytes[..2].copy_from_slice(&[VERSION, kind as u8]);
        let found = bytes.len();
        let kind = kind.name();
        let expected = FrameError::TooLong { kind, limit, found };
        assert_eq!(Message::decode(&bytes, LATTICE), Err(expected));
    }
}

/// The largest valid inventory.
fn largest() -> Contents {
    let long = |index: usize| format!("{}{index:06}", "n".repeat(57));
    let mut labels = Labels::default();
    for index in 0..MAX_LABELS {
        labels.set(&long(index), &long(index)).expect("valid label");
    }
    let app = || long(0).parse().expect("valid name");
    let stores = (0..MAX_STORES).map(|index| StoreId {
        app: app(),
        provider: long(index).parse().expect("valid name"),
    });
    let components = (0..MAX_COMPONENTS).map(|index| {
        let mut hosted = hosted("x", u64::MAX);
        hosted.component.app = app();
        hosted.component.component = long(index).parse().expect("valid name");
        hosted
    });
    let failures = (0..MAX_FAILURES).map(|index| Failure {
        app: long(index).parse().expect("valid name"),
        revision: Revision(u64::MAX),
        reason: "r".repeat(MAX_REASON_BYTES),
    });
    Contents {
        name: "n".repeat(64),
        release: "r".repeat(64),
        labels,
        capacity: Some(u64::MAX),
        stores: stores.collect(),
        components: components.collect(),
        failures: failures.collect(),
        conditions: HostCondition::ALL.to_vec(),
    }
}

fn inventory_of(contents: Contents) -> Message {
    let contents = Arc::new(contents);
    let (host, incarnation, sequence) = (id(1), u64::MAX, u64::MAX);
    let origin = Origin {
        host,
        incarnation,
        sequence,
    };
    Message::Inventory(Inventory { origin, contents })
}

#[test]
fn the_largest_inventory_fits_into_one_message() {
    let message = inventory_of(largest());
    let lattice = "l".repeat(MAX_LATTICE_BYTES);
    let proof = [7; MAX_AUTHENTICATOR_BYTES];
    let bytes = message.encode_with(&lattice, &proof);
    let bytes = bytes.expect("within limits");
    assert_eq!(Message::decode(&bytes, &lattice), Ok(message));
}

#[test]
fn an_inventory_over_any_limit_is_not_encoded() {
    let more_components = |contents: &mut Contents| contents.components.push(hosted("x", 1));
    let more_stores = |contents: &mut Contents| {
        let last = contents.stores[0].clone();
        contents.stores.push(last);
    };
    let more_failures = |contents: &mut Contents| {
        let last = contents.failures[0].clone();
        contents.failures.push(last);
    };
    let longer_reason = |contents: &mut Contents| contents.failures[0].reason.push('r');
    let longer_release = |contents: &mut Contents| contents.release.push('r');
    let longer_name = |contents: &mut Contents| contents.name.push('n');
    let edits: [fn(&mut Contents); 6] = [
        more_components,
        more_stores,
        more_failures,
        longer_reason,
        longer_release,
        longer_name,
    ];
    for edit in edits {
        let mut contents = largest();
        edit(&mut contents);
        assert!(contents.hash().is_err());
        assert!(inventory_of(contents).encode(LATTICE).is_err());
    }
    let proof = [0; MAX_AUTHENTICATOR_BYTES + 1];
    let long_proof = inventory_of(Contents::default()).encode_with(LATTICE, &proof);
    assert!(long_proof.is_err());
    let lattice = "l".repeat(MAX_LATTICE_BYTES + 1);
    assert!(inventory_of(Contents::default()).encode(&lattice).is_err());
}

#[track_caller]
fn assert_refused(components: Vec<HostedComponent>, replace: (&str, &str), expected: &str) {
    let contents = Contents {
        components,
        ..Contents::default()
    };
    let bytes = inventory_of(contents).encode(LATTICE);
    let bytes = hex::encode(bytes.expect("within limits"));
    let (from, to) = (hex::encode(replace.0), hex::encode(replace.1));
    let bytes = hex::decode(bytes.replace(&from, &to)).expect("whole bytes");
    let error = Message::decode(&bytes, LATTICE).expect_err("refused");
    let kind = Kind::Inventory;
    assert!(matches!(&error, FrameError::Malformed { kind: found, .. } if *found == kind.name()));
    let cause = error.source().expect("has a cause").to_string();
    assert!(cause.contains(expected), "{cause}");
}

#[test]
fn an_invalid_component_name_is_rejected() {
    for name in ["*", ">", ".", "/", "A", " "] {
        let components = vec![hosted("x", 1)];
        assert_refused(components, ("x", name), "is not a component name");
    }
}

#[test]
fn lists_out_of_order_or_with_duplicates_are_rejected() {
    let ascending = "expected `components` in ascending order";
    let twice = vec![hosted("x", 1), hosted("x", 1)];
    assert_refused(twice, ("", ""), ascending);
    let descending = vec![hosted("y", 1), hosted("x", 1)];
    assert_refused(descending, ("", ""), ascending);
    let revisions = vec![hosted("x", 2), hosted("x", 1)];
    assert_refused(revisions, ("", ""), ascending);
}

#[test]
fn invalid_labels_are_rejected_when_set_and_when_decoded() {
    let long = "l".repeat(64);
    for name in ["", "a b", "a=b", "*", "é", "a\n", &long] {
        assert!(Labels::default().set(name, "value").is_err(), "{name}");
    }
    for value in ["a b", ">", "\0", &long] {
        assert!(Labels::default().set("name", value).is_err(), "{value}");
    }
    let mut full = Labels::default();
    for index in 0..MAX_LABELS {
        full.set(&index.to_string(), "").expect("within limits");
    }
    assert!(full.set("one-more", "").is_err());
    full.set("0", "changed").expect("replaced");

    let mut contents = Contents::default();
    contents.labels.set("zone", "a").expect("valid label");
    let bytes = inventory_of(contents).encode(LATTICE).expect("short");
    let text = hex::encode(bytes).replace(&hex::encode("zone"), &hex::encode("zo e"));
    let bytes = hex::decode(text).expect("whole bytes");
    let read = Message::decode(&bytes, LATTICE);
    let Err(FrameError::Malformed { source, .. }) = read else {
        panic!("{read:?}");
    };
    assert!(
        matches!(source, FieldError::Invalid { field: "label", .. }),
        "{source}"
    );
}

#[test]
fn duplicate_components_are_removed() {
    let contents = Contents {
        components: vec![
            hosted("b", 1),
            hosted("a", 2),
            hosted("a", 1),
            hosted("b", 1),
        ],
        ..Contents::default()
    };
    let sorted = contents.sorted().components;
    let keys: Vec<_> = sorted
        .iter()
        .map(|hosted| (hosted.component.clone(), hosted.revision.0))
        .collect();
    let expected = [
        (component("a"), 1),
        (component("a"), 2),
        (component("b"), 1),
    ];
    assert_eq!(keys, expected);
}
