//! Components of one app, joined by links: each stays itself, and every type crosses.

use std::path::PathBuf;

use serde_json::json;
use weft_tests::{Files, Weft};

/// `fixture:links/relay`, the functions of `caller`.
const RELAY: &str = "fixture:links/relay";

fn pair(files: &Files) -> PathBuf {
    files.app(
        "pair",
        r#"
        components:
        - {name: caller, source: {file: guest:caller}, env: {WHO: caller, ONLY-CALLER: "1"}, limits: {deadline: 2s}}
        - {name: callee, source: {file: guest:callee}, env: {WHO: callee}}
        providers:
        - {name: memory, type: keyvalue-memory}
        - {name: disk, type: keyvalue-redb}
        - {name: config, type: config-values, config: {values: {shared: both, side: neither}}}
        links:
        - {from: caller, interface: "fixture:links", to: callee}
        - {from: caller, interface: "wasi:config", to: config, config: {values: {side: caller}}}
        - {from: callee, interface: "wasi:config", to: config, config: {values: {side: callee}}}
        - {from: caller, interface: "wasi:keyvalue/store", to: memory}
        - {from: callee, interface: "wasi:keyvalue/store", to: disk}
        "#,
    )
}

#[test]
fn each_end_of_a_link_keeps_its_own_environment_configuration_and_bucket() {
    let files = Files::new();
    let weft = Weft::serving(&[pair(&files)]);
    let call = |expression: &str| weft.called("pair/caller", &format!("{RELAY}.{expression}"));
    assert_eq!(
        call("whoami-both()"),
        "{caller: [(\"config:shared\", \"both\"), (\"config:side\", \"caller\"), \
         (\"env:ONLY-CALLER\", \"1\"), (\"env:WHO\", \"caller\")], \
         callee: [(\"config:shared\", \"both\"), (\"config:side\", \"callee\"), \
         (\"env:WHO\", \"callee\")]}"
    );
    assert_eq!(call("remember(caller, \"key\", \"of the caller\")"), "ok");
    assert_eq!(call("remember(callee, \"key\", \"of the callee\")"), "ok");
    assert_eq!(
        call("recall(caller, \"key\")"),
        "ok(some(\"of the caller\"))"
    );
    assert_eq!(
        call("recall(callee, \"key\")"),
        "ok(some(\"of the callee\"))"
    );
    assert_eq!(call("recall(callee, \"other\")"), "ok(none)");

    // Entered by itself, the callee is who it was behind the link.
    let alone = weft.called("pair/callee", "fixture:links/identity.whoami()");
    assert!(alone.contains("(\"env:WHO\", \"callee\")"), "{alone}");
    let stored = weft.called("pair/callee", "fixture:links/identity.recall(\"key\")");
    assert_eq!(stored, "ok(some(\"of the callee\"))");

    // What is on disk outlives the host, and what is in memory does not.
    let weft = weft.restarted();
    let call = |expression: &str| weft.called("pair/caller", &format!("{RELAY}.{expression}"));
    assert_eq!(
        call("recall(callee, \"key\")"),
        "ok(some(\"of the callee\"))"
    );
    assert_eq!(call("recall(caller, \"key\")"), "ok(none)");
}

#[test]
fn every_kind_of_type_crosses_a_link() {
    let files = Files::new();
    let weft = Weft::serving(&[pair(&files)]);
    let call = |expression: &str| weft.called("pair/caller", &format!("{RELAY}.{expression}"));
    let bytes = format!(
        "[{}]",
        (0..300)
            .map(|i| (i % 256).to_string())
            .collect::<Vec<_>>()
            .join(", ")
    );
    let settings = "{name: \"näme\", size: 7, ratio: 0.5, enabled: true, initial: 'ß', \
                    nickname: some(\"nick\"), tags: [\"a\", \"\"], corner: (-128, -9223372036854775808)}";
    let without_name = "{name: \"\", size: 4294967295, ratio: -1.5, enabled: false, initial: 'x', \
                        tags: [], corner: (0, 1)}";
    // Each goes over the link and comes back as it was.
    let values = [
        ("echo-text", "\"\""),
        ("echo-text", "\"Grüße, 世界\""),
        ("echo-bytes", "[]"),
        ("echo-bytes", &bytes),
        ("echo-settings", settings),
        ("echo-settings", without_name),
        ("echo-shape", "nothing"),
        ("echo-shape", "circle(2.25)"),
        ("echo-shape", "count(-5)"),
        ("echo-shape", "named((\"a\", 255))"),
        (
            "echo-shape",
            "polygon([{x: 0.5, y: -0.5, label: \"corner\"}])",
        ),
        (
            "echo-shapes",
            "[nothing, circle(1.5), count(1), polygon([]), named((\"\", 0))]",
        ),
        (
            "echo-points",
            "[{x: 1.5, y: inf, label: \"p\"}, {x: -0.25, y: 0.5, label: \"\"}]",
        ),
        ("echo-colour", "green"),
        ("echo-permissions", "{}"),
        ("echo-permissions", "{read, execute}"),
        ("echo-maybe", "none"),
        ("echo-maybe", "some(none)"),
        ("echo-maybe", "some(some(\"text\"))"),
    ];
    for (function, value) in values {
        assert_eq!(call(&format!("{function}({value})")), value, "{function}");
    }
    assert_eq!(call("nothing()"), "");
    assert_eq!(call("add(4294967295, 2)"), "1");
    assert_eq!(call("divide(7, 2)"), "ok(3)");
    assert_eq!(call("divide(7, 0)"), "err(\"cannot divide 7 by 0\")");
    assert_eq!(call("wide(\"four\")"), "140");
    assert_eq!(call("add-many(100000)"), "100000");
    assert_eq!(call("misbehave(refuse)"), "err(refused(red))");
}

#[test]
fn a_fused_callee_that_fails_ends_the_call_and_not_the_app() {
    let files = Files::new();
    let weft = Weft::serving(&[pair(&files)]);
    let misdeed = |what: &str| weft.call("pair/caller", &format!("{RELAY}.misbehave({what})"));
    misdeed("trap").expect_code(4).expect_stderr(&["trapped"]);
    misdeed("spin")
        .expect_code(4)
        .expect_stderr(&["2000 ms", "limits.deadline"]);
    misdeed("hoard")
        .expect_code(4)
        .expect_stderr(&["limits.memory"]);
    assert_eq!(
        weft.called("pair/caller", &format!("{RELAY}.add(1, 2)")),
        "3"
    );
    let caller = weft
        .get("components")
        .into_iter()
        .find(|row| row["component"] == "caller")
        .unwrap();
    assert_eq!(
        (&caller["in_flight"], &caller["traps"]),
        (&json!(0), &json!(2)),
        "{caller}"
    );
}

#[test]
fn a_link_takes_a_compatible_version_and_no_other() {
    let files = Files::new();
    let with = |exporter: &str| {
        files.app(
            exporter,
            &format!(
                r#"
                components:
                - {{name: client, source: {{file: guest:answer-client}}}}
                - {{name: server, source: {{file: guest:{exporter}}}}}
                links:
                - {{from: client, interface: "fixture:version/answer", to: server}}
                "#
            ),
        )
    };
    let weft = Weft::serving(&[with("answer-0-1-3")]);
    assert_eq!(
        weft.called("answer-0-1-3/client", "fixture:version/ask.ask()"),
        "13"
    );
    let refused = weft.deploy(&with("answer-0-2-0")).expect_code(1);
    refused.expect_stderr(&[
        "`client`",
        "`server`",
        "fixture:version/answer@0.1.0",
        "fixture:version/answer@0.2.0",
    ]);
    assert_eq!(weft.get("apps").len(), 1);
}

#[test]
fn two_links_of_one_shape_lead_to_two_targets() {
    let files = Files::new();
    let manifest = files.app(
        "two",
        r#"
        components:
        - {name: client, source: {file: guest:two-links}}
        - {name: first, source: {file: guest:answer-0-1-3}}
        - {name: second, source: {file: guest:answer-0-2-0}}
        - {name: third, source: {file: guest:answer-0-1-3}, env: {ANSWER: "42"}}
        links:
        - {from: client, interface: "fixture:version/answer", name: primary, to: first}
        - {from: client, interface: "fixture:version/answer", name: secondary, to: third}
        "#,
    );
    let weft = Weft::serving(std::slice::from_ref(&manifest));
    assert_eq!(weft.called("two/client", "ask-both()"), "(13, 42)");
    let names: Vec<_> = weft
        .get("links")
        .iter()
        .map(|link| link["name"].clone())
        .collect();
    assert_eq!(names, ["primary", "secondary"]);

    // Other targets are a change of two lines. The second import is of no version.
    let text = std::fs::read_to_string(&manifest).unwrap();
    let changed = text
        .replace("to: third}", "to: second}")
        .replace("to: first}", "to: third}");
    files.write("two.yaml", changed);
    weft.deployed(&manifest);
    assert_eq!(weft.called("two/client", "ask-both()"), "(42, 20)");
}
