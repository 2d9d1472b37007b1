//! `weft new` and `weft build` without a host and without the tools of languages. The `tests` crate
//! builds and runs each template.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::weft::{Run, Sandbox};

fn expect(run: &Run, code: i32, parts: &[&str]) {
    assert_eq!(run.code, Some(code), "{run:?}");
    for part in parts {
        let is_there = run.stderr.contains(part) || run.stdout.contains(part);
        assert!(is_there, "{part:?} is not in {run:?}");
    }
}

/// The names in a folder.
fn names(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn a_project_is_made_in_a_new_or_an_empty_folder() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path().join("empty")).unwrap();
    for name in ["shop", "empty", "nested/folder/shop"] {
        let run = sandbox.weft(&["new", name], "");
        expect(&run, 0, &["weft build", "weft up -f weft.yaml"]);
        let manifest = sandbox.path().join(name).join("weft.yaml");
        let manifest = fs::read_to_string(manifest).unwrap();
        let app = name.rsplit('/').next().unwrap();
        assert!(manifest.contains(&format!("name: {app}")), "{manifest}");
    }
    let run = sandbox.weft(&["new", "other", "-t", "raw-http", "-o", "json"], "");
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["app"], "other");
    assert_eq!(json["template"], "raw-http");
}

#[test]
fn a_folder_with_files_is_not_touched() {
    let sandbox = Sandbox::new();
    sandbox.write("shop/notes.txt", "mine");
    sandbox.write("file", "");
    expect(
        &sandbox.weft(&["new", "shop"], ""),
        2,
        &["folder `shop` is not empty"],
    );
    expect(
        &sandbox.weft(&["new", "file"], ""),
        2,
        &["`file` exists and is not a folder"],
    );
    assert_eq!(names(&sandbox).len(), 2);
}

#[test]
fn an_invalid_name_is_refused_with_the_nearest_valid_one() {
    let sandbox = Sandbox::new();
    for (name, help) in [
        ("My Shop", "weft new my-shop"),
        ("apps/my_shop", "weft new apps/my-shop"),
        ("type", "weft new type-app"),
    ] {
        expect(&sandbox.weft(&["new", name], ""), 2, &[help]);
    }
    expect(
        &sandbox.weft(&["new"], ""),
        2,
        &["missing the name", "weft new hello"],
    );
    assert!(names(&sandbox).is_empty());
}

#[test]
fn a_template_that_a_language_lacks_is_refused_with_those_that_it_has() {
    let sandbox = Sandbox::new();
    let run = sandbox.weft(&["new", "shop", "--lang", "python", "-t", "service"], "");
    expect(&run, 2, &["no template `service` in python", "`http`"]);
    let run = sandbox.weft(&["new", "shop", "--lang", "pyton"], "");
    expect(&run, 2, &["did you mean `python`?"]);
}

#[test]
fn a_language_without_its_tools_is_refused_with_what_to_install() {
    let sandbox = Sandbox::new();
    for (language, tool, help) in [
        ("rust", "`cargo`", "https://rustup.rs"),
        ("python", "`python3`", "python3-venv"),
        ("javascript", "`node`", "https://nodejs.org"),
    ] {
        let arguments = ["new", "shop", "--lang", language];
        let run = sandbox.weft_with(&[("PATH", "/missing")], &arguments);
        expect(&run, 1, &[tool, help]);
    }
    assert!(names(&sandbox).is_empty());
}

#[test]
fn a_folder_that_cannot_be_written_gets_nothing() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path().join("closed");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    // The permissions do not hold for root.
    if fs::write(folder.join("probe"), "").is_err() {
        expect(
            &sandbox.weft(&["new", "closed/shop"], ""),
            1,
            &["nothing was written", "Permission denied"],
        );
    }
    let run = sandbox.weft(&["new", "/proc/shop"], "");
    expect(
        &run,
        1,
        &["cannot make the project `/proc/shop`: nothing was written"],
    );
}

/// A manifest of one component with this build.
fn manifest(build: &str) -> String {
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: shop}}\nspec:\n  components:\n  \
         - {{name: cart, source: {{file: cart.wasm}}{build}}}\n"
    )
}

#[test]
fn a_component_that_is_not_built_yet_gets_the_command_that_builds_it() {
    let sandbox = Sandbox::new();
    sandbox.write("weft.yaml", manifest(", build: rust"));
    for arguments in [["check", "weft.yaml"], ["deploy", "weft.yaml"]] {
        expect(
            &sandbox.weft(&arguments, ""),
            2,
            &["build the component with `weft build -f weft.yaml`"],
        );
    }
}

#[test]
fn a_build_needs_a_component_with_a_build() {
    let sandbox = Sandbox::new();
    expect(
        &sandbox.weft(&["build"], ""),
        2,
        &["cannot read the manifest `weft.yaml`"],
    );
    sandbox.write("weft.yaml", manifest(""));
    expect(
        &sandbox.weft(&["build"], ""),
        2,
        &["no component with a `build`", "build: rust"],
    );
    expect(
        &sandbox.weft(&["build", "cart"], ""),
        2,
        &["component `cart` has no `build`"],
    );
    expect(
        &sandbox.weft(&["build", "carts"], ""),
        2,
        &["has no component `carts`", "did you mean `cart`?"],
    );
    sandbox.write(
        "weft.yaml",
        manifest(", build: {language: rust, dir: missing}"),
    );
    expect(
        &sandbox.weft(&["build"], ""),
        2,
        &["missing folder `missing`"],
    );
    sandbox.write("weft.yaml", manifest(", build: rust"));
    expect(
        &sandbox.weft(&["build"], ""),
        2,
        &["missing `./Cargo.toml`", "build.dir"],
    );
}

/// An empty component, as bytes for `printf`.
const EMPTY: &str = r"\0asm\r\0\1\0";

#[test]
fn a_command_of_the_manifest_is_printed_and_run_and_its_file_described() {
    let sandbox = Sandbox::new();
    let build = format!(
        ", build: {{command: \"echo working; printf '{EMPTY}' > out.wasm\", output: out.wasm}}"
    );
    sandbox.write("weft.yaml", manifest(&build.replace('\\', "\\\\")));
    let run = sandbox.weft(&["build"], "");
    expect(
        &run,
        0,
        &[
            "$ sh -c 'echo working",
            "working\n",
            "cart: cart.wasm (8 B, sha256:",
        ],
    );
    assert!(sandbox.path().join("cart.wasm").is_file());
    assert!(!run.stdout.contains("working"), "{run:?}");
}

#[test]
fn events_are_objects_on_lines_from_the_start_to_the_end_of_each_component() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "weft.yaml",
        manifest(", build: {command: \"echo one; exit 3\"}"),
    );
    let run = sandbox.weft(&["build", "--message-format", "json"], "");
    expect(&run, 1, &["exit status: 3"]);
    let events: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["build-started", "command", "output", "build-finished"]
    );
    assert!(
        events.iter().all(|event| event["component"] == "cart"),
        "{events:?}"
    );
    assert_eq!(events[2]["line"], "one");
    assert_eq!(events[3]["success"], false);
    assert_eq!(
        events[3]["errors"][0],
        "`sh -c 'echo one; exit 3'` failed: exit status: 3"
    );
}

#[test]
fn a_component_that_does_not_implement_its_world_is_not_built() {
    let sandbox = Sandbox::new();
    let build = format!(", wit: wit, build: {{command: \"printf '{EMPTY}' > cart.wasm\"}}");
    sandbox.write("weft.yaml", manifest(&build.replace('\\', "\\\\")));
    sandbox.write(
        "wit/cart.wit",
        "package a:b@0.1.0;\ninterface i { f: func(); }\nworld w { export i; }\n",
    );
    expect(
        &sandbox.weft(&["build"], ""),
        1,
        &[
            "does not implement world `w`",
            "missing export `a:b/i@0.1.0`",
        ],
    );
}

#[test]
fn all_components_are_built_although_one_fails_and_lines_have_their_names() {
    let sandbox = Sandbox::new();
    let component = |name: &str, command: &str| {
        format!(
            "  - {{name: {name}, source: {{file: {name}.wasm}}, build: {{command: \"{command}\"}}}}\n"
        )
    };
    let good = format!("echo working; printf '{EMPTY}' > stock.wasm").replace('\\', "\\\\");
    sandbox.write(
        "weft.yaml",
        format!(
            "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: shop}}\nspec:\n  components:\n{}{}",
            component("cart", "exit 3"),
            component("stock", &good)
        ),
    );
    let run = sandbox.weft(&["build"], "");
    expect(
        &run,
        1,
        &[
            "cannot build component `cart`",
            "stock | working",
            "stock: stock.wasm (8 B",
        ],
    );
    let run = sandbox.weft(&["build", "stock"], "");
    expect(&run, 0, &["\nworking"]);
}

#[test]
fn an_interrupted_build_leaves_no_process() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let sandbox = Sandbox::new();
    sandbox.write(
        "weft.yaml",
        manifest(", build: {command: \"sleep 600 & echo $!; wait\"}"),
    );
    let mut command = sandbox.command(&[], &["build"]);
    let mut child = command
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let sleep: i32 = lines
        .map_while(Result::ok)
        .find_map(|line| line.parse().ok())
        .unwrap();
    let weft = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(weft, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let stat = fs::read_to_string(format!("/proc/{sleep}/stat"));
    assert!(stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z ")));
}
