//! Arguments and results that are larger than a message of the bus.

use weft_tests::{NatsServer, start_nats, start_nats_with};

use super::Apart;

/// Each with its result: the importer sends so many bytes, gets them back, and compares.
const CALLS: &[(&str, &str)] = &[
    ("relay-bulk.bytes(5242880)", "ok(5242880)"),
    ("relay-bulk.parcel(5242880)", "ok(5242880)"),
    ("relay-bulk.text(3000000)", "ok(3000000)"),
    ("relay-bulk.points(200000)", "ok(200000)"),
    // Large one way and small the other.
    ("relay-failures.flood-bytes(5242880)", "ok(5242880)"),
    ("relay-failures.swallow-bytes(5242880)", "ok(5242880)"),
];

fn check(nats: &NatsServer) {
    let apart = Apart::start(nats, 1, "");
    for (call, expected) in CALLS {
        let expression = format!("fixture:conformance/{call}");
        let found = apart.importer.called("apart/importer", &expression);
        assert_eq!(found, *expected, "{call}");
    }
}

#[test]
fn a_value_that_is_larger_than_a_message_crosses_both_ways() {
    check(&start_nats());
}

#[test]
fn how_large_a_message_may_be_is_the_servers_own_choice() {
    check(&start_nats_with("max_payload: 100KB"));
}
