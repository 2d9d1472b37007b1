//! Which mode a link is in, and why, can be asked for.

use std::path::PathBuf;

use serde_json::Value;
use weft_tests::{Files, Weft};

/// The manifest of an app of two components; fields of both and of their link.
fn pair(files: &Files, app: &str, [importer, exporter, link]: [&str; 3]) -> PathBuf {
    let spec = format!(
        "components:\n\
         - {{name: importer, source: {{file: guest:conformance-importer}}{importer}}}\n\
         - {{name: exporter, source: {{file: guest:conformance-exporter}}{exporter}}}\n\
         links:\n\
         - {{from: importer, interface: \"fixture:conformance\", to: exporter{link}}}\n"
    );
    files.app(app, &spec)
}

fn why(weft: &Weft, app: &str, interface: &str) -> Value {
    let asked = ["link", "why", app, "importer", interface, "-o", "json"];
    let answer = weft.run(&asked).expect_code(0).json();
    // One row, or a list of one.
    answer.get(0).cloned().unwrap_or(answer)
}

#[test]
fn each_link_is_in_the_mode_that_its_ends_and_the_manifest_ask_for() {
    // Fields of the importer, of the exporter and of the link; the mode, and what speaks against a faster one.
    let cases = [
        ("", "", "", "fused", ""),
        ("", "", ", locality: auto", "fused", ""),
        ("", "", ", locality: fused", "fused", ""),
        ("", "", ", locality: local", "local", "locality: local"),
        ("", ", isolate: true", "", "local", "isolate"),
        (", isolate: true", "", "", "local", "isolate"),
        (
            "",
            ", limits: {memory: 64MiB}",
            "",
            "local",
            "limits.memory",
        ),
        (
            ", limits: {memory: 64MiB}",
            "",
            "",
            "local",
            "limits.memory",
        ),
        ("", ", limits: {cpu: 1s}", "", "local", "limits.cpu"),
        (", limits: {cpu: 1s}", "", "", "local", "limits.cpu"),
        // These are of whoever is entered, and no store is asked for.
        (
            "",
            ", limits: {deadline: 1s, concurrency: 5}",
            "",
            "fused",
            "",
        ),
    ];
    let files = Files::new();
    let name = |index: usize| format!("pair-{index}");
    let manifests = cases.iter().enumerate().map(|(index, case)| {
        let (importer, exporter, link, ..) = *case;
        pair(&files, &name(index), [importer, exporter, link])
    });
    // One host compiles each component once.
    let weft = Weft::serving(&manifests.collect::<Vec<_>>());
    let links = weft.get("links");
    for (index, (importer, exporter, link, mode, reason)) in cases.into_iter().enumerate() {
        let app = name(index);
        let links: Vec<_> = links.iter().filter(|row| row["app"] == *app).collect();
        assert!(!links.is_empty());
        for row in links {
            assert_eq!(row["mode"], mode, "{importer} {exporter} {link}: {row}");
        }
        let row = why(&weft, &app, "fixture:conformance/values");
        assert_eq!(row["mode"], mode, "{row}");
        let reasons = row["why"].to_string();
        assert!(reasons.contains(reason), "no `{reason}` in {row}");
        assert_eq!(
            reason.is_empty(),
            row["why"] == serde_json::json!([]),
            "{row}"
        );
        // And it works like that.
        let called = weft.called(
            &format!("{app}/importer"),
            "fixture:conformance/relay-values.echo-u8(7)",
        );
        assert_eq!(called, "7");
    }
}

#[test]
fn each_function_of_a_local_link_says_how_its_calls_go() {
    let files = Files::new();
    let link = ", locality: local, deadline: 2s";
    let weft = Weft::serving(&[pair(&files, "pair", ["", "", link])]);
    let cases = [
        ("values", "echo-u8", "direct"),
        ("values", "echo-text", "direct"),
        ("values", "echo-bytes", "direct"),
        ("values", "echo-blob", "direct"),
        ("values", "echo-order", "stub"),
        ("values", "echo-maybe-u8", "stub"),
        ("values", "sixteen", "stub"),
        ("maps", "echo-prices", "stub"),
        ("direct", "checked-bytes", "stub"),
        ("direct", "checked-char", "stub"),
        ("direct", "join", "direct"),
        ("direct", "concat", "direct"),
        ("direct", "nothing", "direct"),
        ("direct", "decode", "direct"),
        ("failures", "as-case", "stub"),
        ("resources", "make", "stub"),
        ("resources", "[static]counter.dropped", "scalars"),
    ];
    for (interface, function, path) in cases {
        let row = why(&weft, "pair", &format!("fixture:conformance/{interface}"));
        assert_eq!(row["deadline_ms"], 2000, "{row}");
        let functions = row["functions"].as_array().unwrap();
        let found = functions.iter().find(|row| row["function"] == function);
        assert_eq!(found.unwrap()["path"], path, "{interface}.{function}");
    }
    weft.run(&[
        "link",
        "why",
        "pair",
        "importer",
        "fixture:conformance/values@0.1.0",
    ])
    .expect_code(0);
}

#[test]
fn a_link_that_is_not_there_is_answered_with_what_is() {
    let files = Files::new();
    let weft = Weft::serving(&[pair(&files, "pair", [""; 3])]);
    for (asked, parts) in [
        (
            ["pairr", "importer", "fixture:conformance/values"],
            ["pairr", "pair"],
        ),
        (
            ["pair", "imported", "fixture:conformance/values"],
            ["imported", "importer"],
        ),
        (
            ["pair", "importer", "fixture:conformance/valuez"],
            ["valuez", "fixture:conformance/values"],
        ),
        (
            ["pair", "exporter", "fixture:conformance/values"],
            ["exporter", "values"],
        ),
    ] {
        let answer = weft.run(&[&["link", "why"][..], &asked].concat());
        assert!(matches!(answer.code, Some(1 | 2)), "{answer}");
        answer.expect_stderr(&parts);
    }
}
