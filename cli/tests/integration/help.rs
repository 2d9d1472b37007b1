//! Compares the help texts with the files in `tests/help`. `UPDATE_GOLDEN=1` rewrites the files.

use std::path::Path;

use weft_harness::golden;

use crate::weft::Sandbox;

fn check(file: &str, arguments: &[&str]) {
    let run = Sandbox::new().weft(arguments, "");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/help")
        .join(file);
    golden::compare(&path, &run.stdout, env!("CARGO_PKG_NAME")).unwrap();
}

#[test]
fn the_command_itself_lists_its_commands_and_exit_codes() {
    check("weft.txt", &["--help"]);
}

#[test]
fn every_command_explains_itself_with_examples() {
    let commands = [
        "up",
        "check",
        "deploy",
        "undeploy",
        "get",
        "describe",
        "status",
        "call",
        "inspect",
        "logs",
        "events",
        "drain",
        "label",
        "gc",
        "drill",
        "doctor",
        "completions",
        "manual",
        "new",
        "build",
    ];
    for command in commands {
        check(&format!("{command}.txt"), &[command, "--help"]);
    }
}

#[test]
fn every_command_about_links_explains_itself_with_examples() {
    check("link.txt", &["link", "--help"]);
    check("link-why.txt", &["link", "why", "--help"]);
}

#[test]
fn every_command_about_contexts_explains_itself() {
    check("context.txt", &["context", "--help"]);
    for command in ["add", "use", "list", "show", "remove"] {
        let file = format!("context-{command}.txt");
        check(&file, &["context", command, "--help"]);
    }
}

#[test]
fn help_is_a_command_too_and_knows_aliases_and_nested_commands() {
    check("weft.txt", &["help"]);
    check("deploy.txt", &["help", "deploy"]);
    check("deploy.txt", &["help", "apply"]);
    check("undeploy.txt", &["help", "delete"]);
    check("link-why.txt", &["help", "link", "why"]);
    check("context-list.txt", &["help", "context", "ls"]);
}

#[test]
fn the_version_is_printed() {
    let run = Sandbox::new().weft(&["--version"], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "weft 0.1.0\n"));
}

#[test]
fn every_command_has_a_manual_page() {
    let sandbox = Sandbox::new();
    let run = sandbox.weft(&["manual", "man1"], "");
    assert_eq!(run.code, Some(0), "{run:?}");
    let page = |name: &str| std::fs::read_to_string(sandbox.path().join("man1").join(name));
    for name in [
        "weft.1",
        "weft-deploy.1",
        "weft-link-why.1",
        "weft-context-add.1",
    ] {
        assert!(page(name).unwrap().contains(".SH SYNOPSIS"), "{name}");
    }
    assert!(page("weft-hang-parent.1").is_err(), "a hidden command");
    sandbox.write("file", "");
    let run = sandbox.weft(&["manual", "file/man1"], "");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stderr
            .contains("cannot write manual pages to `file/man1`"),
        "{run:?}"
    );
}

#[test]
fn completions_are_a_script_for_the_shell() {
    let run = Sandbox::new().weft(&["completions", "bash"], "");
    assert_eq!(run.code, Some(0));
    assert!(run.stdout.contains("COMPLETE=\"bash\""), "{}", run.stdout);
}
