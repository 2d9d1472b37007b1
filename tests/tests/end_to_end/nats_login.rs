//! The login to NATS servers: of hosts, and of commands with `--nats`.

use weft_tests::{
    Files, Finished, NatsServer, Options, PATIENCE, Weft, eventually, finish, spawn,
    start_nats_with, weft_command,
};

const SECRET: &str = "pa55word";

const WRONG: &str = "wr0ng";

fn start_with_login() -> NatsServer {
    start_nats_with(&format!(
        "authorization {{ user: north, password: {SECRET} }}"
    ))
}

fn host(nats: &NatsServer, login: &[&str]) -> Weft {
    let url = nats.url();
    let lattice = ["--nats", &url, "--lattice", "test"];
    Weft::start(&Options {
        arguments: &[&lattice[..], login].concat(),
        ..Options::default()
    })
}

/// Runs a command over the bus, without a data directory.
fn get_hosts(url: &str, login: &[&str]) -> Finished {
    let mut command = weft_command();
    command.args(["get", "hosts", "--lattice", "test", "--nats", url]);
    command.args(login);
    finish(spawn(command), PATIENCE)
}

fn hello(files: &Files) -> std::path::PathBuf {
    files.app(
        "hello",
        "components:\n- {name: hello, source: {file: guest:hello-http}}\n",
    )
}

#[test]
fn a_host_and_a_command_log_in_with_a_password() {
    let nats = start_with_login();
    let login = ["--nats-user", "north", "--nats-password", SECRET];
    let host = host(&nats, &login);
    host.wait_for_ready(1);
    host.deployed(&hello(&Files::new()));
    get_hosts(&nats.url(), &login).expect_code(0);
    let in_address = nats
        .url()
        .replace("nats://", &format!("nats://north:{SECRET}@"));
    get_hosts(&in_address, &[]).expect_code(0);
}

#[test]
fn a_rejected_login_is_reported_wherever_an_operator_looks_and_its_password_nowhere() {
    let nats = start_with_login();
    let login = ["--nats-user", "north", "--nats-password", WRONG];
    let host = host(&nats, &login);
    let rejected = "rejected the login: authorization violation";
    let note = eventually("the row of the host has the reason", PATIENCE, || {
        let notes = host.get("hosts")[0]["notes"].to_string();
        let is_there = notes.contains(rejected);
        is_there.then(|| notes.clone()).ok_or(notes)
    });
    let deployed = host.deploy(&hello(&Files::new()));
    deployed.expect_stderr(&[rejected]);
    let command = get_hosts(&nats.url(), &login);
    command.expect_stderr(&[rejected, "--nats-user"]);
    let log = host.log();
    assert_eq!(log.matches(rejected).count(), 1, "{log}");
    for text in [&note, &deployed.stderr, &command.stderr, &log] {
        assert!(!text.contains(WRONG), "{text}");
    }
    assert_ne!(deployed.code, Some(0));
    assert_ne!(command.code, Some(0));
}
