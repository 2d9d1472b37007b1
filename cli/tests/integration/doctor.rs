//! `weft doctor` on machines that lack something.

use serde_json::Value;

use crate::weft::{Run, Sandbox};

const MANIFEST: &str = "\
apiVersion: weft.dev/v1alpha1
kind: App
metadata:
  name: hello
spec:
  components:
  - name: hello
    source:
      file: hello.wasm
    build: rust
";

/// The finding of a subject.
fn finding(run: &Run, subject: &str) -> Value {
    let findings: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
    let mut findings = findings.into_iter();
    let found = findings.find(|it| it["subject"].as_str().unwrap().starts_with(subject));
    found.unwrap_or_else(|| panic!("no finding `{subject}`: {run:?}"))
}

#[test]
fn tools_that_nothing_needs_are_notes_with_the_way_to_get_them() {
    let sandbox = Sandbox::new();
    let run = sandbox.weft_with(&[("PATH", "/nonexistent")], &["doctor", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for (language, fix) in [
        ("Rust", "https://rustup.rs"),
        ("Python", "python3-venv"),
        ("JavaScript", "https://nodejs.org"),
    ] {
        let finding = finding(&run, language);
        assert_eq!(finding["weight"], "note", "{finding}");
        assert!(finding["fix"].as_str().unwrap().contains(fix), "{finding}");
    }
    assert_eq!(finding(&run, "NATS")["weight"], "note");
    assert_eq!(finding(&run, "hosts")["weight"], "note");
}

#[test]
fn a_tool_that_a_component_is_built_with_is_a_fault_without_it() {
    let sandbox = Sandbox::new();
    sandbox.write("weft.yaml", MANIFEST);
    let run = sandbox.weft_with(&[("PATH", "/nonexistent")], &["doctor", "-o", "json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(finding(&run, "Rust")["weight"], "fault");
    assert_eq!(finding(&run, "Python")["weight"], "note");
    let manifest = finding(&run, "manifest");
    assert_eq!(manifest["weight"], "fault");
    assert_eq!(manifest["fix"], "weft build -f weft.yaml");
}

#[test]
fn an_invalid_manifest_and_unreachable_servers_are_faults_with_a_fix() {
    let sandbox = Sandbox::new();
    sandbox.write("weft.yaml", MANIFEST.replace("kind: App", "kind: Ap"));
    let arguments = ["doctor", "-o", "json", "--nats", "nats://127.0.0.1:1"];
    let run = sandbox.weft(&arguments, "");
    assert_eq!(run.code, Some(1), "{run:?}");
    let manifest = finding(&run, "manifest");
    assert!(
        manifest["found"].as_str().unwrap().contains("Ap"),
        "{manifest}"
    );
    let nats = finding(&run, "NATS");
    assert_eq!(nats["weight"], "fault");
    assert!(
        nats["found"].as_str().unwrap().contains("127.0.0.1:1"),
        "{nats}"
    );
    assert!(run.stderr.contains("faults were found"), "{run:?}");

    let text = sandbox.weft(&["doctor", "--nats", "nats://127.0.0.1:1"], "");
    assert!(text.stdout.contains("fault"), "{text:?}");
    assert!(text.stdout.contains("fix: "), "{text:?}");
}
