//! Checks that `docs/lattice.md`, the specification, has every number and every example message.

use std::fs;
use std::path::Path;

use weft_membership::message::{
    HostCondition, HostState, Kind, MAX_COMPONENTS, MAX_FAILURES, MAX_HEARTBEAT_BYTES,
    MAX_HOST_NAME_BYTES, MAX_INVENTORY_BYTES, MAX_LABEL_BYTES, MAX_LABELS, MAX_NAME_BYTES,
    MAX_REASON_BYTES, MAX_RELEASE_BYTES, MAX_STORES, Readiness, VERSION,
};
use weft_membership::routing::{
    ATTEMPT_TIME_MIN, ATTEMPTS_MAX, EJECTED_FIRST, EJECTED_MAX, FAILURES_TO_EJECT,
    PROBES_TO_RETURN, RETRIES_SAVED_MAX,
};
use weft_membership::{
    DAMPING_FIRST, DAMPING_MAX, DEAD_AFTER, DEAD_HOSTS_MAX, FLAP_WINDOW, FORGET_AFTER,
    FORGET_UNKNOWN_AFTER, HEARTBEAT_EVERY, HOSTED_COMPONENTS_MAX, HOSTS_MAX, REFUTATIONS_MAX,
    REFUTE_AGAIN_AFTER, Rejection, SETTLE_AFTER_RETURN, SETTLE_AFTER_START, STALL_MIN,
    SUSPECT_AFTER,
};
use weft_state::peers::message::{
    MAX_ANSWER_BYTES, MAX_CHUNK_BYTES, MAX_KEY_BYTES, MAX_LISTED, MAX_QUESTION_BYTES,
};

use weft_wire::{MAX_AUTHENTICATOR_BYTES, MAX_LATTICE_BYTES};

use super::golden::{examples, golden_text, peer_examples};

#[track_caller]
fn assert_documented(texts: impl IntoIterator<Item = String>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/lattice.md");
    let specification = fs::read_to_string(file).expect("the specification is there");
    let texts = texts.into_iter();
    let missing: Vec<_> = texts.filter(|text| !specification.contains(text)).collect();
    assert!(
        missing.is_empty(),
        "`docs/lattice.md` is the specification, and lacks\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_golden_message_is_documented() {
    let messages = examples().map(|example| example.name);
    let peers = peer_examples().map(|(name, ..)| name);
    let names = messages.into_iter().chain(peers);
    assert_documented(names.map(|name| {
        let text = golden_text(name);
        format!("`{name}`:\n\n```text\n{text}```\n")
    }));
}

#[test]
fn every_number_on_the_wire_is_documented() {
    let kinds = Kind::ALL.map(|kind| (kind as u32, kind.name()));
    let states = HostState::ALL.map(|state| (state as u32, state.name()));
    let readiness = Readiness::ALL.map(|readiness| (readiness as u32, readiness.name()));
    let conditions = HostCondition::ALL.map(|condition| (condition as u32, condition.name()));
    let numbers = kinds.into_iter().chain(states);
    let numbers = numbers.chain(readiness).chain(conditions);
    assert_documented(numbers.map(|(number, name)| format!("| {number} | `{name}` |")));
    assert_documented([format!("version {VERSION}")]);
    assert_documented(Rejection::ALL.map(|reason| format!("| `{}` |", reason.name())));
}

#[test]
fn every_limit_is_documented() {
    let limits = [
        ("MAX_AUTHENTICATOR_BYTES", MAX_AUTHENTICATOR_BYTES),
        ("MAX_COMPONENTS", MAX_COMPONENTS),
        ("MAX_FAILURES", MAX_FAILURES),
        ("MAX_HEARTBEAT_BYTES", MAX_HEARTBEAT_BYTES),
        ("MAX_HOST_NAME_BYTES", MAX_HOST_NAME_BYTES),
        ("MAX_INVENTORY_BYTES", MAX_INVENTORY_BYTES),
        ("MAX_LABELS", MAX_LABELS),
        ("MAX_LABEL_BYTES", MAX_LABEL_BYTES),
        ("MAX_LATTICE_BYTES", MAX_LATTICE_BYTES),
        ("MAX_NAME_BYTES", MAX_NAME_BYTES),
        ("MAX_REASON_BYTES", MAX_REASON_BYTES),
        ("MAX_RELEASE_BYTES", MAX_RELEASE_BYTES),
        ("MAX_STORES", MAX_STORES),
        ("MAX_LISTED", MAX_LISTED),
        ("MAX_KEY_BYTES", MAX_KEY_BYTES),
        ("MAX_CHUNK_BYTES", MAX_CHUNK_BYTES),
        ("MAX_QUESTION_BYTES", MAX_QUESTION_BYTES),
        ("MAX_ANSWER_BYTES", MAX_ANSWER_BYTES),
        ("HOSTS_MAX", HOSTS_MAX),
        ("DEAD_HOSTS_MAX", DEAD_HOSTS_MAX),
        ("REFUTATIONS_MAX", REFUTATIONS_MAX),
        ("HOSTED_COMPONENTS_MAX", HOSTED_COMPONENTS_MAX),
        ("ATTEMPTS_MAX", ATTEMPTS_MAX),
        ("FAILURES_TO_EJECT", FAILURES_TO_EJECT as usize),
        ("PROBES_TO_RETURN", PROBES_TO_RETURN as usize),
        ("RETRIES_SAVED_MAX", RETRIES_SAVED_MAX as usize),
    ];
    assert_documented(limits.map(|(name, value)| format!("| `{name}` | {value} |")));
    let times = [
        ("HEARTBEAT_EVERY", HEARTBEAT_EVERY),
        ("SUSPECT_AFTER", SUSPECT_AFTER),
        ("DEAD_AFTER", DEAD_AFTER),
        ("SETTLE_AFTER_START", SETTLE_AFTER_START),
        ("SETTLE_AFTER_RETURN", SETTLE_AFTER_RETURN),
        ("STALL_MIN", STALL_MIN),
        ("REFUTE_AGAIN_AFTER", REFUTE_AGAIN_AFTER),
        ("FLAP_WINDOW", FLAP_WINDOW),
        ("DAMPING_FIRST", DAMPING_FIRST),
        ("DAMPING_MAX", DAMPING_MAX),
        ("FORGET_AFTER", FORGET_AFTER),
        ("FORGET_UNKNOWN_AFTER", FORGET_UNKNOWN_AFTER),
        ("ATTEMPT_TIME_MIN", ATTEMPT_TIME_MIN),
        ("EJECTED_FIRST", EJECTED_FIRST),
        ("EJECTED_MAX", EJECTED_MAX),
    ];
    assert_documented(times.map(|(name, value)| format!("| `{name}` | {value:?} |")));
}
