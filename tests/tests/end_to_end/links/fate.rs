//! What happens to a callee happens to that call, and to nothing else.

use weft_tests::{Files, PATIENCE, Weft, eventually};

use super::{column, fragile, nothing_in_flight};

const RELAY: &str = "fixture:conformance/relay-failures";

/// What is left of an importer after it saw a failure.
const UNTOUCHED: [&str; 3] = [
    "own memory is as it was: true",
    "the other link: works",
    "the same link: Ok(7)",
];

fn call(weft: &Weft, expression: &str) -> String {
    weft.called("app/importer", &format!("{RELAY}.{expression}"))
}

#[track_caller]
fn expect(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}

#[test]
fn a_callee_that_traps_leaves_its_importer_and_the_other_links_untouched() {
    for others in [", locality: local", ", locality: fused"] {
        let files = Files::new();
        let weft = fragile(&files, "", ", locality: local", others);
        let seen = call(&weft, "survive(trap)");
        expect(&seen, &["link failure: trapped: `fragile`"]);
        expect(&seen, &UNTOUCHED);
        assert_eq!(column(&weft, "fragile", "traps"), 1);
        assert_eq!(column(&weft, "importer", "traps"), 0);
        nothing_in_flight(&weft);
    }
}

#[test]
fn a_failure_that_a_result_cannot_carry_ends_the_importer_and_names_link_function_and_reason() {
    let files = Files::new();
    let weft = fragile(&files, "", ", locality: local", "");
    for (expression, function) in [
        ("plain(trap)", "plain"),
        ("other(trap)", "other"),
        ("direct-plain(2)", "direct-plain"),
    ] {
        let ended = weft.call("app/importer", &format!("{RELAY}.{expression}"));
        ended.expect_code(4).expect_stderr(&[
            "importer",
            "fragile",
            "fixture:conformance/failures@0.1.0",
            function,
            "trapped",
        ]);
    }
    assert_eq!(column(&weft, "fragile", "traps"), 3);
    assert_eq!(call(&weft, "plain(behave)"), "7");
    nothing_in_flight(&weft);
}

#[test]
fn a_callee_that_never_returns_is_ended_at_the_deadline_of_the_link() {
    let files = Files::new();
    let weft = fragile(&files, "", ", locality: local, deadline: 300ms", "");
    let in_time = ["deadline", "`fragile`", "300 ms"];
    expect(
        &call(&weft, "text(spin)"),
        &[&["err(\""], &in_time[..]].concat(),
    );
    expect(
        &call(&weft, "direct-text(3)"),
        &[&["err(\""], &in_time[..]].concat(),
    );
    expect(
        &call(&weft, "as-case(spin)"),
        &[&["err(link-failure(\""], &in_time[..]].concat(),
    );
    let ended = weft.call("app/importer", &format!("{RELAY}.plain(spin)"));
    ended.expect_code(4).expect_stderr(&in_time);
    expect(&call(&weft, "survive(spin)"), &UNTOUCHED);
    nothing_in_flight(&weft);
}

#[test]
fn a_callee_that_never_returns_is_ended_at_the_deadline_of_the_request() {
    let files = Files::new();
    let spec = "components:\n\
                - {name: importer, source: {file: guest:conformance-importer}, limits: {deadline: 300ms}}\n\
                - {name: exporter, source: {file: guest:conformance-exporter}}\n\
                links:\n\
                - {from: importer, interface: \"fixture:conformance\", to: exporter, locality: local}\n";
    let weft = Weft::serving(&[files.app("app", spec)]);
    // Which of both learns of it first is nobody's promise.
    let ended = weft.call("app/importer", &format!("{RELAY}.plain(spin)"));
    ended
        .expect_code(4)
        .expect_stderr(&["did not answer within"]);
    assert_eq!(call(&weft, "plain(behave)"), "7");
    nothing_in_flight(&weft);
}

#[test]
fn a_callee_has_limits_of_its_own() {
    for (limit, misdeed, named) in [
        ("memory: 16MiB", "hoard", "limits.memory"),
        ("cpu: 200ms", "spin", "limits.cpu"),
    ] {
        let files = Files::new();
        let weft = fragile(&files, &format!(", limits: {{{limit}}}"), "", "");
        let seen = call(&weft, &format!("survive({misdeed})"));
        expect(&seen, &["link failure: trapped: `fragile`", named]);
        expect(&seen, &UNTOUCHED);
        // The importer's own are not those of the callee.
        let twice = "fixture:conformance/relay-bulk.bytes(20000000)";
        assert_eq!(weft.called("app/importer", twice), "ok(20000000)");
    }
}

#[test]
fn an_isolated_component_fails_alone() {
    let files = Files::new();
    let weft = fragile(&files, ", isolate: true", "", "");
    expect(&call(&weft, "survive(trap)"), &UNTOUCHED);
    expect(&call(&weft, "survive(refuse)"), &["refused 7"]);
}

#[test]
fn more_than_a_link_carries_is_a_failure_of_that_call() {
    let files = Files::new();
    let roomy = ", limits: {memory: 1GiB}";
    let weft = fragile(&files, roomy, "", "");
    for expression in [
        // More than 64 MiB.
        "flood-bytes(80000000)",
        "flood-texts(80, 1000000)",
        // More than four million elements.
        "flood-units(5000000)",
    ] {
        let finished = weft.call("app/importer", &format!("{RELAY}.{expression}"));
        let told = finished.code == Some(0) && finished.stdout.starts_with("err(");
        assert!(told, "{expression}: {finished}");
        assert_eq!(call(&weft, "flood-units(1000)"), "ok(1000)");
    }
    nothing_in_flight(&weft);
}

#[test]
fn a_callee_at_its_limit_is_busy_for_its_importers() {
    let files = Files::new();
    let weft = fragile(
        &files,
        ", limits: {concurrency: 1}",
        ", locality: local",
        "",
    );
    assert_eq!(call(&weft, "text(behave)"), "ok(7)");
    let spin = weft.spawn(&[
        "call",
        "app/fragile",
        "fixture:conformance/failures.plain(spin)",
    ]);
    eventually("the callee is at its limit", PATIENCE, || {
        let in_flight = column(&weft, "fragile", "in_flight");
        (in_flight == 1).then_some(()).ok_or(in_flight.to_string())
    });
    expect(&call(&weft, "text(behave)"), &["err(\"busy", "`fragile`"]);
    expect(&call(&weft, "direct-text(0)"), &["err(\"busy", "`fragile`"]);
    expect(
        &call(&weft, "as-case(behave)"),
        &["err(link-failure(\"busy", "`fragile`"],
    );
    drop(spin);
    eventually("the callee is free again", PATIENCE, || {
        let told = call(&weft, "text(behave)");
        (told == "ok(7)").then_some(()).ok_or(told)
    });
}

#[test]
fn a_session_ends_with_its_importer_even_if_handles_were_left() {
    let files = Files::new();
    let spec = "components:\n\
                - {name: importer, source: {file: guest:conformance-importer}}\n\
                - {name: exporter, source: {file: guest:conformance-exporter}, limits: {concurrency: 1}}\n\
                links:\n\
                - {from: importer, interface: \"fixture:conformance\", to: exporter, locality: local}\n";
    let weft = Weft::serving(&[files.app("app", spec)]);
    for _ in 0..3 {
        assert_eq!(
            weft.called("app/importer", "fixture:conformance/relay-resources.leak()"),
            "1"
        );
    }
    nothing_in_flight(&weft);
    // What the destructor counts begins anew with each importer.
    let drops = weft.called("app/importer", "fixture:conformance/relay-resources.life()");
    expect(&drops, &["\"0\", \"1\"]"]);
}
