//! Operating a lattice by its commands: to see what runs where and why, to know when a change is done, to move
//! work and to name hosts, through any host or over the bus alone.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use serde_json::{Value, json};
use weft_tests::http::Request;
use weft_tests::{
    Files, Finished, NatsServer, Options, PATIENCE, Probe, Process, Weft, eventually, finish,
    free_address, probes, spawn, start_nats, weft_command,
};

use crate::lattice::{ADD, APART};

/// A host of the lattice `test`.
fn host(nats: &NatsServer, name: &str, label: &str) -> Weft {
    let url = nats.url();
    Weft::start(&Options {
        arguments: &[
            "--nats",
            &url,
            "--lattice",
            "test",
            "--name",
            name,
            "--label",
            label,
        ],
        ..Options::default()
    })
}

fn wait_for_hosts(weft: &Weft, expected: &[(&str, &str)]) {
    eventually("the hosts know of each other", PATIENCE, || {
        let hosts = weft.get("hosts");
        let mut found: Vec<_> = hosts
            .iter()
            .map(|row| (text(row, "host"), text(row, "status")))
            .collect();
        found.sort_unstable();
        match found == expected {
            true => Ok(()),
            false => Err(format!("{found:?}")),
        }
    });
}

/// A host at `place=a` and one at `place=b`, which know of each other.
fn north_and_south(nats: &NatsServer) -> (Weft, Weft) {
    let north = host(nats, "north", "place=a");
    let south = host(nats, "south", "place=b");
    wait_for_hosts(&north, &[("north", "ready"), ("south", "ready")]);
    (north, south)
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

fn rows(weft: &Weft, arguments: &[&str]) -> Vec<Value> {
    let arguments = [arguments, &["-o", "json"]].concat();
    let json = weft.run(&arguments).expect_code(0).json();
    json.as_array().expect("an array").clone()
}

/// The names of the hosts on which a component is to run.
fn places(weft: &Weft, component: &str) -> Vec<String> {
    let rows = rows(weft, &["get", "placements"]);
    let row = rows.iter().find(|row| row["component"] == component);
    let hosts = row.map(|row| row["hosts"].clone()).unwrap_or_default();
    serde_json::from_value(hosts).unwrap_or_default()
}

fn deploy(weft: &Weft, files: &Files, name: &str, spec: &str) {
    let manifest = files.app(name, spec);
    weft.deploy(&manifest).expect_code(0);
    weft.run(&["status", name, "--wait"]).expect_code(0);
}

fn calls(weft: &Weft) -> Finished {
    weft.run(&["call", "apart/importer", ADD])
}

#[test]
fn the_log_of_a_start_in_a_lattice_is_a_handful_of_lines() {
    let nats = start_nats();
    let (north, south) = north_and_south(&nats);
    for (weft, other) in [(&north, "south"), (&south, "north")] {
        let joined = format!("host {other} has joined");
        eventually("the log names the other host", PATIENCE, || {
            let log = weft.log();
            log.contains(&joined).then_some(()).ok_or(log)
        });
        let log = weft.log();
        assert!(log.lines().count() <= 5, "{log}");
    }
}

#[test]
fn hosts_are_known_by_their_names_and_labels_and_found_by_either_name_or_id() {
    let nats = start_nats();
    let (north, _south) = north_and_south(&nats);
    let south = rows(&north, &["get", "hosts", "south"]);
    assert_eq!(south.len(), 1);
    assert_eq!(south[0]["labels"], json!({"place": "b"}));
    let id = text(&south[0], "id")[..12].to_owned();
    assert_eq!(rows(&north, &["get", "hosts", &id])[0]["host"], "south");
    let missing = north.run(&["get", "inventory", "west"]).expect_code(1);
    missing.expect_stderr(&["there is no host `west`", "`north`", "`south`"]);
    let twin = host(&nats, "south", "place=c");
    let two = [("north", "ready"), ("south", "ready"), ("south", "ready")];
    wait_for_hosts(&north, &two);
    let ambiguous = twin.run(&["drain", "south"]).expect_code(2);
    ambiguous.expect_stderr(&["more than one host", "beginning of an id", &id[..9]]);
}

#[test]
fn what_cannot_be_the_name_of_a_host_is_refused_with_the_accepted_form() {
    let weft = Weft::empty();
    let long = "x".repeat(300);
    for name in ["*", ">", "a.b/../c", "a b", "../x", &long] {
        let refused = weft.run(&["drain", name]).expect_code(2);
        refused.expect_stderr(&["A-Za-z0-9-_."]);
        let refused = weft.run(&["label", name, "a=b"]).expect_code(2);
        refused.expect_stderr(&["A-Za-z0-9-_."]);
    }
    let refused = Weft::start_refused(&Options {
        arguments: &["--name", "a b"],
        ..Options::default()
    });
    refused
        .expect_code(2)
        .expect_stderr(&["`a b` cannot be the name of a host"]);
    let alone = weft.run(&["drain", "local-host-of-nobody"]);
    assert_eq!(alone.code, Some(1));
}

#[test]
fn it_is_shown_where_components_are_to_run_what_runs_and_why_not() {
    let nats = start_nats();
    let (north, mut south) = north_and_south(&nats);
    let files = Files::new();
    deploy(&north, &files, "apart", APART);
    assert_eq!(places(&north, "importer"), ["north"]);
    assert_eq!(places(&south, "exporter"), ["south"]);
    let inventory = rows(&north, &["get", "inventory", "south"]);
    assert_eq!(inventory.len(), 1, "{inventory:?}");
    assert_eq!(inventory[0]["component"], "exporter");
    assert_eq!(inventory[0]["readiness"], "ready");
    assert_eq!(rows(&south, &["get", "inventory"]).len(), 2);
    south.kill();
    let status = eventually("the exporter has no host", PATIENCE, || {
        let status = north.run(&["status", "apart", "-o", "json"]);
        match status.code {
            Some(1) => Ok(status),
            _ => Err(status.stdout),
        }
    });
    let status = status.json();
    assert_eq!(status["ready"], false);
    let components = status["components"].as_array().unwrap();
    let exporter = components.iter().find(|row| row["component"] == "exporter");
    let exporter = exporter.unwrap();
    assert_eq!(
        (&exporter["wanted"], &exporter["placed"]),
        (&json!(1), &json!(0))
    );
    let why = exporter["why"].to_string();
    assert!(why.contains("label `place`"), "{why}");
    let table = north.run(&["get", "placements", "apart"]).expect_code(0);
    assert!(
        table.stdout.contains("label `place` is not `b`"),
        "{}",
        table.stdout
    );
    let late = north.run(&["status", "apart", "--wait", "--timeout", "200ms"]);
    late.expect_code(1)
        .expect_stderr(&["not ready after 200ms"]);
    let missing = north.run(&["status", "aprt"]).expect_code(1);
    missing.expect_stderr(&["`aprt`", "did you mean `apart`"]);
}

#[test]
fn a_host_of_its_own_tells_the_same_of_itself() {
    let files = Files::new();
    let weft = Weft::empty();
    let manifest = files.app("apart", APART);
    let plan = weft.run(&[
        "deploy",
        "--plan",
        &manifest.to_string_lossy(),
        "-o",
        "json",
    ]);
    let plan = plan.expect_code(0).json();
    assert_eq!(plan[0]["revision"], Value::Null);
    assert_eq!(plan[0]["hosts"].as_array().unwrap().len(), 2, "{plan}");
    assert!(weft.get("apps").is_empty(), "a plan changes nothing");
    weft.deploy(&manifest).expect_code(0);
    weft.run(&["status", "apart"]).expect_code(0);
    assert_eq!(weft.get("placements").len(), 2);
    assert_eq!(weft.get("inventory").len(), 2);
    let events = weft.run(&["events"]).expect_code(0);
    assert!(events.stdout.contains("app-deployed"), "{}", events.stdout);
    let name = text(&weft.get("hosts")[0], "host").to_owned();
    let labelled = weft
        .run(&["label", &name, "zone=a", "-o", "json"])
        .expect_code(0);
    assert_eq!(labelled.json()["labels"], json!({"zone": "a"}));
    let refused = weft.run(&["drain", &name]).expect_code(1);
    refused.expect_stderr(&["has joined no lattice", "weft up --nats"]);
}

#[test]
fn what_happens_to_a_lattice_is_told_as_it_happens() {
    let nats = start_nats();
    let north = host(&nats, "north", "place=a");
    let mut follower = north.spawn(&["events", "-f", "-o", "json"]);
    let mut south = host(&nats, "south", "place=b");
    wait_for_hosts(&north, &[("north", "ready"), ("south", "ready")]);
    let files = Files::new();
    deploy(&north, &files, "apart", APART);
    south.kill();
    let expected = [
        ("view-thawed", ""),
        ("host-joined", "south"),
        ("app-deployed", "`apart` is deployed at revision 1"),
        ("placement-moved", "apart/exporter starts on south"),
        ("host-died", "south"),
    ];
    eventually("all of it is told", PATIENCE, || {
        follower.check().unwrap();
        let told = follower.stdout();
        let events: Vec<Value> = told
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let has = |kind: &str, part: &str| {
            let mut events = events.iter();
            events.any(|it| it["kind"] == kind && text(it, "message").contains(part))
        };
        match expected.iter().find(|(kind, part)| !has(kind, part)) {
            None => Ok(()),
            Some(missing) => Err(format!("{missing:?} is not in\n{told}")),
        }
    });
    follower.kill();
    let recent = north.run(&["events", "--since", "1h"]).expect_code(0);
    assert!(recent.stdout.contains("host-died"), "{}", recent.stdout);
    let refused = north.run(&["events", "--since", "soon"]).expect_code(2);
    refused.expect_stderr(&["`soon`"]);
}

#[test]
fn a_plan_says_which_host_would_do_what_and_changes_nothing() {
    let nats = start_nats();
    let (north, _south) = north_and_south(&nats);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    let plan = |weft: &Weft, manifest: &std::path::Path| {
        let planned = weft.run(&["deploy", "--plan", &manifest.to_string_lossy()]);
        planned.expect_code(0).stdout
    };
    let planned = plan(&north, &manifest);
    for line in ["+ apart/importer on north", "+ apart/exporter on south"] {
        assert!(planned.contains(line), "{planned}");
    }
    assert!(north.get("apps").is_empty(), "a plan changes nothing");
    deploy(&north, &files, "apart", APART);
    assert!(plan(&north, &manifest).contains("unchanged"));
    let moved = APART.replace("{require: {place: a}}", "{require: {place: b}}");
    let planned = plan(&north, &files.app("apart", &moved));
    for line in ["+ apart/importer on south", "- apart/importer on north"] {
        assert!(planned.contains(line), "{planned}");
    }
    let nowhere = APART.replace("{require: {place: a}}", "{require: {place: z}}");
    let planned = plan(&north, &files.app("apart", &nowhere));
    assert!(planned.contains("0 of 1 replicas"), "{planned}");
    let stored = "components:\n\
        - {name: probe, source: {file: guest:http-probe}}\n\
        providers:\n\
        - {name: kv, type: keyvalue-redb}\n\
        - {name: config, type: config-values}\n\
        - {name: outside, type: http-client}\n\
        links:\n\
        - {from: probe, interface: 'wasi:keyvalue/store', to: kv}\n\
        - {from: probe, interface: 'wasi:config/store', to: config}\n\
        - {from: probe, interface: 'wasi:http/outgoing-handler', to: outside}\n";
    let planned = plan(&north, &files.app("stored", stored));
    assert!(
        planned.contains("stored/probe is pinned by stored/kv on "),
        "{planned}"
    );
}

/// Two hosts that may have the exporter, and one that has the importer.
fn three(nats: &NatsServer) -> [Weft; 3] {
    let north = host(nats, "north", "place=a");
    let hosts = [
        north,
        host(nats, "south", "place=b"),
        host(nats, "west", "place=b"),
    ];
    let all = [("north", "ready"), ("south", "ready"), ("west", "ready")];
    for weft in &hosts {
        wait_for_hosts(weft, &all);
    }
    hosts
}

#[test]
fn a_host_that_is_drained_gives_its_work_to_others_without_a_failed_call() {
    let nats = start_nats();
    let [north, south, west] = three(&nats);
    let files = Files::new();
    deploy(&north, &files, "apart", APART);
    north.wait_for_call("apart/importer", ADD);
    let of_north = north.run(&["drain", "north"]).expect_code(0);
    assert!(
        of_north.stdout.contains("north: draining"),
        "{}",
        of_north.stdout
    );
    let stays = north.run(&["drain", "north", "--wait", "--timeout", "2s"]);
    stays
        .expect_code(1)
        .expect_stderr(&["not drained after 2s"]);
    north.run(&["drain", "north", "--undo"]).expect_code(0);
    let from = places(&north, "exporter")[0].clone();
    let mut draining = north.spawn(&["drain", &from, "--wait"]);
    while draining.status().unwrap().is_none() {
        calls(&north).expect_code(0);
    }
    let drained = finish(draining, PATIENCE).expect_code(0);
    assert!(drained.stdout.contains("drained"), "{}", drained.stdout);
    assert_ne!(places(&north, "exporter")[0], from);
    let host = if from == "south" { &south } else { &west };
    assert!(host.own("components").is_empty());
    calls(&north).expect_code(0);
    // What is undone is seen by all.
    let undone = west.run(&["drain", &from, "--undo"]).expect_code(0);
    assert!(undone.stdout.contains("ready"), "{}", undone.stdout);
    let all = [("north", "ready"), ("south", "ready"), ("west", "ready")];
    wait_for_hosts(&north, &all);
}

#[test]
fn a_host_that_is_told_to_end_hands_over_first() {
    let nats = start_nats();
    let [north, south, west] = three(&nats);
    let files = Files::new();
    deploy(&north, &files, "apart", APART);
    north.wait_for_call("apart/importer", ADD);
    let from = places(&north, "exporter")[0].clone();
    let (ending, staying) = if from == "south" {
        (south, west)
    } else {
        (west, south)
    };
    ending.process().terminate().unwrap();
    eventually("the other host has it", PATIENCE, || {
        calls(&north).expect_code(0);
        match staying.own("components").len() {
            1 => Ok(()),
            count => Err(format!("{count} components")),
        }
    });
    let ended = ending.ended(PATIENCE).expect_code(0);
    ended.expect_stderr(&["drained"]);
    assert!(
        !ended.stderr.contains("did not take over all components"),
        "{}",
        ended.stderr
    );
    calls(&north).expect_code(0);
}

#[test]
fn placement_follows_labels_which_are_kept_over_a_restart() {
    let nats = start_nats();
    let (north, south) = north_and_south(&nats);
    let files = Files::new();
    deploy(&north, &files, "apart", APART);
    let refused = north.run(&["label", "south", "place=a b"]).expect_code(2);
    refused.expect_stderr(&["is not a label's value", "KEY=VALUE"]);
    north.run(&["label", "north", "place=b"]).expect_code(0);
    let labels = north.run(&["label", "south", "place=a", "gpu=yes", "-o", "json"]);
    let labels = labels.expect_code(0).json();
    assert_eq!(labels["host"], "south");
    assert_eq!(labels["labels"], json!({"gpu": "yes", "place": "a"}));
    eventually("placement follows", PATIENCE, || {
        let found = (places(&north, "importer"), places(&north, "exporter"));
        match found == (vec!["south".to_owned()], vec!["north".to_owned()]) {
            true => Ok(()),
            false => Err(format!("{found:?}")),
        }
    });
    let data = south.data();
    drop(south);
    // Else the others would take it for the one that they have heard until now.
    wait_for_hosts(&north, &[("north", "ready"), ("south", "dead")]);
    let url = nats.url();
    let again = Weft::start(&Options {
        arguments: &[
            "--nats",
            &url,
            "--lattice",
            "test",
            "--name",
            "south",
            "--label",
            "place=b",
        ],
        data: Some(data),
        ..Options::default()
    });
    let own = again.get("hosts");
    assert_eq!(own[0]["labels"], json!({"gpu": "yes", "place": "a"}));
    wait_for_hosts(&north, &[("north", "ready"), ("south", "ready")]);
    let removed = north.run(&["label", "south", "gpu-", "-o", "json"]);
    assert_eq!(
        removed.expect_code(0).json()["labels"],
        json!({"place": "a"})
    );
}

#[test]
fn commands_find_any_host_over_the_bus_alone() {
    let nats = start_nats();
    let (north, south) = north_and_south(&nats);
    let url = nats.url();
    let run = |arguments: &[&str]| {
        let bus = ["--nats", &url, "--lattice", "test"];
        let mut command = weft_tests::weft_command();
        command.args(arguments).args(bus);
        // A user without any host, and without a token.
        command.env("HOME", "/nonexistent");
        finish(spawn(command), PATIENCE)
    };
    let hosts = run(&["get", "hosts", "-o", "json"]).expect_code(0).json();
    assert_eq!(hosts.as_array().unwrap().len(), 2);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    run(&["deploy", &manifest.to_string_lossy()]).expect_code(0);
    run(&["status", "apart", "--wait"]).expect_code(0);
    north.wait_for_call("apart/importer", ADD);
    run(&["label", "south", "zone=b"]).expect_code(0);
    run(&["drain", "south"]).expect_code(0);
    run(&["drain", "south", "--undo"]).expect_code(0);
    run(&["events"]).expect_code(0);
    let followed = run(&["events", "-f"]).expect_code(2);
    followed.expect_stderr(&["cannot be followed over the bus", "--admin"]);
    drop(south);
    // Any host that is left will do.
    run(&["get", "apps"]).expect_code(0);
    let mut command = weft_tests::weft_command();
    command.args(["get", "apps", "--nats", &url, "--lattice", "other"]);
    let nobody = finish(spawn(command), PATIENCE).expect_code(3);
    nobody.expect_stderr(&["no host of lattice `other`", "--lattice"]);
}

#[test]
fn a_deploy_waits_until_the_app_is_ready_on_all_hosts() {
    let nats = start_nats();
    let (north, south) = north_and_south(&nats);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    let manifest = manifest.to_str().expect("UTF-8");
    let deployed = north.run(&["deploy", manifest, "--wait", "-o", "json"]);
    let deployed = deployed.expect_code(0);
    deployed.expect_stderr(&["apart: revision 1 is ready"]);
    assert_eq!(deployed.json()[0]["revision"], 1);
    let inventory = rows(&south, &["get", "inventory", "south"]);
    assert_eq!(text(&inventory[0], "readiness"), "ready", "{inventory:?}");
    // What is ready already is not waited for.
    let again = north.run(&["deploy", manifest, "--wait", "--timeout", "1ms"]);
    again.expect_code(0);
}

#[test]
fn a_deploy_whose_app_is_not_ready_in_time_fails_and_stays_deployed() {
    let nats = start_nats();
    let north = host(&nats, "north", "place=a");
    wait_for_hosts(&north, &[("north", "ready")]);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    let manifest = manifest.to_str().expect("UTF-8");
    let waited = north.run(&["deploy", manifest, "--wait", "--timeout", "2s"]);
    let waited = waited.expect_code(1);
    assert!(waited.stdout.contains("revision 1"), "{waited}");
    waited.expect_stderr(&[
        "apart: waiting: 1 of 2 replicas are ready",
        "app `apart` is not ready after 2s",
        "weft get placements",
    ]);
    assert_eq!(places(&north, "importer"), ["north"]);
    let both = north.run(&["deploy", manifest, "--wait", "--plan"]);
    both.expect_code(2);
    let alone = north.run(&["deploy", manifest, "--timeout", "2s"]);
    alone.expect_code(2).expect_stderr(&["--wait"]);
}

#[test]
fn a_log_that_nobody_reads_stops_no_request_and_no_shutdown() {
    let files = Files::new();
    let probe = Probe {
        name: "probe",
        settings: "",
        path: "/",
    };
    let (manifest, data) = (files.app("noisy", &probes(&[probe])), Files::new());
    let http = free_address().expect("a free address");
    let mut command = weft_command();
    command.args(["up", "--http", &http.to_string(), "--admin", "127.0.0.1:0"]);
    command
        .arg("--data-dir")
        .arg(data.path())
        .arg("-f")
        .arg(&manifest);
    // A pipe takes 64 KiB, and then nothing until somebody reads.
    let (_unread, stderr) = std::io::pipe().expect("a pipe");
    let stdout = tempfile::tempfile().expect("a file");
    let output = [stdout, File::from(OwnedFd::from(stderr))];
    let started = Process::start_with("`weft up`", &mut command, Stdio::null(), output);
    let process = started.expect("the host starts");
    eventually("the host serves", PATIENCE, || {
        let sent = Request::get("/count").try_send(http);
        let is_up = sent.is_ok_and(|response| response.status == 200);
        is_up.then_some(()).ok_or_else(|| "not yet".to_owned())
    });
    // Two lines of the log for each.
    for _ in 0..1_000 {
        Request::get("/print").send(http).expect(200, &["printed"]);
    }
    process.end(PATIENCE).expect("the host ends");
}
