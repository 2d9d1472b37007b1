//! Links that cannot be made are refused at deploy, with what was expected and what was found.

use weft_tests::{Files, Finished, PATIENCE, Weft, finish, spawn, weft_command};

/// A component that imports `test:pair/number` and calls it with a text.
const IMPORTER: &str = r#"
(component
  (import "test:pair/number@1.0.0" (instance $number
    (export "twice" (func (param "of" string) (result u32)))))
  (export "test:pair/user@1.0.0" (instance $number)))
"#;

/// A component that imports a version of key-value stores that no host serves.
const DRAFT_CLIENT: &str = r#"
(component
  (import "wasi:keyvalue/store@0.2.0-draft2" (instance
    (export "open" (func (param "identifier" string))))))
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
        // A misspelled interface, and one in another version.
        (
            client,
            server,
            "links:\n- {from: left, interface: \"fixture:version/answr\", to: right}\n",
            &[
                "pair.yaml:9:29: error",
                "did you mean `fixture:version/answer`?",
            ],
        ),
        (
            client,
            server,
            "links:\n- {from: left, interface: \"fixture:version/answer@9.9.9\", to: right}\n",
            &[
                "pair.yaml:9:29: error",
                "`fixture:version/answer@9.9.9`",
                "imports `fixture:version/answer@0.1.0`",
            ],
        ),
        // A version of an interface that the host does not serve.
        (
            "draft.wasm",
            server,
            "",
            &[
                "wasi:keyvalue/store@0.2.0-draft2",
                "serves version `0.2.0-draft`",
            ],
        ),
        (
            "draft.wasm",
            server,
            "links:\n- {from: left, interface: \"wasi:keyvalue\", to: kv}\n\
             providers:\n- {name: kv, type: keyvalue-memory}\n",
            &["pair.yaml:9:", "serves version `0.2.0-draft`"],
        ),
    ];
    files.wat("draft.wasm", DRAFT_CLIENT);
    for (left, right, more, parts) in cases {
        let manifest = pair(&files, left, right, more);
        for run in all_checks(&weft, &manifest) {
            run.expect_stderr(parts);
            run.expect_stderr(&["pair.yaml:"]);
        }
    }
    assert!(weft.get("apps").is_empty());
}

/// Runs `weft check`.
fn check(manifests: &[&str]) -> Finished {
    let mut command = weft_command();
    command.arg("check").args(manifests);
    finish(spawn(command), PATIENCE)
}

/// The runs of every command that checks a manifest; each reports a mistake.
fn all_checks(weft: &Weft, manifest: &std::path::Path) -> [Finished; 3] {
    let manifest = manifest.to_string_lossy();
    let checked = check(&[&manifest]).expect_code(2);
    let planned = weft.run(&["deploy", "--plan", &manifest]);
    let refused = weft.run(&["deploy", &manifest]);
    for run in [&planned, &refused] {
        assert!(matches!(run.code, Some(1 | 2)), "{run}");
    }
    [checked, planned, refused]
}

#[test]
fn all_mistakes_of_an_app_are_reported_together_each_with_its_line() {
    let (files, weft) = (Files::new(), Weft::empty());
    let manifest = pair(
        &files,
        "guest:answer-client",
        "guest:answer-0-1-3",
        "links:\n- {from: right, interface: \"wasi:config\", to: settings}\n\
         providers:\n\
         - {name: settings, type: config-value}\n\
         - {name: db, type: keyvalue-redb, config: {durable: true}}\n\
         routes:\n- {to: right}\n",
    );
    for run in all_checks(&weft, &manifest) {
        run.expect_stderr(&[
            "pair.yaml:6:",
            "import `fixture:version/answer@0.1.0` of component `left` has no link",
            "pair.yaml:9:",
            "does not import `wasi:config`",
            "pair.yaml:11:28: error",
            "did you mean `config-values`?",
            "pair.yaml:12:",
            "durable",
            "pair.yaml:14:10: error",
            "does not handle HTTP",
        ]);
    }
    assert!(weft.get("apps").is_empty());
}

#[test]
fn an_app_without_a_mistake_passes_every_check_and_a_check_needs_no_host() {
    let (files, weft) = (Files::new(), Weft::empty());
    let link = "links:\n- {from: left, interface: \"fixture:version/answer\", to: right}\n";
    let manifest = pair(&files, "guest:answer-client", "guest:answer-0-1-3", link);
    let path = manifest.to_string_lossy();
    let checked = check(&[&path]).expect_code(0);
    assert!(checked.stdout.starts_with("pair: good ("), "{checked}");
    weft.run(&["deploy", "--plan", &path]).expect_code(0);
    assert!(weft.get("apps").is_empty());
    weft.deployed(&manifest);
}

#[test]
fn an_unknown_digest_is_named_with_the_way_to_upload_it() {
    let (files, weft) = (Files::new(), Weft::empty());
    let digest = format!("sha256:{}", "ab".repeat(32));
    let spec = format!("components:\n- {{name: left, source: {{digest: \"{digest}\"}}}}\n");
    let manifest = files.app("lost", &spec);
    let path = manifest.to_string_lossy();
    for arguments in [&["deploy", "--plan"][..], &["deploy"]] {
        let run = weft.run(&[arguments, &[&path]].concat()).expect_code(1);
        run.expect_stderr(&["lost.yaml:6:", &digest, "`source.file`"]);
    }
    // The bytes may be on a host, so a check without one passes, with a note.
    let checked = check(&[&path]).expect_code(0);
    checked.expect_stderr(&["lost/left: not checked"]);
}

#[test]
fn a_route_of_two_manifests_is_a_mistake_of_a_check_without_a_host() {
    let files = Files::new();
    let spec =
        "components:\n- {name: web, source: {file: guest:hello-http}}\nroutes:\n- {to: web}\n";
    let [one, two] = ["one", "two"].map(|name| files.app(name, spec));
    let [one, two] = [&one, &two].map(|path| path.to_string_lossy());
    let checked = check(&[&one, &two]).expect_code(2);
    checked.expect_stderr(&["two.yaml:8:", "is also a route of app `one`"]);
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
