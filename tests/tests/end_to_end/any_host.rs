//! Three hosts, and every command asked at each of them: the answers are about the whole lattice, and the same.

use serde_json::{Value, json};
use weft_tests::http::Request;
use weft_tests::{
    Files, Finished, NatsServer, Options, PATIENCE, Probe, Weft, eventually, finish, probes, spawn,
    start_nats, weft_command,
};

use crate::lattice::{ADD, APART};

const NAMES: [&str; 3] = ["north", "south", "west"];

/// Hosts at the places `a`, `b` and `c`, of which the first two run an app each half of it.
struct Lattice {
    hosts: [Weft; 3],
    nats: NatsServer,
    files: Files,
}

impl Lattice {
    fn start() -> Self {
        let nats = start_nats();
        let hosts = [("north", "a"), ("south", "b"), ("west", "c")]
            .map(|(name, place)| host(&nats, name, place, Options::default()));
        for weft in &hosts {
            weft.wait_for_ready(3);
        }
        let files = Files::new();
        Self { hosts, nats, files }
    }

    /// Deploys through the host that runs nothing of it.
    fn deploy(&self, name: &str, spec: &str) {
        let [_, _, west] = &self.hosts;
        west.deployed(&self.files.app(name, spec));
        for weft in &self.hosts {
            // A host that did not take the command receives the record a moment later.
            eventually("the app is known", PATIENCE, || {
                let apps = weft.get("apps");
                let is_known = apps.iter().any(|row| row["app"] == name);
                is_known.then_some(()).ok_or_else(|| "not yet".to_owned())
            });
            weft.run(&["status", name, "--wait"]).expect_code(0);
        }
    }

    fn with_apart() -> Self {
        let lattice = Self::start();
        lattice.deploy("apart", APART);
        lattice
    }

    /// Runs a command over the bus, through any host.
    fn run_on_bus(&self, arguments: &[&str]) -> Finished {
        let mut command = weft_command();
        command.args(arguments);
        command.args(["--nats", &self.nats.url(), "--lattice", "test"]);
        command.env("HOME", "/nonexistent");
        finish(spawn(command), PATIENCE)
    }
}

fn host(nats: &NatsServer, name: &str, place: &str, options: Options<'_>) -> Weft {
    let (url, label) = (nats.url(), format!("place={place}"));
    let arguments = ["--nats", &url, "--lattice", "test", "--name", name];
    Weft::start(&Options {
        arguments: &[&arguments[..], &["--label", &label]].concat(),
        ..options
    })
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

/// The values of some fields of all rows.
fn fields<'a, const N: usize>(rows: &'a [Value], names: [&str; N]) -> Vec<[&'a str; N]> {
    let rows = rows.iter();
    rows.map(|row| names.map(|name| text(row, name))).collect()
}

fn lines(printed: &Finished) -> Vec<Value> {
    let lines = printed.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn a_call_reaches_the_host_that_runs_the_component_from_every_host() {
    let lattice = Lattice::with_apart();
    for weft in &lattice.hosts {
        assert_eq!(weft.called("apart/importer", ADD), "42");
        let repeated = weft.run(&["call", "apart/importer", ADD, "--repeat", "20"]);
        let repeated = repeated.expect_code(0).stdout;
        assert!(repeated.contains("20 calls"), "{repeated}");
        // What is wrong is the same everywhere.
        let wrong = weft.call(
            "apart/importer",
            "fixture:conformance/relay-direct.no-such()",
        );
        wrong
            .expect_code(1)
            .expect_stderr(&["does not export function", "no-such"]);
        let here = weft.run(&["call", "apart/importer", ADD, "--host", "north"]);
        assert_eq!(here.expect_code(0).stdout.trim(), "42");
        let other = weft.run(&["call", "apart/importer", ADD, "--host", "west"]);
        other.expect_code(1).expect_stderr(&[
            "component `importer` of app `apart` does not run on host `west`",
            "weft get placements apart --why",
        ]);
    }
    for _ in 0..20 {
        let called = lattice.run_on_bus(&["call", "apart/importer", ADD]);
        assert_eq!(called.expect_code(0).stdout.trim(), "42");
    }
}

#[test]
fn a_call_to_a_component_that_runs_nowhere_says_why() {
    let lattice = Lattice::start();
    let nowhere = APART.replace("{require: {place: a}}", "{require: {place: nowhere}}");
    let [north, _, west] = &lattice.hosts;
    north.deployed(&lattice.files.app("apart", &nowhere));
    for weft in [north, west] {
        let called = eventually("the app is known", PATIENCE, || {
            let called = weft.call("apart/importer", ADD);
            let is_known = !called.stderr.contains("there is no app");
            is_known.then_some(()).ok_or(called.stderr.clone())?;
            Ok::<_, String>(called)
        });
        called.expect_code(1).expect_stderr(&[
            "no host runs component `importer` of app `apart`",
            "label `place` is not `nowhere`",
        ]);
    }
}

#[test]
fn lists_are_the_same_at_every_host_and_name_the_hosts() {
    let lattice = Lattice::with_apart();
    for weft in &lattice.hosts {
        let components = weft.get("components");
        let found = fields(&components, ["component", "host"]);
        assert_eq!(found, [["exporter", "south"], ["importer", "north"]]);
        let links = weft.get("links");
        let found = fields(&links, ["from", "host", "mode"]);
        assert!(!found.is_empty());
        for link in found {
            assert_eq!(link, ["importer", "north", "remote"]);
        }
        let apps = weft.get("apps");
        assert_eq!(fields(&apps, ["app", "status"]), [["apart", "ready"]]);
        assert_eq!(
            (&apps[0]["ready"], &apps[0]["wanted"]),
            (&json!(2), &json!(2))
        );
        let table = weft.run(&["get", "apps"]).expect_code(0).stdout;
        assert!(table.contains("READY") && table.contains("2/2"), "{table}");
        let mut hosts = weft.get("hosts");
        hosts.sort_by_key(|row| text(row, "host").to_owned());
        assert_eq!(fields(&hosts, ["host"]), NAMES.map(|name| [name]));
        let counts: Vec<_> = hosts.iter().map(|row| row["components"].as_u64()).collect();
        assert_eq!(counts, [Some(1), Some(1), Some(0)]);
        for host in &hosts {
            assert!(
                host["admin"].is_string() && host["uptime_s"].is_u64(),
                "{host}"
            );
        }
        let one = weft.run(&["get", "components", "--host", "south", "-o", "json"]);
        let one = one.expect_code(0).json();
        assert_eq!(fields(one.as_array().unwrap(), ["host"]), [["south"]]);
        let inspected = weft.run(&["inspect", "apart/exporter", "-o", "json"]);
        let digest = inspected.expect_code(0).json()["digest"].clone();
        assert_eq!(digest, components[0]["digest"]);
        let why = [
            "link",
            "why",
            "apart",
            "importer",
            "fixture:conformance/direct",
        ];
        let why = weft.run(&[&why[..], &["-o", "json"]].concat());
        let why = why.expect_code(0).json();
        assert_eq!(
            (text(&why, "mode"), text(&why, "host")),
            ("remote", "north")
        );
        assert_eq!(why["hosts"].as_array().map(Vec::len), Some(1));
    }
    let inspected = lattice.run_on_bus(&["inspect", "apart/exporter"]);
    inspected.expect_code(0);
    let components = lattice.run_on_bus(&["get", "components", "-o", "json"]);
    assert_eq!(
        components.expect_code(0).json().as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn a_route_has_the_protocol_of_its_component_at_every_host() {
    let lattice = Lattice::start();
    let spec = "components:\n\
        - {name: web, source: {file: guest:probe-http-p3}, placement: {require: {place: b}}}\n\
        routes:\n\
        - {path: /, to: web}\n";
    lattice.deploy("probe", spec);
    for weft in &lattice.hosts {
        let routes = weft.get("routes");
        let found = fields(&routes, ["to", "protocol"]);
        assert_eq!(found, [["web", "wasi:http@0.3"]]);
    }
}

#[test]
fn logs_of_all_hosts_are_merged_and_an_error_is_found_wherever_it_is() {
    let lattice = Lattice::start();
    for (app, place) in [("left", "a"), ("right", "b")] {
        let spec = probes(&[Probe {
            name: "web",
            settings: &format!("placement: {{require: {{place: {place}}}}}"),
            path: "/",
        }]);
        lattice.deploy(
            app,
            &spec.replace("{path: /,", &format!("{{host: {app}, path: /,")),
        );
    }
    let [north, south, west] = &lattice.hosts;
    let follower = west.spawn(&["logs", "-f", "--tail", "0"]);
    let on_bus = {
        let mut command = weft_command();
        command.args(["logs", "right", "-f", "--tail", "0"]);
        command.args(["--nats", &lattice.nats.url(), "--lattice", "test"]);
        spawn(command)
    };
    eventually("both followers show the new lines", PATIENCE, || {
        for app in ["left", "right"] {
            let printed = west.send(Request::get("/print").host(app));
            printed.expect(200, &["printed"]);
        }
        let shown = follower.stdout();
        let has = |text: &str| shown.contains(text);
        let all = has("north left/web stdout: a line") && has("south right/web stdout: a line");
        let over_bus = on_bus.stdout().contains("south right/web stdout: a line");
        (all && over_bus).then_some(()).ok_or(shown)
    });
    assert!(!on_bus.stdout().contains("left/web"));
    let trapped = west.send(Request::get("/trap").host("right"));
    let id = trapped.header("weft-error-id").expect("an id").to_owned();
    for weft in [north, south, west] {
        let all = lines(
            &weft
                .run(&["logs", "--since", "1h", "-o", "json"])
                .expect_code(0),
        );
        let mut sources = fields(&all, ["app", "host"]);
        sources.sort_unstable();
        sources.dedup();
        assert_eq!(sources, [["left", "north"], ["right", "south"]]);
        let times: Vec<_> = all.iter().map(|line| line["time_ms"].as_u64()).collect();
        assert!(times.is_sorted(), "{times:?}");
        let newest = lines(
            &weft
                .run(&["logs", "--tail", "2", "-o", "json"])
                .expect_code(0),
        );
        assert_eq!(newest, all[all.len() - 2..]);
        let one = lines(
            &weft
                .run(&["logs", "--host", "north", "-o", "json"])
                .expect_code(0),
        );
        assert!(!one.is_empty() && one.iter().all(|line| line["host"] == "north"));
        let found = weft.run(&["logs", "--error", &id, "-o", "json"]);
        let found = lines(&found.expect_code(0));
        assert_eq!(
            fields(&found, ["app", "host", "stream"]),
            [["right", "south", "host"]]
        );
    }
    let unknown = west.run(&["logs", "--error", "0123456789abcdef"]);
    unknown.expect_code(1).expect_stderr(&[
        "no line about error `0123456789abcdef`",
        "`north`",
        "`south`",
        "`west`",
    ]);
    let invalid = west.run(&["logs", "--error", "nope"]).expect_code(2);
    invalid.expect_stderr(&["weft-error-id"]);
}

#[test]
fn a_wrong_name_is_the_same_error_at_every_host_and_lists_the_existing_ones() {
    let lattice = Lattice::with_apart();
    let no_app: [&[&str]; 12] = [
        &["logs", "nope"],
        &["logs", "nope", "-f"],
        &["get", "links", "nope"],
        &["get", "components", "nope"],
        &["get", "apps", "nope"],
        &["get", "placements", "nope"],
        &["get", "placements", "nope", "--why"],
        &["status", "nope"],
        &["undeploy", "nope"],
        &["call", "nope/importer", ADD],
        &["link", "why", "nope", "importer", "a:b/c"],
        &["inspect", "nope/importer"],
    ];
    let no_component: [&[&str]; 4] = [
        &["logs", "apart/nope"],
        &["call", "apart/nope", ADD],
        &["link", "why", "apart", "nope", "a:b/c"],
        &["inspect", "apart/nope"],
    ];
    for weft in &lattice.hosts {
        for arguments in no_app {
            let finished = weft.run(arguments).expect_code(1);
            finished.expect_stderr(&["there is no app `nope`", "deployed apps: `apart`"]);
        }
        for arguments in no_component {
            let finished = weft.run(arguments).expect_code(1);
            let expected = "app `apart` has no component `nope`";
            finished.expect_stderr(&[expected, "`exporter`, `importer`"]);
        }
    }
    // An app without any is no mistake.
    let providers = lattice.hosts[2].run(&["get", "providers", "apart"]);
    providers
        .expect_code(0)
        .expect_stderr(&["app `apart` has no providers"]);
}

#[test]
fn a_host_that_hangs_is_named_and_the_others_answer() {
    let lattice = Lattice::with_apart();
    let [north, south, _] = &lattice.hosts;
    south.process().suspend().expect("it is suspended");
    let listed = north
        .run(&["get", "components", "-o", "json"])
        .expect_code(0);
    let rows = listed.json();
    assert_eq!(fields(rows.as_array().unwrap(), ["host"]), [["north"]]);
    listed.expect_stderr(&["host `south` did not answer, and its part is missing"]);
    south.process().resume().expect("it goes on");
}

#[test]
fn an_app_without_all_its_replicas_is_not_ready_and_says_why() {
    let lattice = Lattice::start();
    let [north, south, west] = &lattice.hosts;
    let spec = APART.replace("{require: {place: b}}", "{require: {place: nowhere}}");
    north.deployed(&lattice.files.app("apart", &spec));
    for weft in [north, south, west] {
        eventually("the app waits", PATIENCE, || {
            let apps = weft.get("apps");
            let row = apps.first().cloned().unwrap_or_default();
            let counts = (&row["ready"], &row["wanted"]) == (&json!(1), &json!(2));
            let reason = text(&row, "reason");
            let says = reason.contains("exporter 0/1: 3 hosts: label `place` is not `nowhere`");
            let waits = row["status"] == "waiting" && counts && says;
            waits.then_some(()).ok_or(row.to_string())
        });
        let status = weft.run(&["status", "apart", "-o", "json"]).expect_code(1);
        let status = status.json();
        let missing = &status["components"][1];
        assert_eq!(
            missing["why"],
            json!(["3 hosts: label `place` is not `nowhere`"])
        );
    }
}

#[test]
fn placements_explain_every_host_and_what_would_fit_if_it_were_there() {
    let mut lattice = Lattice::with_apart();
    let spare = host(&lattice.nats, "spare", "b", Options::default());
    lattice.hosts[0].wait_for_ready(4);
    lattice.hosts[2].kill();
    drop(spare);
    let [north, south, _] = &lattice.hosts;
    for weft in [north, south] {
        eventually("two hosts are gone", PATIENCE, || {
            let rows = weft.get("hosts");
            let gone = rows.iter().filter(|row| row["status"] == "dead").count();
            (gone == 2).then_some(()).ok_or(format!("{rows:?}"))
        });
        let explained = weft.run(&["get", "placements", "apart", "--why", "-o", "json"]);
        let explained = explained.expect_code(0).json();
        let rows = explained.as_array().unwrap();
        let exporter = rows
            .iter()
            .find(|row| row["component"] == "exporter")
            .unwrap();
        let fits = &exporter["fits"];
        assert_eq!(fits["require"], json!(["place=b"]));
        let hosts = fits["hosts"].as_array().unwrap();
        let of = |name: &str| hosts.iter().find(|row| row["host"] == name).unwrap();
        let verdict = |name: &str| (text(of(name), "status"), text(of(name), "why"));
        assert_eq!(verdict("north"), ("ready", "label `place` is not `b`"));
        assert_eq!(verdict("west").0, "dead");
        assert_eq!(
            verdict("west").1,
            "dead; would not fit: label `place` is not `b`"
        );
        assert_eq!(verdict("spare"), ("dead", "dead; would fit"));
        assert_eq!(verdict("south"), ("ready", "placed"));
        assert_eq!(of("south")["labels"], json!(["place=b"]));
        let mut order: Vec<_> = hosts.iter().map(|row| row["order"].as_u64()).collect();
        order.sort_unstable();
        assert_eq!(order, [Some(1), Some(2), Some(3), Some(4)]);
    }
    let text = north.run(&["get", "placements", "apart", "--why"]);
    let text = text.expect_code(0).stdout;
    for part in [
        "apart/exporter: revision 1",
        "requires place=b",
        "dead; would fit",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let other = north.run(&["get", "apps", "--why"]).expect_code(2);
    other.expect_stderr(&["`--why` applies only to `weft get placements`"]);
}

#[test]
fn a_host_that_comes_and_goes_is_damped_and_what_it_serves_counts_as_ready() {
    let lattice = Lattice::with_apart();
    let Lattice { hosts, nats, .. } = lattice;
    let [north, mut south, west] = hosts;
    let data = south.data();
    for _ in 0..2 {
        south.kill();
        let options = Options {
            data: Some(data.clone()),
            ..Options::default()
        };
        south = host(&nats, "south", "b", options);
        eventually("it is back", PATIENCE, || {
            let rows = north.get("hosts");
            let row = rows.iter().find(|row| row["host"] == "south");
            let status = row.map(|row| text(row, "status").to_owned());
            let is_back = matches!(status.as_deref(), Some("ready" | "damped"));
            is_back.then_some(()).ok_or(format!("{rows:?}"))
        });
    }
    let damped = eventually("it is damped and serves", PATIENCE, || {
        let rows = north.get("placements");
        let row = rows.iter().find(|row| row["component"] == "exporter");
        let row = row.cloned().unwrap_or_default();
        let counts = (&row["placed"], &row["ready"]) == (&json!(0), &json!(1));
        // It is frozen at first: it has just joined.
        let is_damped = row["why"].to_string().contains("south: damped");
        (counts && is_damped)
            .then_some(row.clone())
            .ok_or(row.to_string())
    });
    assert_eq!(damped["serving"], json!(["south"]));
    let why = damped["why"].to_string();
    for part in ["south: damped, gets no new work", "south: serves until"] {
        assert!(why.contains(part), "{why}");
    }
    for weft in [&north, &west] {
        let row = eventually("it is damped and not frozen", PATIENCE, || {
            let mut rows = weft.get("hosts").into_iter();
            let row = rows.find(|row| row["host"] == "south").unwrap_or_default();
            let is_damped = row["status"] == "damped";
            is_damped.then_some(row.clone()).ok_or(row.to_string())
        });
        assert!(
            row["notes"].to_string().contains("gets no new work for"),
            "{row}"
        );
    }
    let explained = north.run(&["get", "placements", "apart", "--why"]);
    let explained = explained.expect_code(0).stdout;
    let verdict = "damped; would fit; serves until another host does";
    assert!(explained.contains(verdict), "{explained}");
    assert_eq!(north.called("apart/importer", ADD), "42");
    drop(south);
}
