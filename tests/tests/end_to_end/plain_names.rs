//! Imports and exports whose names are not those of interfaces: `import primary: shop:catalog/stock`.

use weft_tests::{Files, Options, Weft};

/// A component that exports `fixture:version/answer` under each of these names; each export answers
/// with its position, counted from 1.
fn answers(names: &[&str]) -> String {
    let exports = names.iter().zip(1..).map(|(name, answer)| {
        format!(
            r#"
  (core module $m{answer} (func (export "answer") (result i32) i32.const {answer}))
  (core instance $i{answer} (instantiate $m{answer}))
  (func $f{answer} (result u32) (canon lift (core func $i{answer} "answer")))
  (instance $interface{answer} (export "answer" (func $f{answer})))
  (export "{name}" (implements "fixture:version/answer@0.1.0") (instance $interface{answer}))
"#
        )
    });
    format!("(component {})", exports.collect::<String>())
}

/// A component that imports an interface that is written in its world, and calls it.
const LOG_IMPORTER: &str = r#"
(component
  (import "log" (instance $log (export "answer" (func (result u32)))))
  (core func $answer (canon lower (func $log "answer")))
  (core module $m
    (import "log" "answer" (func $answer (result i32)))
    (func (export "twice") (result i32) (i32.mul (call $answer) (i32.const 2))))
  (core instance $i (instantiate $m (with "log" (instance (export "answer" (func $answer))))))
  (func $twice (result u32) (canon lift (core func $i "twice")))
  (instance $user (export "twice" (func $twice)))
  (export "test:pair/user@1.0.0" (instance $user)))
"#;

#[test]
fn an_export_under_a_plain_name_is_linked_by_the_interface_that_it_implements() {
    let files = Files::new();
    files.wat("answers.wasm", &answers(&["main"]));
    let modes: [(&str, &[&str]); 3] = [
        ("fused", &[]),
        ("local", &[]),
        ("local", &["--links-over-wire"]),
    ];
    for (locality, arguments) in modes {
        let manifest = files.app(
            "plain",
            &format!(
                "
                components:
                - {{name: client, source: {{file: guest:answer-client}}}}
                - {{name: server, source: {{file: answers.wasm}}}}
                links:
                - {{from: client, interface: \"fixture:version/answer\", to: server, locality: {locality}}}
                "
            ),
        );
        let weft = Weft::start(&Options {
            files: &[manifest],
            arguments,
            ..Options::default()
        });
        let called = weft.called("plain/client", "fixture:version/ask.ask()");
        assert_eq!(called, "1", "{locality} {arguments:?}");
        assert_eq!(weft.get("links")[0]["mode"], locality);
    }
}

#[test]
fn of_several_exports_of_an_interface_the_one_with_the_name_of_the_import_is_linked() {
    let (files, weft) = (Files::new(), Weft::empty());
    files.wat("answers.wasm", &answers(&["backup", "primary"]));
    let two_links = files.app(
        "several",
        "
        components:
        - {name: client, source: {file: guest:two-links}}
        - {name: server, source: {file: answers.wasm}}
        - {name: other, source: {file: guest:answer-0-2-0}}
        links:
        - {from: client, interface: \"fixture:version/answer\", name: primary, to: server}
        - {from: client, interface: \"fixture:version/answer\", name: secondary, to: other}
        ",
    );
    weft.deployed(&two_links);
    assert_eq!(weft.called("several/client", "ask-both()"), "(2, 20)");
    assert_eq!(weft.called("several/server", "backup.answer()"), "1");
    weft.call("several/server", "spare.answer()")
        .expect_code(1)
        .expect_stderr(&["`spare.answer`", "`backup.answer`, `primary.answer`"]);

    let text = std::fs::read_to_string(&two_links).unwrap();
    let ambiguous = files.write("two.yaml", text.replace("to: other", "to: server"));
    weft.deploy(&ambiguous).expect_code(1).expect_stderr(&[
        "`server` exports `fixture:version/answer` under several names, `backup`, `primary`; \
         expected one",
    ]);

    let one = files.app(
        "one",
        "
        components:
        - {name: client, source: {file: guest:answer-client}}
        - {name: server, source: {file: answers.wasm}}
        links:
        - {from: client, interface: \"fixture:version/answer\", to: server}
        ",
    );
    weft.deploy(&one).expect_code(1).expect_stderr(&[
        "`server` exports `fixture:version/answer@0.1.0` under several names, `backup`, `primary`; \
         expected one",
        "write `export fixture:version/answer;` in the world of `server`",
    ]);
}

#[test]
fn interfaces_of_two_worlds_are_linked_by_one_plain_name() {
    let (files, weft) = (Files::new(), Weft::empty());
    files.wat("importer.wasm", LOG_IMPORTER);
    // Its interface is written in the world as well.
    let implements = r#"(implements "fixture:version/answer@0.1.0")"#;
    files.wat("exporter.wasm", &answers(&["log"]).replace(implements, ""));
    for locality in ["fused", "local"] {
        let manifest = files.app(
            "log",
            &format!(
                "
                components:
                - {{name: left, source: {{file: importer.wasm}}}}
                - {{name: right, source: {{file: exporter.wasm}}}}
                links:
                - {{from: left, interface: \"test:pair/log\", name: log, to: right, locality: {locality}}}
                "
            ),
        );
        weft.deployed(&manifest);
        let called = weft.called("log/left", "test:pair/user.twice()");
        assert_eq!(called, "2", "{locality}");
        assert_eq!(weft.called("log/right", "log.answer()"), "1");
    }
}

#[test]
fn a_link_without_the_name_of_a_plain_import_is_refused_with_the_name() {
    let (files, weft) = (Files::new(), Weft::empty());
    let manifest = |links: &[&str]| {
        let links = links.join("\n");
        files.app(
            "names",
            &format!(
                "components:\n\
                 - {{name: client, source: {{file: guest:two-links}}}}\n\
                 - {{name: server, source: {{file: guest:answer-0-1-3}}}}\n\
                 links:\n{links}\n"
            ),
        )
    };
    let secondary =
        "- {from: client, interface: \"fixture:version/answer\", name: secondary, to: server}";
    let refused = weft.deploy(&manifest(&[secondary])).expect_code(1);
    refused.expect_stderr(&[
        "import `primary` of component `client` has no link",
        "`{from: client, interface: fixture:version/answer, name: primary, to: server}`",
    ]);
    let inline = "- {from: client, interface: \"test:any/name\", name: secondary, to: server}";
    let refused = weft.deploy(&manifest(&[inline])).expect_code(1);
    refused.expect_stderr(&["expected `server` to export `test:any/name` or `secondary`, found `fixture:version/answer@0.1.3`"]);
    let unnamed = "- {from: client, interface: \"fixture:version/answer\", to: server}";
    let refused = weft.deploy(&manifest(&[secondary, unnamed])).expect_code(1);
    refused.expect_stderr(&[
        "component `client` imports `fixture:version/answer` under the name `primary`",
        "write `name: primary` in the link",
    ]);
}

#[test]
fn an_interface_of_the_host_under_two_names_has_two_providers() {
    let (files, weft) = (Files::new(), Weft::empty());
    let manifest = |secondary: &str| {
        files.app(
            "stores",
            &format!(
                "components:\n\
                 - {{name: client, source: {{file: guest:two-stores}}}}\n\
                 providers:\n\
                 - {{name: first, type: keyvalue-memory}}\n\
                 - {{name: second, type: keyvalue-memory}}\n\
                 links:\n\
                 - {{from: client, interface: \"wasi:keyvalue\", name: primary, to: first}}\n\
                 {secondary}\n"
            ),
        )
    };
    weft.deploy(&manifest("")).expect_code(1).expect_stderr(&[
        "import `secondary` of component `client` has no link to a provider",
        "`{from: client, interface: wasi:keyvalue/store, name: secondary, to: PROVIDER}`",
    ]);
    let secondary =
        "- {from: client, interface: \"wasi:keyvalue/store\", name: secondary, to: second}";
    weft.deployed(&manifest(secondary));
    let called = |expression: &str| weft.called("stores/client", expression);
    assert_eq!(called(r#"set(primary, "", "one")"#), "ok");
    assert_eq!(called(r#"set(secondary, "secondary", "two")"#), "ok");
    // The empty identifier opens the bucket of the import, as its name does.
    assert_eq!(called(r#"get(primary, "primary")"#), r#"ok(some("one"))"#);
    assert_eq!(called(r#"get(secondary, "")"#), r#"ok(some("two"))"#);
    // An import opens no bucket of another one.
    let refused = called(r#"get(primary, "secondary")"#);
    assert!(refused.contains("NoSuchStore"), "{refused}");
}
