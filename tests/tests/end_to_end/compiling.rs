//! A host that compiles a large component does everything else meanwhile.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use weft_tests::{Files, PATIENCE, Weft, eventually, finish, large_component, start_nats};

use crate::lattice::host;

/// The longest failover to a host that compiles something else: as to one that is idle.
const FAILOVER_MAX: Duration = Duration::from_secs(4);

/// The longest deploy of a small component, while another app is compiled.
const SMALL_DEPLOY_MAX: Duration = Duration::from_secs(1);

/// The app `large`, whose component takes some ten seconds to compile.
fn large(files: &Files, placement: &str) -> PathBuf {
    files.write("large.wasm", large_component());
    let spec =
        format!("components:\n- {{name: runtime, source: {{file: large.wasm}}, {placement}}}\n");
    files.app("large", &spec)
}

/// The app `small` with a route of the same name.
fn small(files: &Files, placement: &str) -> PathBuf {
    let spec = format!(
        "components:\n\
         - {{name: web, source: {{file: guest:hello-http}}, {placement}}}\n\
         routes:\n\
         - {{path: /small, to: web}}\n"
    );
    files.app("small", &spec)
}

fn compilations(weft: &Weft) -> u64 {
    let rows = weft.get("hosts");
    let own = rows.iter().find_map(|row| row["compilations"].as_u64());
    own.expect("a host counts its compilations")
}

fn wait_for_compilations(weft: &Weft, count: u64) {
    eventually("the host compiles", PATIENCE, || {
        let found = compilations(weft);
        (found >= count).then_some(()).ok_or(found.to_string())
    });
}

fn runs(weft: &Weft, app: &str) -> bool {
    let rows = weft.get("components");
    rows.iter().any(|row| row["app"] == app)
}

fn wait_until_runs(weft: &Weft, app: &str) {
    eventually("the component runs", PATIENCE, || {
        runs(weft, app)
            .then_some(())
            .ok_or("it does not".to_owned())
    });
}

#[test]
fn a_small_app_is_deployed_while_a_host_alone_compiles_a_large_one() {
    let (files, weft) = (Files::new(), Weft::empty());
    let (large, small) = (large(&files, ""), small(&files, ""));
    let compiling = weft.spawn(&["deploy", &large.to_string_lossy()]);
    wait_for_compilations(&weft, 1);
    let start = Instant::now();
    weft.deployed(&small);
    let took = start.elapsed();
    assert_eq!(weft.fetch("/small").status, 200);
    weft.run(&["undeploy", "small"]).expect_code(0);
    assert!(!runs(&weft, "large"), "it was compiled too soon to test");
    assert!(took <= SMALL_DEPLOY_MAX, "{took:?}");
    finish(compiling, 3 * PATIENCE).expect_code(0);
    assert_eq!(weft.called("large/runtime", "run(0)"), "63");
}

#[test]
fn an_app_fails_over_to_a_host_that_compiles_a_large_one() {
    let nats = start_nats();
    let front = host(&nats, "place=front");
    let mut backs = [host(&nats, "place=a"), host(&nats, "place=b")];
    front.wait_for_ready(3);
    let files = Files::new();
    front.deployed(&small(&files, "placement: {require: {place: [a, b]}}"));
    eventually("a host runs the app", PATIENCE, || {
        let runs = backs.iter().position(|back| runs(back, "small"));
        runs.map(|first| backs.swap(0, first))
            .ok_or("none does".to_owned())
    });
    let [running, other] = &mut backs;
    eventually("the front reaches it", PATIENCE, || {
        let answer = front.fetch("/small");
        (answer.status == 200).then_some(()).ok_or(answer.text())
    });
    // It has compiled the app ahead.
    wait_for_compilations(other, 1);
    let place = &other.get("hosts");
    let place = place.iter().find(|row| row["compilations"].is_u64());
    let place = place.expect("its own row")["labels"]["place"].as_str();
    let placement = format!("placement: {{require: {{place: {}}}}}", place.unwrap());
    let start = Instant::now();
    front.deployed(&large(&files, &placement));
    let deployed = start.elapsed();
    wait_for_compilations(other, 2);
    running.kill();
    let start = Instant::now();
    let answer = front.fetch("/small");
    let took = start.elapsed();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(took <= FAILOVER_MAX, "{took:?}");
    assert!(!runs(other, "large"), "it was compiled too soon to test");
    assert_eq!(
        compilations(&front),
        0,
        "the front only checked, in {deployed:?}"
    );
}

#[test]
fn a_small_app_starts_on_a_host_of_a_lattice_that_compiles_a_large_one() {
    let nats = start_nats();
    let [front, back] = [host(&nats, "place=front"), host(&nats, "place=back")];
    front.wait_for_ready(2);
    let files = Files::new();
    let placement = "placement: {require: {place: back}}";
    front.deployed(&large(&files, placement));
    wait_for_compilations(&back, 1);
    let start = Instant::now();
    front.deployed(&small(&files, placement));
    let deployed = start.elapsed();
    wait_until_runs(&back, "small");
    let started = start.elapsed();
    assert!(!runs(&back, "large"), "it was compiled too soon to test");
    assert!(deployed <= SMALL_DEPLOY_MAX, "{deployed:?}");
    assert!(started <= 2 * SMALL_DEPLOY_MAX, "{started:?}");
}
