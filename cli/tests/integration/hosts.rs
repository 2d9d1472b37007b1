//! Commands and a host without apps, as processes.

use std::net::TcpListener;
use std::time::Duration;

use weft_harness::{Error, NatsServer, Polling, Process, free_address, until};

use crate::weft::Sandbox;

/// The longest start of a host, on a busy machine with a debug build.
const START_MAX: Duration = Duration::from_secs(60);

/// A host in a sandbox. It ends with the test.
struct Host {
    process: Process,
    /// The addresses for HTTP and for the admin API.
    http: String,
    admin: String,
}

impl Host {
    fn start(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Host {
        let arguments = ["up", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut command = sandbox.command(variables, &arguments);
        let output = sandbox.path().join("host");
        let process = Process::start("weft up", &mut command, &output).unwrap();
        let line = |name: &str| {
            let stdout = process.stdout();
            let mut lines = stdout.lines().map(str::trim);
            let line = lines.find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().trim_start_matches("http://").to_owned())
        };
        let polling = Polling::of(START_MAX);
        let started = until("the start of the host", polling, || {
            Ok::<_, Error>(line("HTTP").zip(line("admin")))
        });
        let (http, admin) = started.unwrap_or_else(|error| panic!("{error}\n{}", process.stderr()));
        Host {
            process,
            http,
            admin,
        }
    }
}

/// A server that is not a host: it answers each request with `404`, and greets no one.
fn other_server() -> String {
    use std::io::{Read as _, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let answer = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn the_name_of_a_lattice_in_the_environment_stops_no_host_and_no_command() {
    let sandbox = Sandbox::new();
    let variables = [("WEFT_LATTICE", "prod"), ("WEFT_NATS_USER", "north")];
    let host = Host::start(&sandbox, &variables);
    let log = host.process.stderr();
    assert!(
        log.contains("the lattice name `prod` (`WEFT_LATTICE`) is unused"),
        "{log}"
    );
    assert!(log.contains("WEFT_NATS_USER"), "{log}");
    let run = sandbox.weft_with(&variables, &["get", "hosts"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // The address of the command line, whatever servers the environment has.
    let variables = [("WEFT_NATS", "nats://127.0.0.1:1")];
    let run = sandbox.weft_with(&variables, &["get", "hosts", "--admin", &host.admin]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn a_host_and_commands_meet_in_the_lattice_of_the_environment_or_of_a_context() {
    let sandbox = Sandbox::new();
    let (directory, address) = (sandbox.path().join("nats"), free_address().unwrap());
    let login = "authorization { user: weft, password: secret }";
    let mut nats = NatsServer::new(directory, address, login).unwrap();
    nats.start().unwrap();
    let url = nats.url();
    let password = ("WEFT_NATS_PASSWORD", "secret");
    let variables = [
        ("WEFT_NATS", url.as_str()),
        ("WEFT_LATTICE", "prod"),
        ("WEFT_NATS_USER", "weft"),
        password,
    ];
    let _host = Host::start(&sandbox, &variables);
    // Another user, who has neither a token nor an address.
    let client = Sandbox::new();
    let run = client.weft_with(&variables, &["get", "hosts", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.contains("\"lattice\": \"prod\""),
        "{}",
        run.stdout
    );
    let add = ["context", "add", "prod", "--use", "--nats", &url];
    let run = client.weft(
        &[&add[..], &["--lattice", "prod", "--nats-user", "weft"]].concat(),
        "",
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = client.weft_with(&[password], &["get", "hosts", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout.contains("\"lattice\": \"prod\""),
        "{}",
        run.stdout
    );
    let run = client.weft_with(&[password], &["status", "shop"]);
    let host = format!(
        "host: any host of lattice `prod` on NATS servers `{url}`, selected by context `prod`\n"
    );
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.starts_with("error: there is no app `shop`\n"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.ends_with(&host), "{}", run.stderr);
    // A wrong login is rejected, and named without the password.
    let run = client.weft_with(&[("WEFT_NATS_PASSWORD", "wrong")], &["get", "hosts"]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(
        run.stderr.ends_with(&host) && !run.stderr.contains("wrong"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_wrong_admin_address_is_corrected_by_the_one_of_the_data_directory() {
    let sandbox = Sandbox::new();
    let host = Host::start(&sandbox, &[]);
    let answers = format!(
        "help: the host with the data directory `~/.local/share/weft` answers at `{}`: ",
        host.admin
    );
    let fails = |variables: &[(&str, &str)], arguments: &[&str], parts: &[&str]| {
        let run = sandbox.weft_with(variables, &[&["get", "hosts"], arguments].concat());
        assert_eq!(run.code, Some(3), "{}", run.stderr);
        for part in [parts, &[&answers]].concat() {
            assert!(
                run.stderr.contains(part),
                "{part:?} is not in:\n{}",
                run.stderr
            );
        }
    };
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let unused = free.local_addr().unwrap().to_string();
    drop(free);
    fails(
        &[],
        &["--admin", &unused],
        &[&unused, "Connection refused", "omit `--admin`"],
    );
    let serves_apps = format!(
        "error: the server at `{0}` is not the admin API of a host\n  \
           caused by: found the HTTP address of host `",
        host.http
    );
    fails(
        &[],
        &["--admin", &host.http],
        &[&serves_apps, "omit `--admin`"],
    );
    let other = other_server();
    let found = "found another HTTP server: `HTTP/1.1 404 Not Found`";
    let variables = [("WEFT_ADMIN", other.as_str())];
    fails(&variables, &[], &[&other, found, "unset `WEFT_ADMIN`"]);
    let data = sandbox.path().join(".local/share/weft");
    let data = ["--data-dir", data.to_str().unwrap()];
    fails(
        &variables,
        &data,
        &["unset `WEFT_ADMIN`", "selected by `WEFT_ADMIN`"],
    );
    let run = sandbox.weft(&["context", "add", "edge", "--use", "--admin", &other], "");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let correction = format!(
        "`weft context add edge --replace --admin {} --data",
        host.admin
    );
    fails(&[], &[], &[&other, found, &correction]);
}

#[test]
fn without_a_recorded_address_the_next_step_is_the_option() {
    let sandbox = Sandbox::new();
    sandbox.write(".local/share/weft/admin.token", "secret");
    let other = other_server();
    let run = sandbox.weft(&["get", "apps", "--admin", &other], "");
    let expected = format!(
        "error: the server at `{other}` is not the admin API of a host\n  \
           caused by: found another HTTP server: `HTTP/1.1 404 Not Found`\n\
         help: give the admin address of a host with `--admin HOST:PORT`; `weft up` prints it\n"
    );
    assert_eq!((run.code, run.stderr), (Some(3), expected));
}
