//! `weft doctor`, with real servers and hosts.

use serde_json::Value;
use weft_tests::{
    Finished, NatsServer, PATIENCE, Weft, finish, spawn, start_nats, start_nats_without_jetstream,
    weft_command,
};

use crate::lattice;

fn doctor(arguments: &[&str]) -> Finished {
    let mut command = weft_command();
    command.args(["doctor", "-o", "json"]).args(arguments);
    finish(spawn(command), PATIENCE)
}

/// The weight and the text of a finding.
fn finding(finished: &Finished, subject: &str) -> (String, String) {
    let findings = finished.json();
    let findings = findings.as_array().expect("an array of findings");
    let of_subject = findings.iter().find(|it| it["subject"] == subject);
    let of_subject = of_subject.unwrap_or_else(|| panic!("no finding `{subject}`: {finished}"));
    let text = |key: &str| of_subject[key].as_str().unwrap_or_default().to_owned();
    if of_subject["weight"] != "good" {
        assert!(of_subject["fix"].is_string(), "{of_subject}");
    }
    (text("weight"), text("found"))
}

#[test]
fn a_lattice_is_checked_down_to_its_store() {
    let nats = start_nats();
    let host = lattice::host(&nats, "a=b");
    host.wait_for_ready(1);
    let checked = doctor(&["--nats", &nats.url(), "--lattice", "test"]);
    for subject in ["NATS", "JetStream", "hosts"] {
        assert_eq!(finding(&checked, subject).0, "good", "{checked}");
    }
    assert_eq!(finding(&checked, "hosts").1, "1 of 1 ready");
    drop(host);

    let without_store: NatsServer = start_nats_without_jetstream();
    let checked = doctor(&["--nats", &without_store.url(), "--lattice", "test"]).expect_code(1);
    assert_eq!(finding(&checked, "NATS").0, "good");
    let (weight, found) = finding(&checked, "JetStream");
    assert_eq!(weight, "fault");
    assert!(found.contains("not available"), "{found}");
}

#[test]
fn a_host_alone_needs_no_nats() {
    let weft = Weft::serving(&[]);
    weft.wait_for_ready(1);
    let folder = weft.data();
    let data = folder.path().display().to_string();
    let checked = doctor(&["--data-dir", &data]);
    assert_eq!(
        finding(&checked, "hosts"),
        ("good".to_owned(), "1 of 1 ready".to_owned())
    );
    assert_eq!(finding(&checked, "NATS").0, "note");
    let faults = |it: &Value| it["weight"] == "fault";
    assert!(
        !checked
            .json()
            .as_array()
            .expect("findings")
            .iter()
            .any(faults),
        "{checked}"
    );
}
