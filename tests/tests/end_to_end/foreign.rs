//! Components of other toolchains, deployed as those made them, and linked to one in Rust.

use std::process::Command;

use weft_tests::{Files, Weft, finish, guest_if_built};

/// The least Node that the JavaScript toolchain runs on.
const NODE_MAJOR_MIN: u32 = 20;

fn deploys_and_greets(guest: &str) {
    let files = Files::new();
    let manifest = files.app(
        "greeter",
        &format!(
            r#"
            components:
            - {{name: client, source: {{file: guest:text-client}}, limits: {{deadline: 60s}}}}
            - {{name: shouter, source: {{file: guest:{guest}}}, limits: {{deadline: 60s}}}}
            links:
            - {{from: client, interface: "fixture:text/shout", to: shouter}}
            "#
        ),
    );
    let weft = Weft::empty();
    // Compiling a language's whole runtime takes its time.
    let deploy = weft.spawn(&["deploy", &manifest.to_string_lossy()]);
    finish(deploy, 3 * weft_tests::PATIENCE).expect_code(0);
    let shout = weft.called("greeter/shouter", "fixture:text/shout.shout(\"grüße\")");
    assert_eq!(shout, "\"GRÜSSE!\"");
    let greeting = weft.called("greeter/client", "fixture:text/client.greet(\"weft\")");
    assert_eq!(greeting, "\"HELLO, WEFT!\"");
    assert_eq!(weft.get("links")[0]["mode"], "fused");
}

#[test]
fn a_component_in_python_is_called_and_linked() {
    deploys_and_greets("text-python");
}

#[test]
fn a_component_in_javascript_is_called_and_linked() {
    if guest_if_built("text-javascript").is_some() {
        return deploys_and_greets("text-javascript");
    }
    let node = node_major();
    assert!(
        node.is_none_or(|major| major < NODE_MAJOR_MIN),
        "`text-javascript` is not built although Node {node:?} is here: run `cargo xtask guests --foreign`"
    );
    println!("skipped: `text-javascript` needs Node {NODE_MAJOR_MIN}, and here is {node:?}");
}

fn node_major() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}
