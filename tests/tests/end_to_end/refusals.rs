//! Links that cannot be made are refused at deploy, with what was expected and what was found.

use weft_tests::{Files, Weft};

/// A component that imports `test:pair/number` and calls it with a text.
const IMPORTER: &str = r#"
(component
  (import "test:pair/number@1.0.0" (instance $number
    (export "twice" (func (param "of" string) (result u32)))))
  (export "test:pair/user@1.0.0" (instance $number)))
"#;

/// A component that exports `test:pair/number` with a function of this type, which takes two numbers
/// in the core at most.
fn exporter(function: &str, signature: &str) -> String {
    format!(
        r#"
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
    (func (export "text") (param i32 i32) (result i32) i32.const 4)
    (func (export "number") (param i32) (result i32) i32.const 4))
  (core instance $i (instantiate $m))
  (func $text (param "of" string) (result u32)
    (canon lift (core func $i "text") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (func $number (param "of" u32) (result u32) (canon lift (core func $i "number")))
  (instance $number-interface (export "{function}" (func {signature})))
  (export "test:pair/number@1.0.0" (instance $number-interface)))
"#
    )
}

/// An app of an importer `left` and an exporter `right`, with more below the components.
fn pair(files: &Files, left: &str, right: &str, more: &str) -> std::path::PathBuf {
    let components = format!(
        "components:\n\
         - {{name: left, source: {{file: {left}}}}}\n\
         - {{name: right, source: {{file: {right}}}}}\n"
    );
    files.app("pair", &format!("{components}{more}"))
}

#[test]
fn a_type_that_differs_is_named_with_both_ends() {
    let (files, weft) = (Files::new(), Weft::empty());
    files.wat("importer.wasm", IMPORTER);
    let link = "links:\n- {from: left, interface: \"test:pair/number\", to: right}\n";
    let check = |function: &str, signature: &str, parts: &[&str]| {
        files.wat("exporter.wasm", &exporter(function, signature));
        let manifest = pair(&files, "importer.wasm", "exporter.wasm", link);
        let refused = weft.deploy(&manifest).expect_code(1);
        refused.expect_stderr(&["left", "right", "test:pair/number", "twice"]);
        refused.expect_stderr(parts);
    };
    check("twice", "$number", &["expected", "string", "found", "u32"]);
    check("thrice", "$text", &["missing", "thrice"]);
    assert!(weft.get("apps").is_empty());

    // The same pair with the types right.
    files.wat("exporter.wasm", &exporter("twice", "$text"));
    weft.deployed(&pair(&files, "importer.wasm", "exporter.wasm", link));
    assert_eq!(weft.called("pair/left", "test:pair/user.twice(\"x\")"), "4");
}

#[test]
fn imports_and_links_that_do_not_meet_are_named() {
    let (files, weft) = (Files::new(), Weft::empty());
    let client = "guest:answer-client";
    let server = "guest:answer-0-1-3";
    let cases: &[(&str, &str, &str, &[&str])] = &[
        // Nothing serves the import, and there is somebody who could.
        (
            client,
            server,
            "",
            &[
                "`left`",
                "fixture:version/answer@0.1.0",
                "has no link",
                "`right`",
            ],
        ),
        // Nobody could.
        (
            client,
            client,
            "",
            &[
                "`left`",
                "`right`",
                "fixture:version/answer@0.1.0",
                "no component of the app",
            ],
        ),
        // The target has no such export.
        (
            client,
            "guest:callee",
            "links:\n\
             - {from: left, interface: \"fixture:version/answer\", to: right}\n\
             - {from: right, interface: \"wasi:config\", to: config}\n\
             - {from: right, interface: \"wasi:keyvalue\", to: kv}\n\
             providers:\n- {name: config, type: config-values}\n- {name: kv, type: keyvalue-memory}\n",
            &[
                "`left`",
                "`right`",
                "fixture:version/answer@0.1.0",
                "found",
                "fixture:links/echo@0.1.0",
            ],
        ),
        // A link that no import uses.
        (
            client,
            server,
            "links:\n\
             - {from: left, interface: \"fixture:version/answer\", to: right}\n\
             - {from: left, interface: \"fixture:version/question\", to: right}\n",
            &[
                "`left`",
                "does not import `fixture:version/question`",
                "fixture:version/answer@0.1.0",
            ],
        ),
        // A provider is needed, and one of another type is there.
        (
            "guest:http-probe",
            server,
            "",
            &[
                "wasi:keyvalue/store",
                "wasi:config/store",
                "wasi:http/outgoing-handler",
                "keyvalue-redb",
            ],
        ),
        (
            client,
            server,
            "links:\n- {from: left, interface: \"fixture:version/answer\", to: kv}\n\
             providers:\n- {name: kv, type: keyvalue-memory}\n",
            &[
                "`left`",
                "`kv`",
                "keyvalue-memory",
                "fixture:version/answer",
            ],
        ),
        (
            client,
            server,
            "providers:\n- {name: kv, type: keyvalue-redis}\n",
            &["keyvalue-redis", "keyvalue-redb"],
        ),
        // A route to a component without a handler.
        (
            server,
            server,
            "routes:\n- {to: left}\n",
            &["`left`", "wasi:http/incoming-handler"],
        ),
        // A link with a name that no import has.
        (
            client,
            server,
            "links:\n- {from: left, interface: \"fixture:version/answer\", to: right, name: x}\n",
            &["`left`", "under the name `x`"],
        ),
    ];
    for (left, right, more, parts) in cases {
        let refused = weft.deploy(&pair(&files, left, right, more));
        assert!(matches!(refused.code, Some(1 | 2)), "{more}{refused}");
        refused.expect_stderr(parts);
    }
    assert!(weft.get("apps").is_empty());
}

#[test]
fn a_component_that_is_linked_to_itself_is_refused() {
    let (files, weft) = (Files::new(), Weft::empty());
    let link = "links:\n- {from: left, interface: \"fixture:version/answer\", to: left}\n";
    let to_itself = pair(&files, "guest:answer-client", "guest:answer-client", link);
    weft.deploy(&to_itself)
        .expect_code(2)
        .expect_stderr(&["`left` is linked to itself"]);
}

#[test]
fn a_component_with_a_limit_of_its_own_is_not_fused() {
    let (files, weft) = (Files::new(), Weft::empty());
    for (end, limit) in [
        ("left", "memory: 64MiB"),
        ("right", "memory: 64MiB"),
        ("left", "cpu: 1s"),
        ("right", "cpu: 1s"),
    ] {
        let limited = |name: &str| {
            if name == end {
                format!(", limits: {{{limit}}}")
            } else {
                String::new()
            }
        };
        let spec = format!(
            "components:\n\
             - {{name: left, source: {{file: guest:answer-client}}{}}}\n\
             - {{name: right, source: {{file: guest:answer-0-1-3}}{}}}\n\
             links:\n\
             - {{from: left, interface: \"fixture:version/answer\", to: right, locality: fused}}\n",
            limited("left"),
            limited("right")
        );
        let refused = weft.deploy(&files.app("pair", &spec)).expect_code(2);
        let key = limit.split(':').next().unwrap();
        let (end, key) = (format!("`{end}`"), format!("limits.{key}"));
        refused.expect_stderr(&["pair.yaml:", "cannot be fused", &end, &key]);
    }
}
