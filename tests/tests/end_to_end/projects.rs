//! Every template of `weft new`: made, tested natively, built, deployed and called.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use weft_tests::http::{Connection, Request, Response};
use weft_tests::{Files, Finished, PATIENCE, Weft, finish, spawn, weft_command};

/// The longest time of a build: the tools of a language may be installed before.
const BUILD_MAX: Duration = Duration::from_secs(900);

/// The folder of the guests' workspace, whose tools and crates the projects share.
fn components() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../components/target")
}

/// A command with the folders for tools and builds that all projects share.
fn in_project(mut command: Command, project: &Path) -> Finished {
    let components = components();
    command
        .current_dir(project)
        .env("XDG_CACHE_HOME", &components)
        .env("CARGO_TARGET_DIR", components.join("templates"));
    // Flags of the build of the tests are not those of the project.
    for name in ["RUSTFLAGS", "RUSTC_WRAPPER", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
    finish(spawn(command), BUILD_MAX)
}

fn weft(project: &Path, arguments: &[&str]) -> Finished {
    let mut command = weft_command();
    command.args(arguments);
    in_project(command, project)
}

/// Makes, tests, builds and deploys a project, and returns its host; `None` if this machine lacks
/// the tools of the language. Each project has a name of its own: cargo takes packages of one name
/// in one target directory for the same, wherever they are.
#[expect(clippy::print_stderr, reason = "the reason of a skipped test")]
fn deployed(language: &str, template: &str, test: &str) -> Option<Weft> {
    let files = Files::new();
    let name = format!("{language}-{template}");
    let new = ["new", &name, "--lang", language, "--template", template];
    let made = weft(files.path(), &new);
    if language != "rust" && made.stderr.contains("cannot be built here") {
        eprintln!("skipped: {}", made.stderr);
        return None;
    }
    made.expect_code(0);
    let project = files.path().join(&name);
    let mut unit_tests = Command::new("sh");
    unit_tests.args(["-c", test]);
    in_project(unit_tests, &project).expect_code(0);
    let built = weft(&project, &["build"]).expect_code(0);
    assert!(
        built
            .stdout
            .contains(&format!("{name}: build/{name}.wasm (")),
        "{built}"
    );
    assert!(built.stdout.contains("sha256:"), "{built}");
    let host = Weft::empty();
    let manifest = project.join("weft.yaml");
    // Compiling the interpreter of a language takes its time.
    let deploy = host.spawn(&["deploy", &manifest.to_string_lossy()]);
    finish(deploy, 3 * PATIENCE).expect_code(0);
    Some(host)
}

fn get(host: &Weft, path: &str) -> Response {
    host.send(Request::get(path))
}

/// The responses of a template with the interface `greeter`.
fn greets(language: &str, test: &str) {
    let Some(host) = deployed(language, "http", test) else {
        return;
    };
    let greeting = get(&host, "/greetings/Ada").json();
    assert_eq!(greeting["text"], "Hello, Ada!");
    assert_eq!(greeting["language"], "english");
    let german = get(&host, "/greetings/Gr%C3%A4fin?language=german");
    assert_eq!(german.json()["text"], "Hallo, Gräfin!");
    get(&host, "/greetings/%20").expect(400, &["blank-name", "The name is blank"]);
    let long = "a".repeat(41);
    get(&host, &format!("/greetings/{long}")).expect(400, &["long-name", "40"]);
    get(&host, "/greetings/Ada?language=klingon").expect(400, &["validation"]);
    get(&host, "/docs").expect(200, &[]);
}

#[test]
fn an_http_api_in_rust_goes_from_its_template_to_a_response() {
    greets("rust", "cargo test --quiet");
}

#[test]
fn an_http_api_in_python_goes_from_its_template_to_a_response() {
    greets("python", "python3 -m unittest");
}

#[test]
fn an_http_api_in_javascript_goes_from_its_template_to_a_response() {
    greets("javascript", "node --test");
}

#[test]
fn an_http_api_in_c_goes_from_its_template_to_a_response() {
    greets(
        "c",
        "mkdir -p build && cc -o build/test test_greeting.c && build/test",
    );
}

#[test]
fn a_service_goes_from_its_template_to_a_stored_entry() {
    let host = deployed("rust", "service", "cargo test --quiet").expect("Rust is here");
    let post = || {
        let text = "POST /entries HTTP/1.1\nhost: localhost\nconnection: close\n\
                    content-type: application/json\ncontent-length: 21\n\n\
                    {\"text\":\"I was here\"}";
        Connection::with(host.http(), text)
            .response()
            .expect("a response")
    };
    post().expect(201, &["I was here"]);
    assert_eq!(post().header("location"), Some("/entries/2"));
    get(&host, "/entries/2").expect(200, &["I was here"]);
    get(&host, "/entries/7").expect(404, &["unknown-entry"]);
}

#[test]
fn a_stream_goes_from_its_template_to_events() {
    let host = deployed("rust", "stream", "cargo test --quiet").expect("Rust is here");
    let response = get(&host, "/countdown/2");
    response.expect(200, &["data: 2", "data: 1", "data: lift-off"]);
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
}

#[test]
fn a_handler_of_http_goes_from_its_template_to_a_response() {
    let host = deployed("rust", "raw-http", "cargo test --quiet").expect("Rust is here");
    get(&host, "/any/path").expect(200, &["GET /any/path"]);
}

#[test]
fn a_mistake_in_a_program_is_a_compiler_message_and_the_old_component_stays() {
    let files = Files::new();
    weft(files.path(), &["new", "mistaken", "-t", "raw-http"]).expect_code(0);
    let project = files.path().join("mistaken");
    std::fs::write(
        project.join("src/main.rs"),
        "fn main() { let x: u8 = \"text\"; }\n",
    )
    .unwrap();
    let built = weft(&project, &["build"]).expect_code(1);
    built.expect_stderr(&[
        "mismatched types",
        "cannot build component `mistaken`",
        "cargo build",
    ]);
    let json = weft(&project, &["build", "--message-format", "json"]).expect_code(1);
    let events = json.stdout.lines();
    let events: Vec<serde_json::Value> = events
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let message = events
        .iter()
        .find(|event| event["event"] == "compiler-message");
    let message = &message.unwrap_or_else(|| panic!("{json}"))["message"];
    assert_eq!(message["code"]["code"], "E0308", "{json}");
    assert_eq!(message["spans"][0]["file_name"], "src/main.rs");
    assert_eq!(events.last().unwrap()["success"], false);
    assert!(!project.join("build/mistaken.wasm").exists());
}
