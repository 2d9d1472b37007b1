//! `weft deploy`, `weft undeploy`, and the ways in which a command does not reach a host.

use std::path::PathBuf;

use serde_json::json;
use weft_tests::http::Connection;
use weft_tests::{Files, Options, PATIENCE, Probe, Weft, app, finish, probes, spawn, weft_command};

fn probe(settings: &str) -> String {
    probes(&[Probe {
        name: "web",
        settings,
        path: "/",
    }])
}

#[test]
fn an_app_is_deployed_changed_and_removed() {
    let (files, weft) = (Files::new(), Weft::empty());
    weft.fetch("/count").expect(
        404,
        &["no route matches host `localhost` and path `/count`"],
    );

    let manifest = files.app("probe", &probe(""));
    let first = weft.deployed(&manifest);
    assert_eq!(
        (&first["app"], &first["revision"]),
        (&json!("probe"), &json!(1))
    );
    assert_eq!(first["uploaded"][0]["component"], "web");
    let url = first["routes"][0]["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("http://{}", weft.http())), "{url}");
    weft.fetch("/count").expect(200, &["1"]);

    let again = weft.deployed(&manifest);
    assert_eq!(again["revision"], 1, "the same manifest is no change");
    assert_eq!(
        (&again["changes"], &again["uploaded"]),
        (&json!([]), &json!([]))
    );

    files.app(
        "probe",
        &probe("env: {GREETING: hi}, limits: {deadline: 3s}"),
    );
    let changed = weft.deployed(&manifest);
    assert_eq!(changed["revision"], 2);
    assert_eq!(changed["uploaded"], json!([]), "the host has the bytes");
    let changes = changed["changes"].to_string();
    for part in ["web", "env", "limits"] {
        assert!(changes.contains(part), "{changes}");
    }
    weft.fetch("/env").expect(200, &["env GREETING=hi"]);
    assert_eq!(weft.get("components")[0]["deadline_ms"], 3000);

    let removed = weft
        .run(&["undeploy", "probe", "-o", "json"])
        .expect_code(0);
    assert_eq!(removed.json(), json!([{"app": "probe", "revision": 3}]));
    weft.fetch("/count").expect(404, &["no route matches"]);
    weft.run(&["undeploy", "probe"])
        .expect_code(1)
        .expect_stderr(&["`probe`"]);

    // Removed is removed, after a restart too, and a revision is never used twice.
    let weft = weft.restarted();
    assert!(weft.get("apps").is_empty());
    assert_eq!(weft.deployed(&manifest)["revision"], 4);
}

#[test]
fn a_deploy_swaps_under_traffic_without_a_failed_request() {
    let files = Files::new();
    let manifest = files.app("probe", &probe("env: {REVISION: '0'}"));
    let weft = Weft::serving(std::slice::from_ref(&manifest));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut requests = 0;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        weft.fetch("/env").expect(200, &["env REVISION="]);
                        requests += 1;
                    }
                    requests
                })
            })
            .collect();
        for revision in 1..=5 {
            files.app("probe", &probe(&format!("env: {{REVISION: '{revision}'}}")));
            weft.deployed(&manifest);
            weft.fetch("/env")
                .expect(200, &[&format!("env REVISION={revision}")]);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for client in clients {
            assert!(client.join().unwrap() > 0);
        }
    });
}

#[test]
fn a_request_that_runs_is_finished_by_the_revision_that_took_it() {
    let files = Files::new();
    let manifest = files.app("probe", &probe("env: {REVISION: '1'}"));
    let weft = Weft::serving(std::slice::from_ref(&manifest));
    let text = "POST /echo HTTP/1.1\nhost: web\ntransfer-encoding: chunked\n\n";
    let mut running = Connection::with(weft.http(), text);
    running.send_chunk(b"before").unwrap();
    assert_eq!(running.head().unwrap().status, 200);
    assert_eq!(running.chunk().unwrap(), b"before");

    files.app("probe", &probe("env: {REVISION: '2'}"));
    weft.deployed(&manifest);
    weft.fetch("/env").expect(200, &["REVISION=2"]);
    running.send_chunk(b"after a deploy").unwrap();
    assert_eq!(running.chunk().unwrap(), b"after a deploy");

    weft.run(&["undeploy", "probe"]).expect_code(0);
    weft.fetch("/env").expect(404, &["no route"]);
    running.send_chunk(b"after an undeploy").unwrap();
    assert_eq!(running.chunk().unwrap(), b"after an undeploy");
    running.send(b"0\r\n\r\n").unwrap();
    assert_eq!(running.chunk().unwrap(), b"", "the body has its end");
}

#[test]
fn deploys_at_the_same_time_are_made_one_after_the_other() {
    let files = Files::new();
    let weft = Weft::empty();
    let manifests: Vec<_> = (1..=4)
        .map(|number| {
            let text = app("probe", &probe(&format!("env: {{NUMBER: '{number}'}}")));
            files.write(&format!("{number}.yaml"), text)
        })
        .collect();
    let deploy =
        |manifest: &PathBuf| weft.spawn(&["deploy", &manifest.to_string_lossy(), "-o", "json"]);
    let deploys: Vec<_> = manifests.iter().map(deploy).collect();
    let mut revisions: Vec<u64> = deploys
        .into_iter()
        .map(|deploy| {
            let report = finish(deploy, PATIENCE).expect_code(0).json();
            report[0]["revision"].as_u64().unwrap()
        })
        .collect();
    revisions.sort_unstable();
    assert_eq!(revisions, [1, 2, 3, 4]);
    assert_eq!(weft.get("apps")[0]["revision"], 4);
    weft.fetch("/env").expect(200, &["env NUMBER="]);
}

#[test]
fn no_host_and_a_wrong_token_are_exit_code_3() {
    let weft = Weft::empty();
    let empty = Files::new();
    let without_host = |arguments: &[&str]| {
        let mut command = weft_command();
        command.args(arguments).arg("--data-dir").arg(empty.path());
        finish(spawn(command), PATIENCE)
    };
    // What a killed host leaves behind leads nowhere.
    let mut killed = Weft::empty();
    killed.kill();
    let nobody = killed.run(&["get", "apps"]).expect_code(3);
    nobody.expect_stderr(&["weft up"]);
    // A port that nobody listens on: it was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let free = free.to_string();
    empty.write("admin.token", "0".repeat(64));
    let nobody = without_host(&["get", "apps", "--admin", &free]).expect_code(3);
    nobody.expect_stderr(&[&free]);

    let hosts = weft.get("hosts");
    let admin = hosts[0]["admin"].as_str().unwrap();
    for arguments in [
        &["get", "apps", "--admin", admin][..],
        &["call", "a/b", "c()", "--admin", admin],
        &["logs", "--admin", admin],
        &["undeploy", "a", "--admin", admin],
    ] {
        let refused = without_host(arguments).expect_code(3);
        refused.expect_stderr(&["token"]);
    }

    std::fs::remove_file(empty.path().join("admin.token")).unwrap();
    without_host(&["get", "apps", "--admin", admin])
        .expect_code(3)
        .expect_stderr(&["weft up", "--data-dir"]);
}

#[test]
fn mistakes_in_arguments_are_exit_code_2() {
    let cases: &[(&[&str], &str)] = &[
        (&["frobnicate"], "frobnicate"),
        (&["get", "apples"], "apples"),
        (&["call", "shop/pricing"], "EXPRESSION"),
        (&["call", "pricing", "f()"], "pricing"),
        (&["deploy", "/nowhere/app.yaml"], "/nowhere/app.yaml"),
        (&["up", "--http", "somewhere"], "somewhere"),
        (&["up", "--drain-deadline", "soon"], "soon"),
        (&["up", "-f", "/nowhere/app.yaml"], "/nowhere/app.yaml"),
        (&["completions", "tcsh"], "tcsh"),
    ];
    for (arguments, named) in cases {
        let mut command = weft_command();
        command.args(*arguments);
        let refused = finish(spawn(command), PATIENCE).expect_code(2);
        refused.expect_stderr(&[named]);
    }
}

#[test]
fn a_host_that_cannot_start_says_what_to_do() {
    let weft = Weft::empty();
    let second = Weft::start_refused(&Options {
        data: Some(weft.data()),
        ..Options::default()
    });
    second
        .expect_code(1)
        .expect_stderr(&["in use by another host", "--data-dir"]);
    assert_eq!(
        weft.get("hosts").len(),
        1,
        "the first host is still reachable"
    );

    let files = Files::new();
    let no_handler = "components:\n\
                      - {name: pricing, source: {file: guest:pricing}}\n\
                      routes:\n\
                      - {path: /, to: pricing}\n";
    let refused = Weft::start_refused(&Options {
        files: &[files.app("pricing", no_handler)],
        ..Options::default()
    });
    refused
        .expect_code(1)
        .expect_stderr(&["`pricing`", "wasi:http/incoming-handler"]);

    let taken = weft.http().to_string();
    let refused = Weft::start_refused(&Options {
        http: &taken,
        ..Options::default()
    });
    refused.expect_code(1).expect_stderr(&[&taken, "--http"]);
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let mut command = weft_command();
        command.args(["completions", shell]);
        let script = finish(spawn(command), PATIENCE).expect_code(0).stdout;
        assert!(script.contains("COMPLETE"), "{shell}");

        let mut command = weft_command();
        command.args(["--", "weft", "unde"]);
        command
            .env("COMPLETE", shell)
            .env("_CLAP_COMPLETE_INDEX", "1");
        let completed = finish(spawn(command), PATIENCE).expect_code(0).stdout;
        assert!(completed.contains("undeploy"), "{shell}: {completed}");
    }
}
