//! What hosts store of revisions that are gone, and who deletes it.

use serde_json::Value;
use weft_tests::{Files, PATIENCE, Weft, eventually, start_nats};

use crate::lattice::host;

/// Deploys a revision of the app `one`, whose component is not the one of any other number.
fn deploy(weft: &Weft, files: &Files, number: usize) {
    let text = format!(
        r#"(component
          (core module $m (func (export "run") (result i32) i32.const {number}))
          (core instance $i (instantiate $m))
          (func (export "run") (result s32) (canon lift (core func $i "run"))))"#
    );
    let file = files.wat(&format!("{number}.wasm"), &text);
    let file = file.display();
    let spec = format!("components:\n- {{name: one, source: {{file: {file}}}, replicas: 2}}\n");
    weft.deployed(&files.app("one", &spec));
    weft.run(&["status", "one", "--wait"]).expect_code(0);
}

/// Number of files with this end in a directory of a host's data.
fn files_in(weft: &Weft, directory: &str, end: &str) -> usize {
    let files = std::fs::read_dir(weft.folder().join(directory)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(end)).count()
}

fn stored(weft: &Weft) -> (usize, usize) {
    let artifacts = files_in(weft, "artifacts", ".wasm");
    (artifacts, files_in(weft, "cache", ".cwasm"))
}

/// Number of objects of the lattice.
fn objects(weft: &Weft) -> u64 {
    let report = weft.run(&["gc", "--dry-run", "-o", "json"]);
    let report = report.expect_code(0).json();
    report[0]["objects"]["stored_bytes"].as_u64().unwrap()
}

/// Collects until the hosts store `revisions` revisions each.
fn collect(hosts: &[&Weft], revisions: usize) {
    eventually("the rest is deleted", PATIENCE, || {
        let printed = hosts[0].run(&["gc", "--grace", "5s", "-o", "json"]);
        let report = printed.expect_code(0).json();
        let found: Vec<_> = hosts.iter().map(|weft| stored(weft)).collect();
        let is_done = found.iter().all(|found| *found == (revisions, revisions));
        is_done.then_some(()).ok_or(format!("{found:?}: {report}"))
    });
}

#[test]
fn two_revisions_of_an_app_stay_and_none_after_an_undeploy() {
    let (nats, files) = (start_nats(), Files::new());
    let hosts = [host(&nats, "place=a"), host(&nats, "place=b")];
    let [one, two] = &hosts;
    one.wait_for_ready(2);
    for number in 1..=5 {
        deploy(one, &files, number);
    }
    assert_eq!([stored(one), stored(two)], [(5, 5), (5, 5)]);
    let all = objects(one);
    // Within the grace time of hosts nothing is deleted.
    let printed = one.run(&["gc"]).expect_code(0).stdout;
    assert!(printed.starts_with("HOST"), "{printed}");
    assert_eq!(stored(one), (5, 5));
    collect(&[one, two], 2);
    assert!(objects(two) < all);
    for weft in &hosts {
        assert_eq!(weft.called("one/one", "run()"), "5");
    }
    // The previous revision is deployed again, and an older one.
    for number in [4, 1] {
        deploy(two, &files, number);
        assert_eq!(one.called("one/one", "run()"), number.to_string());
    }
    let rows = one.get("hosts");
    let disk = |row: &Value| {
        row["artifacts_bytes"]
            .as_u64()
            .zip(row["code_bytes"].as_u64())
    };
    assert!(rows.iter().all(|row| disk(row).is_some()), "{rows:?}");
    one.run(&["undeploy", "one"]).expect_code(0);
    collect(&[one, two], 0);
    assert_eq!(objects(one), 0);
}

#[test]
fn a_host_alone_deletes_old_revisions_and_serves_after_a_restart() {
    let (weft, files) = (Weft::empty(), Files::new());
    for number in 1..=4 {
        deploy(&weft, &files, number);
    }
    collect(&[&weft], 2);
    let weft = weft.restarted();
    assert_eq!(weft.called("one/one", "run()"), "4");
    collect(&[&weft], 2);
    weft.run(&["gc", "--grace", "1s"])
        .expect_code(2)
        .expect_stderr(&["expected at least 5 s, found 1 s"]);
}
