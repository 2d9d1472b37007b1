//! `weft context`, and the settings of commands from contexts and the environment.

use std::os::unix::fs::PermissionsExt as _;

use crate::weft::{Run, Sandbox};

const FILE: &str = ".config/weft/contexts.json";

/// A host that never ran, selected by its data directory: a command fails at once, and names it.
fn add(sandbox: &Sandbox, name: &str) {
    let run = sandbox.weft(&["context", "add", name, "--data-dir", name], "");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

/// Checks that a command went to the host with this data directory, which never ran.
#[track_caller]
fn check_directory(run: &Run, directory: &str) {
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    let expected = format!("error: no host has run with the data directory `{directory}`\n");
    assert!(run.stderr.starts_with(&expected), "{}", run.stderr);
}

#[test]
fn a_context_is_used_by_commands_without_options() {
    let sandbox = Sandbox::new();
    add(&sandbox, "north");
    add(&sandbox, "south");
    check_directory(&sandbox.weft(&["get", "apps"], ""), "~/.local/share/weft");
    let run = sandbox.weft(&["context", "use", "north"], "");
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), "commands use context `north`\n")
    );
    let run = sandbox.weft(&["get", "apps"], "");
    check_directory(&run, "~/north");
    let host = "\nhost: `127.0.0.1:7411`, selected by context `north`\n";
    assert!(run.stderr.ends_with(host), "{}", run.stderr);
    check_directory(
        &sandbox.weft(&["get", "apps", "--context", "south"], ""),
        "~/south",
    );
    check_directory(
        &sandbox.weft(&["get", "apps", "--data-dir", "east"], ""),
        "east",
    );
    let variables = [("WEFT_CONTEXT", "south")];
    check_directory(&sandbox.weft_with(&variables, &["get", "apps"]), "~/south");
    let variables = [("WEFT_CONTEXT", "south"), ("WEFT_DATA_DIR", "east")];
    let run = sandbox.weft_with(&variables, &["get", "apps"]);
    check_directory(&run, "east");
    assert!(
        run.stderr.ends_with("selected by `WEFT_DATA_DIR`\n"),
        "{}",
        run.stderr
    );
    sandbox.weft(&["context", "use", "--none"], "");
    check_directory(&sandbox.weft(&["get", "apps"], ""), "~/.local/share/weft");
}

#[test]
fn contexts_are_listed_shown_and_removed() {
    let sandbox = Sandbox::new();
    let run = sandbox.weft(&["context", "list", "-o", "json"], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "[]\n"));
    assert!(run.stderr.contains("weft context add"), "{}", run.stderr);
    add(&sandbox, "north");
    let login = ["--nats-user", "weft", "--nats-ca", "ca.pem", "--use"];
    let lattice = [
        "--nats",
        "nats://10.0.0.1:4222,10.0.0.2",
        "--lattice",
        "prod",
    ];
    let run = sandbox.weft(
        &[&["context", "add", "prod"], &lattice[..], &login].concat(),
        "",
    );
    let connects_to = "any host of lattice `prod` on NATS servers `nats://10.0.0.1:4222,10.0.0.2`";
    assert_eq!(
        run.stdout,
        format!("context `prod`: {connects_to}\n"),
        "{}",
        run.stderr
    );

    let run = sandbox.weft(&["context", "list"], "");
    let expected = format!(
        "NAME   IN USE  CONNECTS TO\n\
         north  -       the host with data directory `~/north`\n\
         prod   yes     {connects_to}\n"
    );
    assert_eq!(run.stdout, expected);
    let run = sandbox.weft(&["context", "show", "prod"], "");
    let expected = format!(
        "context `prod`: {connects_to}\n  \
           --lattice prod\n  \
           --nats nats://10.0.0.1:4222,10.0.0.2\n  \
           --nats-ca ~/ca.pem\n  \
           --nats-user weft\n"
    );
    assert_eq!(run.stdout, expected);
    let run = sandbox.weft(&["context", "show", "prod", "-o", "json"], "");
    assert!(run.stdout.contains("\"in_use\": true"), "{}", run.stdout);

    let run = sandbox.weft(&["context", "remove", "prod"], "");
    assert_eq!(run.stdout, "context `prod` was removed\n");
    assert_eq!(run.stderr, "no context is in use any more\n");
    let run = sandbox.weft(&["context", "ls"], "");
    assert!(!run.stdout.contains("prod"), "{}", run.stdout);
}

#[test]
fn where_commands_go_is_shown_with_the_source() {
    let sandbox = Sandbox::new();
    add(&sandbox, "north");
    let show = |variables: &[(&str, &str)]| {
        let run = sandbox.weft_with(variables, &["context", "show"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout.lines().take(2).collect::<Vec<_>>().join("\n")
    };
    let default = "the host with the default data directory\n  selected by default";
    assert_eq!(show(&[]), default);
    sandbox.weft(&["context", "use", "north"], "");
    let north = "context `north`: the host with data directory `~/north`\n  \
                 selected by context `north`";
    assert_eq!(show(&[]), north);
    let variables = [
        ("WEFT_NATS", "nats://user:secret@a:1"),
        ("WEFT_LATTICE", "prod"),
    ];
    let prod = "any host of lattice `prod` on NATS servers `nats://a:1`\n  selected by `WEFT_NATS`";
    assert_eq!(show(&variables), prod);
    let run = sandbox.weft_with(&[("WEFT_CONTEXT", "north")], &["context", "use", "--none"]);
    assert!(
        run.stderr.starts_with("`WEFT_CONTEXT` is set"),
        "{}",
        run.stderr
    );
    let run = sandbox.weft_with(&variables, &["context", "use", "north"]);
    assert!(
        run.stderr.starts_with("`WEFT_NATS` is set"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_missing_context_is_an_error_with_the_next_step() {
    let sandbox = Sandbox::new();
    add(&sandbox, "prod");
    let expected = "error: there is no context `prd`\n\
                    help: did you mean `prod`? `weft context list` lists all contexts\n";
    let runs = [
        sandbox.weft(&["context", "use", "prd"], ""),
        sandbox.weft(&["context", "show", "prd"], ""),
        sandbox.weft(&["context", "remove", "prd"], ""),
        sandbox.weft(&["get", "apps", "--context", "prd"], ""),
        sandbox.weft_with(&[("WEFT_CONTEXT", "prd")], &["get", "apps"]),
    ];
    for run in runs {
        assert_eq!((run.code, run.stderr.as_str()), (Some(2), expected));
    }
}

#[test]
fn secrets_are_refused_and_not_stored() {
    let sandbox = Sandbox::new();
    let add = |options: &[&str]| sandbox.weft(&[&["context", "add", "prod"], options].concat(), "");
    for options in [
        &[
            "--nats",
            "nats://a",
            "--nats-user",
            "u",
            "--nats-password",
            "secret",
        ][..],
        &["--nats", "nats://a", "--nats-token", "secret"],
        &["--nats", "nats://user:secret@a"],
    ] {
        let run = add(options);
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains("--nats-creds"), "{}", run.stderr);
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
    }
    assert!(!sandbox.path().join(FILE).exists());
    // The environment is for commands, and is not stored.
    let password = [("WEFT_NATS_PASSWORD", "secret"), ("WEFT_NATS", "nats://b")];
    let arguments = [
        "context",
        "add",
        "prod",
        "--nats",
        "nats://a",
        "--nats-user",
        "u",
    ];
    let run = sandbox.weft_with(&password, &arguments);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let file = sandbox.path().join(FILE);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        !text.contains("secret") && !text.contains("nats://b"),
        "{text}"
    );
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_invalid_file_stops_only_commands_that_need_it() {
    let sandbox = Sandbox::new();
    sandbox.write(FILE, r#"{"version": 1, "contextz": {}}"#);
    let run = sandbox.weft(&["get", "apps"], "");
    assert_eq!(run.code, Some(2));
    for part in [
        "contexts.json` is invalid",
        "`contextz`",
        "help: correct the file",
    ] {
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
    check_directory(
        &sandbox.weft(&["get", "apps", "--data-dir", "east"], ""),
        "east",
    );
}

#[test]
fn the_servers_of_the_environment_are_for_all_commands_and_an_option_goes_before() {
    let sandbox = Sandbox::new();
    // A name that is too long for a lattice: the command fails before it connects.
    let name = "n".repeat(70);
    let variables = [
        ("WEFT_NATS", "nats://127.0.0.1:1"),
        ("WEFT_LATTICE", name.as_str()),
    ];
    let run = sandbox.weft_with(&variables, &["get", "apps"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    let expected =
        format!("error: cannot search for lattice `{name}` on NATS servers `nats://127.0.0.1:1`");
    assert!(run.stderr.starts_with(&expected), "{}", run.stderr);
    assert!(
        run.stderr.ends_with("selected by `WEFT_NATS`\n"),
        "{}",
        run.stderr
    );
    let run = sandbox.weft_with(&variables, &["get", "apps", "--data-dir", "east"]);
    check_directory(&run, "east");
    let run = sandbox.weft_with(&variables, &["get", "apps", "--admin", "127.0.0.1:1"]);
    check_directory(&run, "~/.local/share/weft");
}
