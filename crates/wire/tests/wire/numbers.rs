//! Tests that the documentation lists the numbers on the wire.

use std::collections::BTreeSet;

use weft_wire::{Failure, FailureCode, Kind, MAX_MESSAGE_BYTES, Malformed};

use crate::docs::assert_documented;

#[test]
fn every_reason_is_documented_under_its_number() {
    for reason in Malformed::ALL {
        assert_eq!(Malformed::from_number(reason.number()), Some(reason));
    }
    assert_documented(Malformed::ALL.map(|reason| {
        let (code, name) = (reason.number(), reason.name());
        format!("| {code} | `{name}` | {reason} |")
    }));
    let names: BTreeSet<_> = Malformed::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Malformed::ALL.len());
}

#[test]
fn a_number_that_is_no_reason_is_none() {
    for code in [0, 15, u32::MAX] {
        assert_eq!(Malformed::from_number(code), None);
    }
}

#[test]
fn every_failure_code_is_documented_under_its_number() {
    for code in FailureCode::ALL {
        assert_eq!(FailureCode::from_number(code.number()), Some(code));
    }
    assert_documented(FailureCode::ALL.map(|code| format!("| {} | `{code}` |", code.number())));
    assert_eq!(FailureCode::from_number(6), None);
}

#[test]
fn every_kind_of_frame_is_documented_under_its_number() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_number(kind.number()), Some(kind));
    }
    assert_documented(Kind::ALL.map(|kind| format!("| {} | `{}` |", kind.number(), kind.name())));
    assert_eq!(Kind::from_number(0), None);
}

#[test]
fn a_failure_says_its_code_and_its_message() {
    let failure = Failure::new(FailureCode::MaybeExecuted, "the connection was lost");
    assert_eq!(
        failure.to_string(),
        "maybe-executed: the connection was lost"
    );
}

#[test]
fn a_message_that_is_too_long_is_cut_between_characters() {
    for (character, count) in [("a", MAX_MESSAGE_BYTES), ("é", MAX_MESSAGE_BYTES / 2)] {
        let whole = Failure::new(FailureCode::Busy, character.repeat(count));
        assert_eq!(whole.message().len(), MAX_MESSAGE_BYTES);
        let cut = Failure::new(FailureCode::Busy, character.repeat(count + 1));
        assert!(cut.message().len() <= MAX_MESSAGE_BYTES);
        let prefix = cut
            .message()
            .strip_suffix('…')
            .expect("a cut message ends in …");
        assert_eq!(prefix.replace(character, ""), "");
    }
}
