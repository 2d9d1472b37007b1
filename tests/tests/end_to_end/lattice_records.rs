//! The records of the desired state: conflicts of apps deployed at once, and a bucket that lost
//! records or has damaged ones.

use std::net::SocketAddr;

use serde_json::Value;
use weft_tests::{Files, PATIENCE, RawNats, Weft, eventually, start_nats};

use crate::lattice::host;

/// The bucket of the desired state of the lattice `test`.
const BUCKET: &str = "weft-desired-test";

/// The status of an app on a host, and its reason.
fn app(weft: &Weft, name: &str) -> (String, String) {
    let rows = weft.get("apps");
    let row = rows.iter().find(|row| row["app"] == name);
    let text = |field: &str| {
        let value = row.map(|row| row[field].clone());
        value.and_then(|value| value.as_str().map(str::to_owned))
    };
    (
        text("status").unwrap_or_default(),
        text("reason").unwrap_or_default(),
    )
}

fn wait_for_status(weft: &Weft, name: &str, expected: &str) -> String {
    eventually(&format!("`{name}` is {expected}"), PATIENCE, || {
        let (status, reason) = app(weft, name);
        match status == expected {
            true => Ok(reason),
            false => Err(format!("{status}: {reason}")),
        }
    })
}

/// The app of the route `/` on a host.
fn owner(weft: &Weft) -> Option<String> {
    let routes = weft.get("routes");
    let mut owners = routes.iter().filter(|row| row["path"] == "/");
    let owner = owners.next()?["app"].as_str().map(str::to_owned);
    assert_eq!(owners.next(), None, "{routes:?}");
    owner
}

/// The most races until two deploys meet.
const RACES_MAX: usize = 8;

#[test]
fn a_race_of_deploys_for_one_route_has_one_winner_everywhere_and_stops_no_other_deploy() {
    let nats = start_nats();
    let hosts = ["a", "b", "c"].map(|place| host(&nats, &format!("place={place}")));
    for weft in &hosts {
        weft.wait_for_ready(3);
    }
    let files = Files::new();
    let spec = |path: &str| {
        format!(
            "components: [{{name: web, replicas: 3, source: {{file: guest:probe-http-p3}}}}]\n\
             routes: [{{path: /, to: web}}, {{path: {path}, to: web}}]\n"
        )
    };
    let names = ["red", "green", "blue"];
    let manifests = names.map(|name| files.app(name, &spec(&format!("/{name}"))));
    let race = || -> Vec<_> {
        std::thread::scope(|scope| {
            let deploys = hosts.iter().zip(&manifests);
            let deploys: Vec<_> = deploys
                .map(|(weft, manifest)| scope.spawn(|| weft.deploy(manifest)))
                .collect();
            let deploys = deploys.into_iter().zip(names);
            let deploys = deploys.map(|(deploy, name)| (deploy.join().unwrap(), name));
            let accepted = deploys.filter(|(finished, _)| finished.code == Some(0));
            accepted.map(|(_, name)| name).collect()
        })
    };
    // On a busy machine one deploy may be over before the next begins, and then wins alone.
    let accepted = (0..RACES_MAX).find_map(|_| {
        let accepted = race();
        if accepted.len() > 1 {
            return Some(accepted);
        }
        for name in accepted {
            hosts[0].run(&["undeploy", name]).expect_code(0);
        }
        for weft in &hosts {
            eventually("no app has the route", PATIENCE, || {
                owner(weft).map_or(Ok(()), Err)
            });
        }
        None
    });
    let accepted = accepted.expect("deploys meet in one of several races");

    let winner = eventually("all hosts have one owner of the route", PATIENCE, || {
        let owners = hosts.each_ref().map(owner);
        let is_one = owners.iter().all(|owner| *owner == owners[0]);
        match &owners[0] {
            Some(owner) if is_one => Ok(owner.clone()),
            _ => Err(format!("{owners:?}")),
        }
    });
    for weft in &hosts {
        for name in &accepted {
            if *name == winner {
                wait_for_status(weft, name, "ready");
                continue;
            }
            let reason = wait_for_status(weft, name, "failed");
            assert!(
                reason.contains(&format!("`*/` belongs to app `{winner}`")),
                "{reason}"
            );
            // Its other routes work.
            assert_ne!(weft.fetch(&format!("/{name}/echo")).status, 404);
            let status = weft.run(&["status", name]).expect_code(1);
            assert!(status.stdout.contains("belongs to app"), "{status}");
        }
    }

    let other = files.app(
        "other",
        "components: [{name: web, source: {file: guest:probe-http-p3}}]\n",
    );
    hosts[1].deploy(&other).expect_code(0);
    let again = names.iter().position(|name| *name == winner).unwrap();
    let changed = files.app(&winner, &spec("/changed"));
    hosts[again].deploy(&changed).expect_code(0);
    let loser = accepted.iter().find(|name| **name != winner).unwrap();
    let changed = files.app(loser, &spec("/changed-too"));
    let refused = hosts[again].deploy(&changed).expect_code(1);
    refused.expect_stderr(&["route `*/`", &format!("is taken by `{winner}/web`")]);

    hosts[2].run(&["undeploy", &winner]).expect_code(0);
    for weft in &hosts {
        eventually("another app has the route", PATIENCE, || {
            let owner = owner(weft).unwrap_or_default();
            let is_other = accepted.contains(&owner.as_str()) && owner != winner;
            is_other.then_some(()).ok_or(owner)
        });
    }
}

/// The answer of JetStream to a request.
fn jetstream(address: SocketAddr, request: &str) -> Value {
    let mut nats = RawNats::connect(address);
    nats.subscribe("test-reply");
    nats.publish(&format!("$JS.API.{request}"), Some("test-reply"), b"");
    serde_json::from_slice(&nats.next_message().payload).unwrap()
}

fn messages(address: SocketAddr) -> u64 {
    let info = jetstream(address, &format!("STREAM.INFO.KV_{BUCKET}"));
    info["state"]["messages"].as_u64().unwrap()
}

fn purge(address: SocketAddr) {
    let purged = jetstream(address, &format!("STREAM.PURGE.KV_{BUCKET}"));
    assert_eq!(purged["success"], true, "{purged}");
}

const PROBE: &str = "components: [{name: web, source: {file: guest:probe-http-p3}}]\n\
    routes: [{path: /, to: web}]\n";

#[test]
fn a_purged_bucket_is_noticed_and_filled_again() {
    let nats = start_nats();
    let hosts = ["a", "b"].map(|place| host(&nats, &format!("place={place}")));
    hosts[0].wait_for_ready(2);
    let files = Files::new();
    let manifest = files.app("probe", PROBE);
    hosts[0].deploy(&manifest).expect_code(0);
    let before = messages(nats.address());
    assert!(before > 0);
    purge(nats.address());
    assert_eq!(messages(nats.address()), 0);
    eventually("the records are back", PATIENCE, || {
        let found = messages(nats.address());
        (found == before)
            .then_some(())
            .ok_or(format!("{found} of {before}"))
    });
    for weft in &hosts {
        assert_eq!(app(weft, "probe").0, "ready");
        assert_eq!(weft.get("apps")[0]["revision"], 1);
    }
}

#[test]
fn a_host_that_joins_a_lattice_with_a_purged_bucket_does_not_believe_it() {
    let nats = start_nats();
    let first = host(&nats, "place=a");
    let files = Files::new();
    let manifest = files.app("probe", PROBE);
    first.deploy(&manifest).expect_code(0);
    purge(nats.address());
    let second = host(&nats, "place=b");
    wait_for_status(&second, "probe", "ready");
}

#[test]
fn a_damaged_record_is_replaced_by_a_forced_deploy() {
    let nats = start_nats();
    let [a, b] = ["a", "b"].map(|place| host(&nats, &format!("place={place}")));
    a.wait_for_ready(2);
    let files = Files::new();
    let manifest = files.app("probe", PROBE);
    let file = manifest.to_str().unwrap();
    a.deploy(&manifest).expect_code(0);
    wait_for_status(&b, "probe", "ready");
    let mut raw = RawNats::connect(nats.address());
    raw.publish(
        &format!("$KV.{BUCKET}.apps.probe"),
        None,
        b"{\"deployed\":{",
    );
    raw.flush();
    let refused = b.run(&["deploy", file]).expect_code(1);
    refused.expect_stderr(&["cannot be read", "--force"]);
    b.run(&["deploy", file, "--force"]).expect_code(0);
    eventually("both hosts follow", PATIENCE, || {
        let revisions = [&a, &b].map(|weft| weft.get("apps")[0]["revision"].clone());
        (revisions == [2, 2])
            .then_some(())
            .ok_or(format!("{revisions:?}"))
    });
    a.run(&["undeploy", "probe"]).expect_code(0);
}
