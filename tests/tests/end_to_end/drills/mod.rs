//! What users notice when a part of a lattice is lost: `weft drill`, with fewer requests than its figures in
//! `docs/failover.md` are of.

mod rolling_restart;
mod running;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use weft_tests::{Files, eventually, finish, spawn, weft_command};

use crate::shop;

/// How long a drill may take, with all that it starts.
const DRILL_MAX: Duration = Duration::from_mins(4);

/// Requests a second: enough to meet every moment of a loss on a busy machine.
const RATE: &str = "40";

/// The shop of a lattice as an HTTP API.
const API: &str = "shop-lattice-api.yaml";

/// An order that the shop has enough for.
const ORDER: &str = r#"{"lines":[{"sku":"sencha","quantity":1}]}"#;

/// The shop of a lattice, spread over the clouds of a drill, with its orders kept by so many servers.
fn shop_in_clouds(files: &Files, servers: u32) -> PathBuf {
    example_in_clouds(files, "shop-lattice.yaml", servers)
}

fn example_in_clouds(files: &Files, example: &str, servers: u32) -> PathBuf {
    let manifest = shop::manifest().with_file_name(example);
    let text = std::fs::read_to_string(&manifest).expect("an example");
    let examples = manifest.parent().expect("it is in a directory");
    let guests = examples.join("../../components");
    let text = text
        .replace("../../components", &guests.to_string_lossy())
        .replace("spread: zone", "spread: cloud")
        .replace(
            "config:\n      replicas: 1",
            &format!("config:\n      replicas: {servers}"),
        );
    assert!(text.contains(&format!("replicas: {servers}\n")), "{text}");
    files.write("shop.yaml", text)
}

fn drill(servers: u32, arguments: &[&str]) -> Value {
    drill_of(
        "shop-lattice.yaml",
        servers,
        &[arguments, &["--for", "8s"]].concat(),
    )
}

fn drill_of(example: &str, servers: u32, arguments: &[&str]) -> Value {
    let files = Files::new();
    let mut command = weft_command();
    command.arg("drill").args(arguments);
    command
        .arg("-f")
        .arg(example_in_clouds(&files, example, servers));
    command.args(["--rate", RATE, "-o", "json"]);
    let report = finish(spawn(command), DRILL_MAX).expect_code(0).json();
    let requests = report["requests"].as_u64().expect("a number");
    assert!(requests > 300, "{report:#}");
    report
}

/// Nobody noticed the loss, and it was found out and made good.
#[track_caller]
fn expect_unnoticed(report: &Value) {
    assert_eq!(report["lost"], 0, "{report:#}");
    assert!(report["found_out_s"].is_number(), "{report:#}");
    assert!(report["all_runs_again_s"].is_number(), "{report:#}");
}

/// What was lost came back, and requests went on after that: for three seconds before the loss, eight without what
/// was lost, and more than four with it again.
#[track_caller]
fn expect_return(report: &Value) {
    assert!(report["all_back_s"].is_number(), "{report:#}");
    let rate: u64 = RATE.parse().expect("a number");
    assert!(
        report["requests"].as_u64() > Some(rate * (3 + 8 + 4)),
        "{report:#}"
    );
}

#[test]
fn nobody_notices_that_a_host_is_killed() {
    let report = drill(1, &["kill-host", "--path", "/products"]);
    expect_unnoticed(&report);
}

#[test]
fn nobody_notices_that_a_host_of_an_http_api_is_killed_but_by_a_post_that_it_had() {
    let api = ["--path", "/catalog/products", "--write", "/api/orders"];
    let arguments = [&["kill-host", "--for", "15s"], &api[..], &["--body", ORDER]].concat();
    let report = drill_of(API, 1, &arguments);
    expect_unnoticed(&report);
    let writes = &report["writes"];
    assert_eq!(writes["missing"], 0, "{report:#}");
    assert!(writes["made"].as_u64() > Some(20), "{report:#}");
    // A call that may have run is not made again.
    let refused = writes["refused"].as_u64().expect("a number");
    let maybe_executed = writes["statuses"]["502"].as_u64().unwrap_or_default();
    assert_eq!(refused, maybe_executed, "{report:#}");
    assert!(refused < 5, "{report:#}");
}

#[test]
fn requests_of_an_http_api_go_on_after_a_server_is_restarted() {
    let arguments = ["kill-nats", "--for", "8s", "--path", "/catalog/products"];
    let report = drill_of(API, 1, &arguments);
    assert_eq!(report["lost_after_return"], 0, "{report:#}");
    assert_eq!(report["anything_moved"], false, "{report:#}");
}

#[test]
fn nobody_is_failed_by_a_host_that_hangs() {
    let report = drill(1, &["stop-host", "--path", "/products"]);
    expect_unnoticed(&report);
    expect_return(&report);
    assert_eq!(report["lost_after_return"], 0, "{report:#}");
}

#[test]
fn requests_go_on_soon_after_a_server_is_restarted_and_nothing_moves() {
    let report = drill(1, &["kill-nats"]);
    assert_eq!(report["lost_after_return"], 0, "{report:#}");
    assert_eq!(report["anything_moved"], false, "{report:#}");
}

#[test]
fn orders_go_on_when_a_stretched_lattice_loses_a_cloud() {
    let cloud = [
        "lose-cloud",
        "--topology",
        "stretched",
        "--path",
        "/products",
    ];
    let report = drill(
        3,
        &[&cloud[..], &["--write", "/orders", "--body", ORDER]].concat(),
    );
    expect_unnoticed(&report);
    assert_eq!(report["writes"]["missing"], 0, "{report:#}");
    assert!(report["writes"]["made"].as_u64() > Some(20), "{report:#}");
    expect_return(&report);
}

#[test]
fn what_needs_no_store_goes_on_without_either_cloud_behind_gateways() {
    // The first cloud keeps the desired state.
    for cloud in ["a", "c"] {
        let report = drill(
            1,
            &["lose-cloud", "--topology", "gateways", "--cloud", cloud],
        );
        expect_unnoticed(&report);
        expect_return(&report);
    }
}

#[test]
fn a_drill_that_is_told_to_end_takes_its_lattice_with_it() {
    let files = Files::new();
    let mut command = weft_command();
    command.args(["drill", "kill-host", "-f"]);
    command.arg(shop_in_clouds(&files, 1));
    command.env("TMPDIR", files.path());
    let drill = spawn(command);
    let directory = files.path().join(format!("weft-drill-{}", drill.id()));
    let directory = directory.to_str().expect("it is text").to_owned();
    eventually("hosts and a server run", DRILL_MAX, || {
        let running = running_in(&directory);
        (running.len() >= 4)
            .then_some(())
            .ok_or(format!("{running:?}"))
    });
    drill.terminate().unwrap();
    let ended = finish(drill, DRILL_MAX).expect_code(1);
    ended.expect_stderr(&["given up", "SIGTERM"]);
    assert_eq!(running_in(&directory), Vec::<String>::new());
    assert!(!PathBuf::from(&directory).exists());
}

/// The commands of the processes that name a directory.
fn running_in(directory: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("Linux has it");
    let commands = processes.filter_map(|process| {
        // It may have ended meanwhile.
        let command = std::fs::read(process.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&command).replace('\0', " "))
    });
    commands
        .filter(|command| command.contains(directory))
        .collect()
}
