//! A wrong label is no outage: what serves goes on serving, the commands warn, and a component that
//! no host may run fails at once with the label.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use weft_tests::{Files, NatsServer, PATIENCE, Weft, eventually, start_nats};

use crate::lattice::host;

/// Far less than the time for which a request waits for a host that may come.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Two hosts, at `cloud=north` and at `cloud=south`, and an app that runs on the second.
struct Lattice {
    north: Weft,
    south: Weft,
    files: Files,
    _nats: NatsServer,
}

/// The app at a revision, with a component that needs one value of the label `cloud`.
fn app(files: &Files, name: &str, cloud: &str) -> PathBuf {
    let spec = format!(
        "components:\n\
         - name: web\n\
         \x20 source: {{file: guest:probe-http-p3}}\n\
         \x20 placement: {{require: {{cloud: {cloud}}}}}\n\
         routes:\n\
         - {{host: {name}.test, path: /, to: web}}\n"
    );
    files.app(name, &spec)
}

fn request(weft: &Weft, app: &str) -> (u16, String, Duration) {
    let began = Instant::now();
    let host = format!("{app}.test");
    let request = weft_tests::http::Request::get("/echo").host(&host);
    let response = weft.send(request);
    (response.status, response.text(), began.elapsed())
}

impl Lattice {
    fn start() -> Self {
        let nats = start_nats();
        let north = host(&nats, "cloud=north");
        let south = host(&nats, "cloud=south");
        north.wait_for_ready(2);
        south.wait_for_ready(2);
        let files = Files::new();
        let lattice = Self {
            north,
            south,
            files,
            _nats: nats,
        };
        lattice.deploy("south");
        lattice
            .north
            .run(&["status", "probe", "--wait"])
            .expect_code(0);
        lattice.serves();
        lattice
    }

    /// Deploys the app for a cloud, and returns the standard error of the command.
    fn deploy(&self, cloud: &str) -> String {
        let manifest = app(&self.files, "probe", cloud);
        self.north.deploy(&manifest).expect_code(0).stderr
    }

    /// Every host serves the app.
    fn serves(&self) {
        for weft in [&self.north, &self.south] {
            eventually("the app serves", PATIENCE, || {
                match request(weft, "probe") {
                    (200, ..) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            });
        }
    }

    /// The app goes on serving for as long as a replica would take to stop.
    fn goes_on_serving(&self) {
        let began = Instant::now();
        while began.elapsed() < AT_ONCE {
            for weft in [&self.north, &self.south] {
                let (status, text, _) = request(weft, "probe");
                assert_eq!(status, 200, "{text}");
            }
        }
    }

    fn id_of_south(&self) -> String {
        self.south.get("hosts")[0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

#[test]
fn a_revision_that_no_host_may_run_takes_nothing_from_the_one_that_serves() {
    let lattice = Lattice::start();
    let warning = lattice.deploy("nimbus");
    assert!(
        warning.contains("`probe/web` will have no host: 2 hosts: label `cloud` is not `nimbus`"),
        "{warning}"
    );
    lattice.goes_on_serving();
    let status = lattice.north.run(&["status", "probe"]).expect_code(1);
    assert!(status.stdout.contains("label `cloud` is not `nimbus`"));
    // Its successor is ready once a host may run it.
    let south = lattice.id_of_south();
    let labelled = lattice.north.run(&["label", &south, "cloud=nimbus"]);
    labelled.expect_code(0);
    lattice.goes_on_serving();
    lattice
        .north
        .run(&["status", "probe", "--wait"])
        .expect_code(0);
}

#[test]
fn a_label_that_is_removed_stops_nothing_and_is_warned_of() {
    let lattice = Lattice::start();
    let south = lattice.id_of_south();
    let removed = lattice
        .north
        .run(&["label", &south, "cloud-"])
        .expect_code(0);
    removed.expect_stderr(&[
        "`probe/web` will have no host: 2 hosts: label `cloud` is not `south`",
        "goes on serving",
    ]);
    lattice.goes_on_serving();
    // It moves without a gap once another host may run it.
    let north = lattice.north.get("hosts")[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let moved = lattice.north.run(&["label", &north, "cloud=south"]);
    let moved = moved.expect_code(0);
    assert!(!moved.stderr.contains("no host"), "{}", moved.stderr);
    lattice.goes_on_serving();
    eventually("the component has moved", PATIENCE, || {
        let own = ["get", "components", "--host", &south, "-o", "json"];
        let rows = lattice.north.run(&own).expect_code(0).json();
        (rows == serde_json::json!([]))
            .then_some(())
            .ok_or_else(|| rows.to_string())
    });
    lattice.serves();
}

#[test]
fn a_component_that_no_host_may_run_is_503_at_once_with_the_label() {
    let lattice = Lattice::start();
    let manifest = app(&lattice.files, "other", "nimbus");
    lattice.north.deploy(&manifest).expect_code(0);
    for weft in [&lattice.north, &lattice.south] {
        eventually("the route is known", PATIENCE, || {
            let (status, text, _) = request(weft, "other");
            match status {
                503 => Ok(()),
                _ => Err(text),
            }
        });
        let (status, text, took) = request(weft, "other");
        assert_eq!(status, 503, "{text}");
        assert!(
            text.contains("`other/web`: 2 hosts: label `cloud` is not `nimbus`"),
            "{text}"
        );
        assert!(took < AT_ONCE, "{took:?}");
    }
}
