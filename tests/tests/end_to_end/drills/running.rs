//! A drill on a lattice that runs: what its users notice, and what keeps it from being broken by mistake.

use serde_json::Value;
use weft_tests::{
    Files, Finished, NatsServer, Options, Process, Weft, eventually, finish, spawn, spawn_typing,
    start_nats, weft_command,
};

use super::{DRILL_MAX, RATE, expect_unnoticed, shop_in_clouds};

/// A lattice of this name, and its hosts.
const LATTICE: &str = "test";

struct Lattice {
    nats: NatsServer,
    hosts: Vec<Weft>,
    files: Files,
}

impl Lattice {
    /// Hosts by their names and clouds, which know of each other.
    fn start(hosts: &[(&str, &str)]) -> Self {
        let nats = start_nats();
        let started = hosts.iter().map(|(name, cloud)| {
            let options = arguments(&nats, name, cloud);
            start(&options, &[])
        });
        let lattice = Self {
            hosts: started.collect(),
            nats,
            files: Files::new(),
        };
        lattice.wait_until_ready();
        lattice
    }

    fn wait_until_ready(&self) {
        for weft in &self.hosts {
            weft.wait_for_ready(self.hosts.len());
        }
    }

    /// The same with the shop of a lattice deployed.
    fn with_shop(self) -> Self {
        let manifest = shop_in_clouds(&self.files, 1);
        self.hosts[0].deploy(&manifest).expect_code(0);
        let status = ["status", "shop", "--wait", "--timeout", "3m"];
        let status = finish(self.hosts[0].spawn(&status), DRILL_MAX);
        status.expect_code(0);
        self
    }

    /// Starts a drill through the first host.
    fn drill(&self, arguments: &[&str]) -> Process {
        self.hosts[0].spawn(&drill(arguments))
    }

    fn status(&self, host: &str) -> String {
        let rows = self.hosts[0].get("hosts");
        let row = rows.iter().find(|row| row["host"] == host);
        let status = row.and_then(|row| row["status"].as_str());
        status.unwrap_or_default().to_owned()
    }
}

fn arguments(nats: &NatsServer, name: &str, cloud: &str) -> Vec<String> {
    let (url, label) = (nats.url(), format!("cloud={cloud}"));
    let arguments = ["--nats", &url, "--lattice", LATTICE, "--name", name];
    let arguments = [&arguments[..], &["--label", &label]].concat();
    arguments.into_iter().map(str::to_owned).collect()
}

fn start(arguments: &[String], more: &[&str]) -> Weft {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Weft::start(&Options {
        arguments: &[&arguments[..], more].concat(),
        ..Options::default()
    })
}

fn drill<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let drill = [&["drill"], arguments].concat();
    [&drill[..], &["--rate", RATE, "-o", "json"]].concat()
}

/// What a drill told in which nobody was failed, and who was lost.
#[track_caller]
fn unnoticed(drill: Process) -> (Value, Vec<String>) {
    let report = finish(drill, DRILL_MAX).expect_code(0).json();
    expect_unnoticed(&report);
    let requests = report["requests"].as_u64().expect("a number");
    assert!(requests > 300, "{report:#}");
    let lost = report["hosts_lost"].clone();
    let mut lost: Vec<String> = serde_json::from_value(lost).expect("names");
    lost.sort();
    (report, lost)
}

const PRODUCTS: [&str; 2] = ["--path", "/products"];

#[test]
fn nobody_notices_that_a_named_host_is_killed_and_its_return_is_seen() {
    let clouds = [("north", "a"), ("south", "b"), ("west", "c")];
    let mut lattice = Lattice::start(&clouds).with_shop();
    let killed = ["kill-host", "--host", "south", "--for", "20s"];
    let drill = lattice.drill(&[&killed[..], &PRODUCTS, &["--confirm", LATTICE]].concat());
    eventually("the host is dead", DRILL_MAX, || {
        match lattice.status("south").as_str() {
            "dead" => Ok(()),
            status => Err(status.to_owned()),
        }
    });
    let south = lattice.hosts.remove(1);
    let data = south.data();
    drop(south);
    let arguments = arguments(&lattice.nats, "south", "b");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    lattice.hosts.push(Weft::start(&Options {
        arguments: &arguments,
        data: Some(data),
        ..Options::default()
    }));
    let (report, lost) = unnoticed(drill);
    assert_eq!(lost, ["south"]);
    assert!(report["restarted_s"].as_f64() > Some(2.0), "{report:#}");
}

#[test]
fn nobody_is_failed_by_a_host_that_hangs_and_goes_on_by_itself() {
    let clouds = [("north", "a"), ("south", "b"), ("west", "c")];
    let lattice = Lattice::start(&clouds).with_shop();
    let (url, bus) = (lattice.nats.url(), ["--lattice", LATTICE]);
    let mut command = weft_command();
    // Over the bus, by a user without any host.
    command.args(drill(&["stop-host", "--for", "10s", "--nats", &url]));
    command.args(bus).args(PRODUCTS);
    command.args(["--confirm", LATTICE]);
    command.env("HOME", "/nonexistent");
    let (report, lost) = unnoticed(spawn(command));
    assert_eq!(lost.len(), 1, "{report:#}");
    assert!(report["all_back_s"].is_number(), "{report:#}");
    assert_eq!(report["restarted_s"], Value::Null, "{report:#}");
    lattice.wait_until_ready();
}

#[test]
fn nobody_notices_that_all_hosts_of_a_cloud_are_lost_once_the_name_was_typed() {
    let clouds = [("north", "a"), ("south", "b"), ("east", "c"), ("west", "c")];
    let lattice = Lattice::start(&clouds).with_shop();
    let mut command = weft_command();
    command.args(drill(&["lose-cloud", "--cloud", "c", "--for", "8s"]));
    command.args(PRODUCTS);
    command
        .arg("--data-dir")
        .arg(lattice.hosts[0].data().path());
    let typed = format!("{LATTICE}\n");
    let (_, lost) = unnoticed(spawn_typing(command, &typed));
    assert_eq!(lost, ["east", "west"]);
    assert_eq!(lattice.status("south"), "ready");
}

#[test]
fn a_lattice_that_runs_is_not_broken_by_mistake() {
    let mut lattice = Lattice::start(&[("north", "a")]);
    let kill = ["kill-host", "--confirm", LATTICE];
    let north = &lattice.hosts[0];
    let nothing = north.run(&drill(&kill)).expect_code(1);
    nothing.expect_stderr(&["no component runs in lattice `test`", "weft deploy"]);
    let spec = "components:\n\
        - {name: web, source: {file: guest:hello-http-p3}, replicas: 2}\n\
        routes:\n\
        - {path: /, to: web}\n";
    north
        .deploy(&lattice.files.app("probe", spec))
        .expect_code(0);
    let only = north.run(&drill(&kill)).expect_code(2);
    only.expect_stderr(&["no host of lattice `test` would survive"]);
    let south = arguments(&lattice.nats, "south", "a");
    lattice.hosts.push(start(&south, &["--no-drills"]));
    lattice.wait_until_ready();
    let (north, south) = (&lattice.hosts[0], &lattice.hosts[1]);
    north.run(&["status", "probe", "--wait"]).expect_code(0);
    let refused = |weft: &Weft, arguments: &[&str], code: i32, parts: &[&str]| {
        let finished: Finished = weft.run(&drill(arguments)).expect_code(code);
        finished.expect_stderr(parts);
    };
    let host = |name: &'static str| ["kill-host", "--host", name];
    let no_drills = ["`south` takes no drills", "--no-drills"];
    refused(
        north,
        &[&host("south")[..], &kill[1..]].concat(),
        1,
        &no_drills,
    );
    let relay = ["`north` relays the commands of this drill", "--nats"];
    refused(north, &host("north"), 2, &relay);
    let other = [&host("north")[..], &["--confirm", "prod"]].concat();
    refused(
        south,
        &other,
        2,
        &["`test`, found `prod`", "no fault was injected"],
    );
    let untyped = [
        "host `north`",
        "probe/web",
        "was not typed",
        "--confirm test",
    ];
    refused(south, &host("north"), 2, &untyped);
    refused(south, &host("east"), 2, &["no host `east`", "`north`"]);
    let cloud = |name: &'static str| ["lose-cloud", "--cloud", name];
    refused(
        north,
        &cloud("a"),
        2,
        &["no host of lattice `test` would survive"],
    );
    refused(north, &cloud("z"), 2, &["`cloud=z`", "`a`"]);
    refused(north, &["kill-nats"], 2, &["-f FILE"]);
    for name in ["north", "south"] {
        assert_eq!(lattice.status(name), "ready");
    }
    for log in [north.log(), south.log()] {
        assert!(!log.contains("a drill"), "{log}");
    }
    let alone = Weft::empty();
    refused(&alone, &["kill-host"], 2, &["has not joined a lattice"]);
}
