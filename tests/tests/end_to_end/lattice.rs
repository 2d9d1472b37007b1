//! Many hosts on one bus: they know of each other, follow one desired state, and call each other.

use serde_json::Value;
use weft_tests::{Files, Nats, Options, PATIENCE, Weft, eventually};

/// A host that joins the lattice `test`.
fn host(nats: &Nats, label: &str) -> Weft {
    let url = nats.url();
    Weft::start(&Options {
        arguments: &["--nats", &url, "--lattice", "test", "--label", label],
        ..Options::default()
    })
}

/// The caller runs in one place and the callee in another.
const APART: &str = "components:\n\
    - {name: caller, source: {file: guest:caller}, placement: {require: {place: a}}}\n\
    - {name: callee, source: {file: guest:callee}, placement: {require: {place: b}}}\n\
    providers: [{name: values, type: config-values}, {name: nowhere, type: config-values}]\n\
    links:\n\
    - {from: caller, interface: 'fixture:links', to: callee, idempotent: true}\n";

fn statuses(weft: &Weft) -> Vec<String> {
    let hosts = weft.get("hosts");
    let rows = hosts.as_array().expect("rows");
    let mut statuses: Vec<_> = rows
        .iter()
        .map(|row| row["status"].as_str().expect("a status").to_owned())
        .collect();
    statuses.sort();
    statuses
}

fn wait_for_statuses(weft: &Weft, expected: &[&str]) {
    eventually("the hosts know of each other", PATIENCE, || {
        let found = statuses(weft);
        if found == expected {
            return Ok(());
        }
        Err(format!("{found:?}"))
    });
}

#[test]
fn hosts_of_a_lattice_know_of_each_other_and_of_no_other_lattice() {
    let nats = Nats::start();
    let one = host(&nats, "place=a");
    let two = host(&nats, "place=b");
    let url = nats.url();
    let stranger = Weft::start(&Options {
        arguments: &["--nats", &url, "--lattice", "other"],
        ..Options::default()
    });
    for weft in [&one, &two] {
        wait_for_statuses(weft, &["ready", "ready"]);
    }
    wait_for_statuses(&stranger, &["ready"]);
    let rows = one.get("hosts");
    let places: Vec<_> = rows.as_array().expect("rows").iter().map(|row| &row["labels"]["place"]).collect();
    assert!(places.contains(&&Value::from("a")) && places.contains(&&Value::from("b")));
}

#[test]
fn a_host_that_is_killed_is_found_dead_and_one_that_ends_has_left() {
    let nats = Nats::start();
    let one = host(&nats, "place=a");
    let mut killed = host(&nats, "place=b");
    let ended = host(&nats, "place=c");
    wait_for_statuses(&one, &["ready", "ready", "ready"]);
    ended.terminate();
    assert_eq!(ended.ended(PATIENCE).code, Some(0));
    killed.kill();
    wait_for_statuses(&one, &["dead", "left", "ready"]);
}

#[test]
fn an_app_is_deployed_once_and_its_components_call_each_other_across_hosts() {
    let nats = Nats::start();
    let [a, b] = [host(&nats, "place=a"), host(&nats, "place=b")];
    wait_for_statuses(&a, &["ready", "ready"]);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    a.run(&["deploy", manifest.to_str().expect("UTF-8")]).expect_code(0);
    let answer = eventually("the caller reaches the callee", PATIENCE, || {
        let called = a.run(&["call", "apart/caller", "fixture:links/relay.add(20, 22)"]);
        match called.code {
            Some(0) => Ok(called.stdout),
            _ => Err(called.stderr),
        }
    });
    assert_eq!(answer.trim(), "42");
    let links = a.get("links");
    let modes: Vec<_> = links
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["mode"].as_str().unwrap_or_default())
        .collect();
    assert!(modes.contains(&"remote"), "{links}");
    // Whatever is called, it is the same as in one process.
    for (call, expected) in [
        ("fixture:links/relay.echo-text(\"Grüße\")", "\"Grüße\""),
        ("fixture:links/relay.echo-colour(red)", "red"),
        ("fixture:links/relay.divide(7, 0)", "err(\"cannot divide 7 by 0\")"),
    ] {
        let called = a.run(&["call", "apart/caller", call]);
        called.expect_code(0);
        assert_eq!(called.stdout.trim(), expected);
    }
    drop(b);
}

#[test]
fn a_component_is_back_on_another_host_when_its_own_is_killed() {
    let nats = Nats::start();
    let a = host(&nats, "place=a");
    let mut b = host(&nats, "place=b");
    let c = host(&nats, "place=b");
    wait_for_statuses(&a, &["ready", "ready", "ready"]);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    a.run(&["deploy", manifest.to_str().expect("UTF-8")]).expect_code(0);
    let add = |what| {
        eventually(what, PATIENCE, || {
            let called = a.run(&["call", "apart/caller", "fixture:links/relay.add(20, 22)"]);
            match called.code {
                Some(0) => Ok(()),
                _ => Err(called.stderr),
            }
        });
    };
    add("the callee is there");
    let runs = |weft: &Weft| !weft.get("components").as_array().expect("rows").is_empty();
    if runs(&b) {
        b.kill();
    } else {
        drop(c);
    }
    add("the callee is back");
}

#[test]
fn two_who_deploy_at_the_same_time_are_told_apart_and_nothing_is_lost() {
    let nats = Nats::start();
    let [a, b] = [host(&nats, "place=a"), host(&nats, "place=b")];
    wait_for_statuses(&a, &["ready", "ready"]);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    let file = manifest.to_str().expect("UTF-8");
    a.run(&["deploy", file]).expect_code(0);
    // The other host follows, and sees the same revision.
    let revision = |weft: &Weft| weft.get("apps")[0]["revision"].clone();
    eventually("the other host follows", PATIENCE, || {
        match revision(&b) == Value::from(1) {
            true => Ok(()),
            false => Err(b.get("apps").to_string()),
        }
    });
    b.run(&["undeploy", "apart"]).expect_code(0);
    eventually("the first host follows too", PATIENCE, || {
        match a.get("apps").as_array().is_some_and(Vec::is_empty) {
            true => Ok(()),
            false => Err(a.get("apps").to_string()),
        }
    });
    a.run(&["deploy", file]).expect_code(0);
    assert_eq!(revision(&a), Value::from(3));
}

#[test]
fn a_host_without_a_bus_serves_from_its_own_copy() {
    let mut nats = Nats::start();
    let url = nats.url();
    let a = host(&nats, "place=a");
    let files = Files::new();
    let together = APART.replace("{require: {place: b}}", "{require: {place: a}}");
    let manifest = files.app("together", &together);
    a.run(&["deploy", manifest.to_str().expect("UTF-8")]).expect_code(0);
    nats.kill();
    let data = a.data();
    drop(a);
    let again = Weft::start(&Options {
        arguments: &["--nats", &url, "--lattice", "test", "--label", "place=a"],
        data: Some(data),
        ..Options::default()
    });
    eventually("it serves alone", PATIENCE, || {
        let called = again.run(&["call", "together/caller", "fixture:links/relay.add(1, 2)"]);
        match called.code {
            Some(0) => Ok(()),
            _ => Err(called.stderr),
        }
    });
    let refused = again.run(&["undeploy", "together"]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("takes no change now"), "{}", refused.stderr);
}
