//! Error messages for mistakes of users: the wording is the feature here, so the whole text is
//! compared.

use std::net::TcpListener;

use crate::weft::{Run, Sandbox};

/// A manifest of one component whose bytes are in `file`.
fn manifest(file: &str) -> String {
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata:\n  name: shop\nspec:\n  components:\n  \
         - name: storefront\n    source:\n      file: {file}\n"
    )
}

/// Checks that the run failed with this code, and printed this text on standard error alone.
#[track_caller]
fn check(run: &Run, code: i32, stderr: &str) {
    assert_eq!(run.stderr.trim_end(), stderr.trim_end());
    assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""));
}

#[test]
fn a_missing_manifest_is_named_with_the_accepted_form() {
    let run = Sandbox::new().weft(&["deploy", "missing.yaml"], "");
    check(
        &run,
        2,
        "error: cannot read the manifest `missing.yaml`\n  \
           caused by: No such file or directory (os error 2)\n\
         help: give the path of a manifest, as in `weft deploy shop.yaml`, or `-` for standard input",
    );
}

#[test]
fn a_manifest_with_a_similar_name_is_suggested() {
    let sandbox = Sandbox::new();
    sandbox.write("apps/shop.yaml", manifest("storefront.wasm"));
    let run = sandbox.weft(&["deploy", "apps/shop.yml"], "");
    check(
        &run,
        2,
        "error: cannot read the manifest `apps/shop.yml`\n  \
           caused by: No such file or directory (os error 2)\n\
         help: did you mean `apps/shop.yaml`?",
    );
}

#[test]
fn every_mistake_of_a_manifest_is_shown_in_its_line() {
    let sandbox = Sandbox::new();
    let text = manifest("storefront.wasm").replace("spec:", "spec:\n  linkz: []");
    sandbox.write("shop.yaml", text.replace("name: shop", "name: Shop"));
    let run = sandbox.weft(&["deploy", "shop.yaml"], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    for expected in [
        "shop.yaml:4:9: error: ",
        "4 |   name: Shop",
        "shop.yaml:6:3: error: ",
        "`linkz`",
    ] {
        assert!(
            run.stderr.contains(expected),
            "{expected:?} is not in:\n{}",
            run.stderr
        );
    }
    assert!(
        run.stderr.starts_with("shop.yaml:4:9: "),
        "no prefix of our own:\n{}",
        run.stderr
    );
}

#[test]
fn the_mistakes_of_several_manifests_are_shown_together() {
    let sandbox = Sandbox::new();
    sandbox.write("one.yaml", "kind: App");
    let run = sandbox.weft(&["deploy", "one.yaml", "two.yaml"], "");
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.starts_with("one.yaml:1:"), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("error: cannot read the manifest `two.yaml`"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_missing_component_file_is_named_with_its_component() {
    let sandbox = Sandbox::new();
    sandbox.write("apps/shop.yaml", manifest("build/storefront.wasm"));
    let run = sandbox.weft(&["deploy", "apps/shop.yaml"], "");
    check(
        &run,
        2,
        "apps/shop.yaml:9:13: error: component `storefront`: cannot read `apps/build/storefront.wasm`: \
         No such file or directory (os error 2)\n  \
           |\n\
         9 |       file: build/storefront.wasm\n  \
           |             ^\n  \
           = help: build the component, or correct the path, which is relative to the manifest",
    );
}

#[test]
fn a_core_module_is_rejected_without_a_host() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", manifest("core.wasm"));
    sandbox.write("core.wasm", b"\0asm\x01\0\0\0");
    let run = sandbox.weft(&["deploy", "shop.yaml"], "");
    assert_eq!(run.code, Some(2));
    let expected = "shop.yaml:9:13: error: component `storefront`: cannot use `core.wasm` as a component: \
                    the artifact is a core WebAssembly module";
    assert!(run.stderr.starts_with(expected), "{}", run.stderr);
}

#[test]
fn webassembly_in_place_of_a_manifest_is_recognised() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.wasm", b"\0asm\x0d\0\x01\0");
    let run = sandbox.weft(&["deploy", "shop.wasm"], "");
    assert_eq!(run.code, Some(2));
    let expected = "error: `shop.wasm` is a WebAssembly file, expected a YAML manifest\nhelp: ";
    assert!(run.stderr.starts_with(expected), "{}", run.stderr);
}

#[test]
fn a_file_that_is_too_large_for_a_manifest_is_named_with_the_limit() {
    let sandbox = Sandbox::new();
    // The limit falls into the middle of a character.
    let large = "a".to_owned() + &"é".repeat(2_500_000);
    sandbox.write("big.bin", &large);
    let message = |name: &str| {
        format!(
            "error: `{name}` is too large for a manifest: expected at most 1048576 bytes\n\
             help: give the path of a manifest, as in `weft deploy shop.yaml`"
        )
    };
    let run = sandbox.weft(&["deploy", "big.bin"], "");
    check(&run, 2, &message("big.bin"));
    let run = sandbox.weft(&["deploy", "-"], &large);
    check(&run, 2, &message("<stdin>"));
}

#[test]
fn a_manifest_is_read_from_standard_input_too() {
    let run = Sandbox::new().weft(&["deploy", "-"], "kind: [");
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.starts_with("<stdin>:"), "{}", run.stderr);
}

#[test]
fn without_a_host_the_help_is_to_start_one() {
    let run = Sandbox::new().weft(&["get", "apps"], "");
    check(
        &run,
        3,
        "error: no host has run with the data directory `~/.local/share/weft`\n\
         help: start a host with `weft up`, or select the data directory of a running host with \
         `--data-dir` or `WEFT_DATA_DIR`",
    );
}

#[test]
fn a_host_that_has_ended_is_not_reached() {
    let address = unused_address();
    let sandbox = Sandbox::new();
    sandbox.write(".local/share/weft/admin.token", "secret");
    sandbox.write(".local/share/weft/admin.address", &address);
    let run = sandbox.weft(&["get", "apps"], "");
    check(
        &run,
        3,
        &format!(
            "error: cannot reach a host's admin API at `{address}`; is `weft up` running there?\n  \
               caused by: Connection refused (os error 111)\n\
             help: start a host with `weft up`, or give the address of a running host with \
             `--admin HOST:PORT`",
        ),
    );
    assert!(!run.stderr.contains("secret"));
}

#[test]
fn a_command_of_another_tool_is_an_error_that_names_the_one_of_weft() {
    let run = Sandbox::new().weft(&["ls"], "");
    check(
        &run,
        2,
        "error: there is no command `weft ls`\n\
         help: `weft get apps` lists apps, and `weft get RESOURCE` other resources",
    );
}

#[test]
fn manifests_are_given_with_and_without_f() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", manifest("storefront.wasm"));
    let messages = [
        sandbox.weft(
            &["deploy", "a.yaml", "-f", "b.yaml", "--file", "c.yaml"],
            "",
        ),
        sandbox.weft(&["apply", "a.yaml", "b.yaml", "c.yaml"], ""),
        sandbox.weft(
            &["delete", "-f", "a.yaml", "-f", "b.yaml", "-f", "c.yaml"],
            "",
        ),
    ];
    for run in messages {
        assert_eq!(run.code, Some(2));
        let errors = run
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "));
        let expected =
            ["a", "b", "c"].map(|it| format!("error: cannot read the manifest `{it}.yaml`"));
        assert_eq!(errors.collect::<Vec<_>>(), expected);
    }
    // An app is removed without its component files.
    let run = sandbox.weft(&["undeploy", "-f", "shop.yaml"], "");
    assert_eq!(run.code, Some(3), "{}", run.stderr);
}

#[test]
fn a_mistake_in_the_arguments_is_exit_code_2() {
    let sandbox = Sandbox::new();
    let cases: [&[&str]; 16] = [
        &[],
        &["deploy"],
        &["get", "pods"],
        &["call", "shop", "f()"],
        &["call", "shop/pricing", "f("],
        &["call", "shop/pricing", "f()", "{}"],
        &["link"],
        &["link", "why", "shop", "storefront"],
        &["link", "why", "shop", "storefront", "shop/pricing"],
        &["up", "--label", "a=1", "--label", "a=2"],
        &["undeploy"],
        &["up", "--lattice", "prod"],
        &["up", "--takeover"],
        &["up", "--nats-replicas", "3"],
        &["get", "apps", "--nats-creds", "a.creds"],
        &["get", "apps", "--context", "a", "--nats", "nats://a"],
    ];
    for arguments in cases {
        assert_eq!(sandbox.weft(arguments, "").code, Some(2), "{arguments:?}");
    }
}

#[test]
fn an_invalid_call_is_shown_with_the_accepted_form() {
    let run = Sandbox::new().weft(&["call", "shop/pricing", "quote("], "");
    check(
        &run,
        2,
        "error: `quote(` is not a call\n\
         help: expected a function with its arguments in parentheses, as in \
         'shop:catalog/pricing.find(\"teapot\")', or a function and its arguments in JSON, as in \
         shop:catalog/pricing.find '{\"sku\": \"teapot\"}'; \
         `weft inspect APP/COMPONENT` lists the functions",
    );
}

#[test]
fn an_argument_that_cannot_be_inspected_is_named_with_both_accepted_forms() {
    let sandbox = Sandbox::new();
    let run = sandbox.weft(&["inspect", "storefront.wasm"], "");
    check(
        &run,
        2,
        "error: cannot read `storefront.wasm`\n  \
           caused by: No such file or directory (os error 2)\n\
         help: give the path of a `.wasm` file, or `APP/COMPONENT` for a deployed component",
    );
    sandbox.write("notes.txt", "hello");
    let run = sandbox.weft(&["inspect", "notes.txt"], "");
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("not WebAssembly"), "{}", run.stderr);
}

/// An address without a listener: the port was free a moment ago.
fn unused_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

#[test]
fn a_server_is_killed_only_in_a_lattice_that_the_drill_starts() {
    let run = Sandbox::new().weft(&["drill", "kill-nats"], "");
    check(
        &run,
        2,
        "error: `kill-nats` needs a local lattice: the NATS servers of a live lattice are not managed \
         by weft\n\
         help: start a local lattice for the drill with `-f FILE`",
    );
}

#[test]
fn only_a_child_of_the_host_can_suspend_the_host() {
    let other = u32::MAX.to_string();
    let hang = [
        "hang-parent",
        "--after-ms",
        "0",
        "--for-ms",
        "1",
        "--parent",
    ];
    let run = Sandbox::new().weft(&[&hang[..], &[&other]].concat(), "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.contains("weft drill stop-host"),
        "{}",
        run.stderr
    );
}
