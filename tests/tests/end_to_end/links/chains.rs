//! Calls that go on from component to component, and come back to one that they have been at.

use weft_tests::{Files, Weft};

use super::nothing_in_flight;

const STEP: &str = "fixture:conformance/step";

/// The most links that may lead to a call.
const DEPTH_MAX: usize = 16;

/// A walker: its name, the fields of its component, and those of its link to the next.
type Walker<'a> = (&'a str, &'a str, &'a str);

/// An app of walkers, each linked to the next and the last to the first.
fn ring(files: &Files, walkers: &[Walker<'_>]) -> Weft {
    let components = walkers.iter().map(|(name, fields, _)| {
        format!("- {{name: {name}, source: {{file: guest:conformance-walker}}, env: {{WHO: {name}}}{fields}}}\n")
    });
    let next = walkers.iter().cycle().skip(1);
    let links = walkers
        .iter()
        .zip(next)
        .map(|((from, _, fields), (to, _, _))| {
            format!("- {{from: {from}, interface: \"{STEP}\", name: next, to: {to}{fields}}}\n")
        });
    let (components, links): (String, String) = (components.collect(), links.collect());
    Weft::serving(&[files.app("ring", &format!("components:\n{components}links:\n{links}"))])
}

fn walk(weft: &Weft, from: &str, steps: usize) -> String {
    weft.called(
        &format!("ring/{from}"),
        &format!("{STEP}.walk({steps}, [])"),
    )
}

/// The trail of so many steps around a ring of these.
fn trail(names: &[&str], steps: usize) -> String {
    let names = names.iter().cycle().take(steps + 1);
    let names: Vec<_> = names.map(|name| format!("\"{name}\"")).collect();
    format!("ok([{}])", names.join(", "))
}

#[test]
fn a_call_comes_back_to_a_component_that_waits_and_finds_another_instance() {
    for (walkers, names) in [
        (&[("a", "", ""), ("b", "", "")][..], &["a", "b"][..]),
        (
            &[("a", "", ""), ("b", "", ""), ("c", "", "")],
            &["a", "b", "c"],
        ),
        // Part of the way is fused; the circle as a whole cannot be.
        (
            &[
                ("a", "", ", locality: fused"),
                ("b", "", ", locality: local"),
            ],
            &["a", "b"],
        ),
        (
            &[
                ("a", ", instances: {reuse: {}}", ""),
                ("b", ", instances: {reuse: {}}", ""),
            ],
            &["a", "b"],
        ),
    ] {
        let files = Files::new();
        let weft = ring(&files, walkers);
        // Nowhere is an `again`: no instance was entered in the middle of a call.
        for steps in [0, 1, 2, 3, 4, 7] {
            assert_eq!(walk(&weft, "a", steps), trail(names, steps));
        }
        let directly = weft.called("ring/b", &format!("{STEP}.walk-directly(2, \"\")"));
        let expected = names.iter().cycle().skip(1).take(3);
        let expected: String = expected.map(|name| format!("{name} ")).collect();
        assert_eq!(directly, format!("ok(\"{expected}\")"));
        nothing_in_flight(&weft);
    }
}

#[test]
fn too_long_a_chain_of_calls_is_refused() {
    let files = Files::new();
    let weft = ring(&files, &[("a", "", ""), ("b", "", "")]);
    assert_eq!(walk(&weft, "a", DEPTH_MAX), trail(&["a", "b"], DEPTH_MAX));
    for steps in [DEPTH_MAX + 1, 1000] {
        let refused = walk(&weft, "a", steps);
        assert!(
            refused.starts_with("err(link-failure(\"refused"),
            "{refused}"
        );
        let refused = weft.called("ring/a", &format!("{STEP}.walk-directly({steps}, \"\")"));
        assert!(refused.starts_with("err(\"refused"), "{refused}");
    }
    nothing_in_flight(&weft);
}

#[test]
fn a_call_that_comes_back_counts_against_the_limit_of_the_component() {
    let files = Files::new();
    let weft = ring(
        &files,
        &[("a", "", ""), ("b", ", limits: {concurrency: 1}", "")],
    );
    assert_eq!(walk(&weft, "a", 2), trail(&["a", "b"], 2));
    let busy = walk(&weft, "a", 3);
    assert!(
        busy.starts_with("err(link-failure(\"busy") && busy.contains("`b`"),
        "{busy}"
    );
    let busy = weft.called("ring/a", &format!("{STEP}.walk-directly(3, \"\")"));
    assert!(
        busy.starts_with("err(\"busy") && busy.contains("`b`"),
        "{busy}"
    );
    // Nothing is left behind.
    nothing_in_flight(&weft);
    assert_eq!(walk(&weft, "a", 1), trail(&["a", "b"], 1));
}

#[test]
fn a_deadline_shrinks_along_a_chain() {
    let files = Files::new();
    let patient = ", deadline: 20s";
    let weft = ring(
        &files,
        &[
            ("a", "", ", deadline: 500ms"),
            ("b", "", patient),
            ("c", "", patient),
        ],
    );
    let called = weft.run(&[
        "call",
        "ring/a",
        &format!("{STEP}.walk-and-spin(2)"),
        "-o",
        "json",
    ]);
    let called = called.expect_code(0).json();
    let told = called["result"].as_str().unwrap();
    assert!(
        told.contains("a saw the error: deadline") || told.contains("b saw the error: deadline"),
        "{told}"
    );
    // `b` would wait 20 s by its own link.
    let elapsed = called["elapsed_us"].as_u64().unwrap();
    assert!(elapsed < 10_000_000, "{called}");
    // All that was called has ended, the last of them too.
    nothing_in_flight(&weft);
}

#[test]
fn a_trap_at_the_end_of_a_chain_is_told_to_the_one_before_it_and_to_nobody_else() {
    let files = Files::new();
    let local = ", locality: local";
    let weft = ring(
        &files,
        &[("a", "", local), ("b", "", local), ("c", "", local)],
    );
    let told = weft.called("ring/a", &format!("{STEP}.walk-and-trap(2)"));
    let expected = "ok(\"a was told: b saw the error: trapped: `c`";
    assert!(told.starts_with(expected), "{told}");
}
