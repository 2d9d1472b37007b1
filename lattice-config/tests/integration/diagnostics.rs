//! Diagnostics of invalid manifests. The wording is the feature, so whole texts are compared.

use std::fs;

use weft_lattice_config::{App, Position};

use crate::{golden, try_app};

#[test]
fn the_diagnostics_of_every_invalid_manifest_are_those_of_its_golden_file() {
    let manifests = golden::files("tests/diagnostics", "yaml");
    assert!(
        manifests.len() >= 10,
        "expected the manifests in `tests/diagnostics`"
    );
    let mut differences = String::new();
    for manifest in manifests {
        let name = manifest
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&manifest).expect("readable");
        let errors = App::from_yaml(&name, &text).expect_err(&name);
        let compared = golden::compare(&manifest.with_extension("txt"), &format!("{errors}\n"));
        differences += &compared.err().unwrap_or_default();
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn ten_mistakes_are_ten_diagnostics_each_with_line_and_column() {
    let text = fs::read_to_string(golden::folder("tests/diagnostics/ten-mistakes.yaml")).unwrap();
    let errors = App::from_yaml("ten-mistakes.yaml", &text).unwrap_err();
    let lines: Vec<_> = errors
        .diagnostics()
        .iter()
        .map(|it| it.position.unwrap().line)
        .collect();
    assert_eq!(lines, [1, 4, 8, 10, 13, 13, 15, 16, 19, 23], "{errors}");
    assert_eq!(errors.omitted(), 0);
}

#[test]
fn a_diagnostic_has_the_path_and_the_position_of_the_mistake() {
    let errors = try_app("  links: [{from: a, interface: 'x:y', to: b}]\n").unwrap_err();
    let diagnostic = &errors.diagnostics()[1];
    assert_eq!(diagnostic.path, "spec.links[0].to");
    assert_eq!(
        diagnostic.position,
        Some(Position {
            line: 5,
            column: 43
        })
    );
}

#[test]
fn a_mistake_in_one_field_does_not_hide_another_in_the_same_link() {
    let errors = try_app(
        "  components: [{name: a, source: {file: a.wasm}}]\n\
         \x20 links: [{from: a, interface: oops, to: nowhere, extra: 1}]\n",
    )
    .unwrap_err();
    let paths: Vec<_> = errors
        .diagnostics()
        .iter()
        .map(|it| it.path.as_str())
        .collect();
    let expected = [
        "spec.links[0].interface",
        "spec.links[0].to",
        "spec.links[0].extra",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn an_unknown_section_does_not_hide_a_wrong_reference() {
    let errors = try_app(
        "  components: [{name: a, source: {file: a.wasm}}]\n\
         \x20 placement: {}\n\
         \x20 routes: [{to: b}]\n",
    )
    .unwrap_err();
    let paths: Vec<_> = errors
        .diagnostics()
        .iter()
        .map(|it| it.path.as_str())
        .collect();
    assert_eq!(paths, ["spec.placement", "spec.routes[0].to"]);
}

#[test]
fn fifty_mistakes_are_shown_and_the_rest_is_counted() {
    for (count, omitted) in [(50, 0), (51, 1), (1500, 1450)] {
        let keys: String = (0..count)
            .map(|index| format!("  unknown-{index}: 1\n"))
            .collect();
        let errors = try_app(&keys).unwrap_err();
        assert_eq!(errors.diagnostics().len(), 50);
        assert_eq!(errors.omitted(), omitted);
        assert_eq!(
            errors.to_string().ends_with(&format!("and {omitted} more")),
            omitted > 0
        );
    }
}

#[test]
fn a_list_above_its_bound_is_refused_as_a_whole() {
    let bounds = [
        ("components", 256),
        ("providers", 256),
        ("links", 4096),
        ("routes", 1024),
    ];
    for (list, bound) in bounds {
        let items = "  - x\n".repeat(bound + 1);
        let errors = try_app(&format!("  {list}:\n{items}")).unwrap_err();
        let [only] = errors.diagnostics() else {
            panic!("{errors}")
        };
        assert_eq!(only.path, format!("spec.{list}"));
        assert!(
            only.message
                .contains(&format!("at most {bound} are allowed")),
            "{errors}"
        );
    }
}

#[test]
fn more_labels_than_a_host_can_have_are_refused_as_a_whole() {
    for (count, is_fine) in [(64, true), (65, false)] {
        let labels: Vec<_> = (0..count).map(|index| format!("l{index}: v")).collect();
        let values: Vec<_> = (0..count).map(|index| format!("v{index}")).collect();
        for placement in [
            format!("require: {{{}}}", labels.join(", ")),
            format!("prefer: {{zone: [{}]}}", values.join(", ")),
        ] {
            let component = format!("{{name: a, source: {{file: a}}, placement: {{{placement}}}}}");
            let read = try_app(&format!("  components: [{component}]\n"));
            assert_eq!(read.is_ok(), is_fine, "{placement}: {read:?}");
        }
    }
}

#[test]
fn a_manifest_above_a_mebibyte_is_not_read() {
    let text = format!("# {}", "x".repeat(1 << 20));
    let errors = App::from_yaml("shop.yaml", &text).unwrap_err();
    assert!(
        errors.to_string().contains("at most 1048576 bytes"),
        "{errors}"
    );
}

#[test]
fn nesting_is_allowed_to_the_bound_and_refused_beyond() {
    // The root, `spec`, the list, the provider and `config` are five levels.
    let provider = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!("  providers: [{{name: p, type: t, config: {{x: {open}{close}}}}}]\n")
    };
    try_app(&provider(64 - 5)).unwrap();
    let errors = try_app(&provider(64 - 5 + 1)).unwrap_err();
    assert!(
        errors.to_string().contains("nested deeper than 64 levels"),
        "{errors}"
    );
}

#[test]
fn a_long_line_is_shown_around_its_mistake() {
    let padding = "x".repeat(5000);
    let errors = try_app(&format!(
        "  {{routes: [{{path: /{padding}, to: nowhere}}]}}\n"
    ))
    .unwrap_err();
    assert!(
        errors
            .to_string()
            .lines()
            .all(|line| line.chars().count() < 250),
        "{errors}"
    );
    assert!(errors.to_string().contains("to: nowhere"), "{errors}");
}

#[test]
fn messages_hold_no_control_characters() {
    let errors = try_app("  \"\\e[31mred\\a\": 1\n").unwrap_err();
    let has_control = errors
        .to_string()
        .chars()
        .any(|c| c.is_control() && c != '\n');
    assert!(!has_control, "{errors:?}");
}
