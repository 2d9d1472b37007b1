//! One process of each identity: hosts restored from backups, and copies of data directories.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use weft_tests::http::{Connection, Request};
use weft_tests::{Files, NatsServer, Options, PATIENCE, Weft, eventually, folder, start_nats};

use crate::lattice::{ADD, APART, host, host_with};

/// The exit code of a process whose identity another process has.
const IDENTITY: i32 = 5;

fn life(weft: &Weft) -> PathBuf {
    weft.folder().join("host.life")
}

fn incarnation(weft: &Weft) -> u64 {
    let text = std::fs::read_to_string(life(weft)).unwrap();
    text.trim().parse().unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Kills a host, and copies its data directory.
fn killed_and_copied(weft: &mut Weft) -> Arc<TempDir> {
    weft.kill();
    let directory = Arc::new(tempfile::tempdir().unwrap());
    copy(weft.data().path(), directory.path());
    directory
}

fn on(data: Arc<TempDir>) -> Options<'static> {
    Options {
        data: Some(data),
        ..Options::default()
    }
}

fn start_refused(nats: &NatsServer, data: Arc<TempDir>) -> weft_tests::Finished {
    let url = nats.url();
    Weft::start_refused(&Options {
        arguments: &["--nats", &url, "--lattice", "test"],
        ..on(data)
    })
}

#[test]
fn a_host_restored_from_a_backup_is_a_member_again_within_seconds() {
    let nats = start_nats();
    let a = host(&nats, "place=a");
    // So many starts that no random step from a backup reaches the number of the last.
    let data = Arc::new(tempfile::tempdir().unwrap());
    std::fs::create_dir(folder(data.path())).unwrap();
    std::fs::write(folder(data.path()).join("host.life"), "1000000").unwrap();
    let mut b = host_with(&nats, "place=b", on(data));
    a.wait_for_ready(2);
    let files = Files::new();
    let manifest = files.app("apart", APART);
    a.run(&["deploy", manifest.to_str().unwrap()])
        .expect_code(0);
    a.wait_for_call("apart/importer", ADD);
    // From a backup, and with the file lost.
    for backup in [Some("1"), None] {
        let last = incarnation(&b);
        b.kill();
        eventually("the host is dead", PATIENCE, || {
            let rows = a.get("hosts");
            let is_dead = rows.iter().any(|row| row["status"] == "dead");
            is_dead.then_some(()).ok_or(format!("{rows:?}"))
        });
        match backup {
            Some(text) => std::fs::write(life(&b), text).unwrap(),
            None => std::fs::remove_file(life(&b)).unwrap(),
        }
        b = host_with(&nats, "place=b", on(b.data()));
        for weft in [&a, &b] {
            weft.wait_for_ready(2);
        }
        assert!(incarnation(&b) > last, "{} after {last}", incarnation(&b));
        let events = b.run(&["events", "-o", "json"]).expect_code(0);
        assert!(events.stdout.contains("host-outdated"), "{events}");
        assert_eq!(a.wait_for_call("apart/importer", ADD), "42");
    }
}

#[test]
fn a_copy_of_a_data_directory_is_refused_while_its_host_runs_and_may_take_over() {
    let nats = start_nats();
    let mut a = host(&nats, "place=a");
    let front = host(&nats, "place=front");
    front.wait_for_ready(2);
    let files = Files::new();
    let spec = "components:\n\
        - {name: web, source: {file: guest:probe-http-p3}, placement: {require: {place: a}}, \
           limits: {deadline: 10s}}\n\
        routes: [{path: /, to: web}]\n";
    let manifest = files.app("probe", spec);
    front.deploy(&manifest).expect_code(0);
    let copied = killed_and_copied(&mut a);
    let a = host_with(&nats, "place=a", on(a.data()));
    a.wait_for_ready(2);
    let refused = start_refused(&nats, copied.clone()).expect_code(IDENTITY);
    refused.expect_stderr(&["identity of this host", "--data-dir", "--takeover"]);
    let echo = || Request::with_body("POST", "/echo", b"x");
    eventually("the component serves", PATIENCE, || {
        let answer = a.send(echo());
        (answer.status == 200).then_some(()).ok_or(answer.text())
    });

    // The superseded process finishes the request that it has, and takes no other.
    let head = "POST /slow HTTP/1.1\nhost: localhost\nconnection: close\ncontent-length: 10\n\n";
    let mut slow = Connection::with(a.http(), head);
    assert_eq!(slow.head().unwrap().status, 200);
    assert_eq!(slow.chunk().unwrap(), b"begun");
    let url = nats.url();
    let successor = Weft::start(&Options {
        arguments: &[
            "--nats",
            &url,
            "--lattice",
            "test",
            "--label",
            "place=a",
            "--takeover",
        ],
        ..on(copied)
    });
    eventually("the superseded process rejects requests", PATIENCE, || {
        let answer = a.send(echo());
        match (answer.status, answer.text()) {
            (503, text) if text.contains("taken over") => Ok(()),
            (status, text) => Err(format!("{status}: {text}")),
        }
    });
    a.ended(PATIENCE)
        .expect_code(IDENTITY)
        .expect_stderr(&["taken over the identity"]);
    for weft in [&front, &successor] {
        weft.wait_for_ready(2);
        eventually("requests reach the successor", PATIENCE, || {
            let answer = weft.send(echo());
            (answer.status == 200).then_some(()).ok_or(answer.text())
        });
    }
}

#[test]
fn of_two_processes_of_one_identity_that_started_without_a_bus_the_later_stays() {
    let mut nats = start_nats();
    let mut a = host(&nats, "place=a");
    let other = host(&nats, "place=b");
    other.wait_for_ready(2);
    let copied = killed_and_copied(&mut a);
    nats.kill();
    let processes = [a.data(), copied].map(|data| host_with(&nats, "place=a", on(data)));
    let [one, two] = &processes;
    assert_ne!(incarnation(one), incarnation(two));
    let [one, two] = processes;
    let (earlier, later) = match incarnation(&one) < incarnation(&two) {
        true => (one, two),
        false => (two, one),
    };
    nats.start().unwrap();
    earlier.ended(PATIENCE).expect_code(IDENTITY);
    for weft in [&other, &later] {
        weft.wait_for_ready(2);
    }
}
