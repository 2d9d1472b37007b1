//! Many hosts on one bus: they know of each other, follow one desired state, and call each other.

use serde_json::Value;
use weft_tests::{Files, NatsServer, Options, PATIENCE, RawNats, Weft, eventually, start_nats};

/// A host that joins the lattice `test`.
pub(crate) fn host(nats: &NatsServer, label: &str) -> Weft {
    host_with(nats, label, Options::default())
}

pub(crate) fn host_with(nats: &NatsServer, label: &str, options: Options<'_>) -> Weft {
    let url = nats.url();
    Weft::start(&Options {
        arguments: &["--nats", &url, "--lattice", "test", "--label", label],
        ..options
    })
}

/// The importer runs in one place and the exporter in another.
pub(crate) const APART: &str = "components:\n\
    - {name: importer, source: {file: guest:conformance-importer}, placement: {require: {place: a}}}\n\
    - {name: exporter, source: {file: guest:conformance-exporter}, placement: {require: {place: b}}}\n\
    links:\n\
    - {from: importer, interface: 'fixture:conformance', to: exporter, idempotent: true}\n";

/// A call that goes over the link.
pub(crate) const ADD: &str = "fixture:conformance/relay-direct.add(20, 22)";

#[test]
fn hosts_of_a_lattice_know_of_each_other_and_of_no_other_lattice() {
    let nats = start_nats();
    let one = host(&nats, "place=a");
    let two = host(&nats, "place=b");
    let url = nats.url();
    let stranger = Weft::start(&Options {
        arguments: &["--nats", &url, "--lattice", "other"],
        ..Options::default()
    });
    for weft in [&one, &two] {
        weft.wait_for_ready(2);
    }
    stranger.wait_for_ready(1);
    let rows = one.get("hosts");
    let places: Vec<_> = rows.iter().map(|row| &row["labels"]["place"]).collect();
    assert!(places.contains(&&Value::from("a")) && places.contains(&&Value::from("b")));
}

#[test]
fn a_host_that_is_killed_is_found_dead_and_one_that_ends_has_left() {
    let nats = start_nats();
    let one = host(&nats, "place=a");
    let mut killed = host(&nats, "place=b");
    let ended = host(&nats, "place=c");
    one.wait_for_ready(3);
    ended.process().terminate().unwrap();
    assert_eq!(ended.ended(PATIENCE).code, Some(0));
    killed.kill();
    eventually("one host is dead and one has left", PATIENCE, || {
        let hosts = one.get("hosts");
        let statuses = hosts.iter().map(|row| row["status"].as_str());
        let mut statuses: Vec<_> = statuses.flatten().collect();
        statuses.sort_unstable();
        let expected = statuses == ["dead", "left", "ready"];
        expected.then_some(()).ok_or(format!("{statuses:?}"))
    });
}

#[test]
fn a_quiet_lattice_says_heartbeats_and_little_else_however_many_hosts_it_has() {
    std::thread::scope(|scope| {
        for count in [2, 6] {
            scope.spawn(move || count_messages(count));
        }
    });
}

/// Counts the messages of so many hosts for ten seconds.
fn count_messages(count: usize) {
    let nats = start_nats();
    let hosts: Vec<_> = (0..count).map(|_| host(&nats, "place=a")).collect();
    for weft in &hosts {
        weft.wait_for_ready(count);
    }
    let mut ear = RawNats::connect(nats.address());
    ear.subscribe(">");
    let (mut beats, mut others) = (0, Vec::new());
    while beats < 10 * count {
        let subject = ear.next_message().subject;
        match subject.starts_with("weft.test.heartbeats.") {
            true => beats += 1,
            false => others.push(subject),
        }
    }
    assert!(others.len() <= beats / 2, "{count} hosts: {others:?}");
}

#[test]
fn an_app_is_deployed_once_and_its_components_call_each_other_across_hosts() {
    let nats = start_nats();
    let [a, b] = [host(&nats, "place=a"), host(&nats, "place=b")];
    a.wait_for_ready(2);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    a.run(&["deploy", manifest.to_str().expect("UTF-8")])
        .expect_code(0);
    assert_eq!(a.wait_for_call("apart/importer", ADD), "42");
    let links = a.get("links");
    let modes: Vec<_> = links
        .iter()
        .map(|row| row["mode"].as_str().unwrap_or_default())
        .collect();
    assert!(modes.contains(&"remote"), "{links:?}");
    // Whatever is called, it is the same as in one process.
    let life = r#"["40", "42", "(\"at 42\", 42, [\"a\", \"\"])", "Ok(40)", "Err(\"40 is less than 41\")", "40", "0", "1"]"#;
    for (call, expected) in [
        ("fixture:conformance/relay-direct.text()", "\"näme\""),
        (
            "fixture:conformance/relay-direct.fallible-text()",
            "err(\"\")",
        ),
        ("fixture:conformance/relay-resources.life()", life),
    ] {
        let called = a.run(&["call", "apart/importer", call]);
        let called = called.expect_code(0);
        assert_eq!(called.stdout.trim(), expected);
    }
    drop(b);
}

#[test]
fn a_component_is_back_on_another_host_when_its_own_is_killed() {
    let nats = start_nats();
    let a = host(&nats, "place=a");
    let mut b = host(&nats, "place=b");
    let c = host(&nats, "place=b");
    a.wait_for_ready(3);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    a.run(&["deploy", manifest.to_str().expect("UTF-8")])
        .expect_code(0);
    a.wait_for_call("apart/importer", ADD);
    let runs = |weft: &Weft| !weft.own("components").is_empty();
    if runs(&b) {
        b.kill();
    } else {
        drop(c);
    }
    a.wait_for_call("apart/importer", ADD);
}

#[test]
fn two_who_deploy_at_the_same_time_are_told_apart_and_nothing_is_lost() {
    let nats = start_nats();
    let [a, b] = [host(&nats, "place=a"), host(&nats, "place=b")];
    a.wait_for_ready(2);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    let file = manifest.to_str().expect("UTF-8");
    a.run(&["deploy", file]).expect_code(0);
    // The other host follows, and sees the same revision.
    let revision = |weft: &Weft| weft.get("apps").first().map(|app| app["revision"].clone());
    eventually("the other host follows", PATIENCE, || {
        match revision(&b) == Some(Value::from(1)) {
            true => Ok(()),
            false => Err(format!("{:?}", b.get("apps"))),
        }
    });
    b.run(&["undeploy", "apart"]).expect_code(0);
    eventually("the first host follows too", PATIENCE, || {
        match a.get("apps") {
            apps if apps.is_empty() => Ok(()),
            apps => Err(format!("{apps:?}")),
        }
    });
    a.run(&["deploy", file]).expect_code(0);
    assert_eq!(revision(&a), Some(Value::from(3)));
}

#[test]
fn a_host_without_a_bus_serves_from_its_own_copy() {
    let mut nats = start_nats();
    let a = host(&nats, "place=a");
    let files = Files::new();
    let together = APART.replace("{require: {place: b}}", "{require: {place: a}}");
    let manifest = files.app("together", &together);
    a.run(&["deploy", manifest.to_str().expect("UTF-8")])
        .expect_code(0);
    nats.kill();
    let data = a.data();
    drop(a);
    let again = Options {
        data: Some(data),
        ..Options::default()
    };
    let again = host_with(&nats, "place=a", again);
    again.wait_for_call("together/importer", ADD);
    let refused = again.run(&["undeploy", "together"]);
    assert_ne!(refused.code, Some(0));
    assert!(
        refused
            .stderr
            .contains("cannot reach the desired-state bucket"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_host_takes_no_more_weight_than_its_declared_capacity() {
    let nats = start_nats();
    let url = nats.url();
    let with = |name: &str, capacity: &str| {
        let arguments = ["--nats", &url, "--lattice", "test", "--name", name];
        Weft::start(&Options {
            arguments: &[&arguments[..], &["--capacity", capacity]].concat(),
            ..Options::default()
        })
    };
    let hosts = [
        with("gateway", "0"),
        with("small", "3"),
        with("large", "1000"),
    ];
    hosts[0].wait_for_ready(3);
    let files = Files::new();
    let app = |replicas: u32| {
        let component = format!(
            "components:\n- {{name: exporter, source: {{file: guest:conformance-exporter}}, \
             replicas: {replicas}, placement: {{one-per-host: true, weight: 3}}}}\n"
        );
        files.app("heavy", &component)
    };
    let deployed = hosts[0].run(&["deploy", "--wait", app(2).to_str().expect("UTF-8")]);
    deployed.expect_code(0);
    let mut placed: Vec<String> =
        serde_json::from_value(hosts[0].get("placements")[0]["hosts"].clone()).unwrap();
    placed.sort_unstable();
    assert_eq!(placed, ["large", "small"]);
    hosts[0]
        .run(&["deploy", app(3).to_str().expect("UTF-8")])
        .expect_code(0);
    let waiting = eventually("the third replica has no room", PATIENCE, || {
        let row = hosts[0].get("placements").swap_remove(0);
        let is_waiting = row["wanted"] == 3 && row["placed"] == 2;
        is_waiting
            .then(|| row["why"].to_string())
            .ok_or_else(|| row.to_string())
    });
    assert!(
        waiting.contains("less free capacity than the weight of 3"),
        "{waiting}"
    );
}
