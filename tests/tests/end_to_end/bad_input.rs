//! Manifests and components that are wrong: every mistake is told, and what runs keeps running.

use weft_tests::{Files, Probe, Weft, guest, probes};

/// Each line that ends in a number of `!` has so many mistakes.
const TEN_MISTAKES: &str = "\
apiVersion: weft.dev/v9
kind: Apps
metadata:
  name: Shop
spec:
  components:
  - name: web
    sources: {file: web.wasm}
    limits: {deadline: 5 parsecs, concurrency: 0, memory: lots}
  - name: web2
    source: {file: web.wasm}
    env: {PORT: 8080}
  links:
  - {from: web, interface: shop/pricing, to: web2}
  routes:
  - {path: no-slash, to: nobody}
";

fn running(files: &Files) -> Weft {
    let probe = Probe {
        name: "web",
        settings: "",
        path: "/good",
    };
    Weft::serving(&[files.app("good", &probes(&[probe]))])
}

#[test]
fn all_mistakes_of_a_manifest_are_told_at_once_with_their_places() {
    let files = Files::new();
    let weft = running(&files);
    let manifest = files.write("ten.yaml", TEN_MISTAKES);
    let refused = weft.deploy(&manifest).expect_code(2);
    let places: Vec<_> = refused
        .stderr
        .lines()
        .filter(|line| line.contains("ten.yaml:"))
        .collect();
    assert!(places.len() >= 10, "{} mistakes in {refused}", places.len());
    for place in &places {
        let mut position = place.split("ten.yaml:").nth(1).unwrap().split(':');
        for _ in 0..2 {
            let number: usize = position.next().unwrap().parse().unwrap();
            assert!(number > 0, "{place}");
        }
        assert_eq!(position.next(), Some(" error"), "{place}");
    }
    for (line, column) in [(1, 13), (2, 7), (4, 9), (8, 5), (16, 12)] {
        refused.expect_stderr(&[&format!("ten.yaml:{line}:{column}: error")]);
    }
    let up = Weft::start_refused(&weft_tests::Options {
        files: &[manifest],
        ..weft_tests::Options::default()
    });
    assert_eq!(
        (up.code, &up.stderr),
        (Some(2), &refused.stderr),
        "`weft up` says the same"
    );
    weft.fetch("/good").expect(404, &["no such behaviour"]);
}

#[test]
fn files_that_are_no_components_are_refused_and_what_runs_stays() {
    let files = Files::new();
    let weft = running(&files);
    let good = std::fs::read(guest("hello-http")).unwrap();
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    let wrong: &[(&str, &[u8])] = &[
        ("empty", b""),
        ("text", b"this is not WebAssembly"),
        ("module", &wat_module()),
        ("cut", &good[..good.len() / 2]),
        ("cut-early", &good[..9]),
        ("damaged", &damaged),
        ("zeros", &[0; 4096]),
    ];
    for (name, bytes) in wrong {
        files.write("app.wasm", bytes);
        let spec = "components:\n- {name: web, source: {file: app.wasm}}\nroutes:\n- {path: /bad, to: web}\n";
        let refused = weft.deploy(&files.app("bad", spec));
        assert!(matches!(refused.code, Some(1 | 2)), "{name}: {refused}");
        refused.expect_stderr(&["`web`"]);
        weft.fetch("/good").expect(404, &["no such behaviour"]);
        weft.fetch("/bad").expect(404, &["no route"]);
    }
    let missing = "components:\n- {name: web, source: {file: nowhere.wasm}}\n";
    weft.deploy(&files.app("bad", missing))
        .expect_code(2)
        .expect_stderr(&["`web`", "nowhere.wasm"]);
    let digest = format!(
        "components:\n- {{name: web, source: {{digest: \"sha256:{}\"}}}}\n",
        "0".repeat(64)
    );
    weft.deploy(&files.app("bad", &digest))
        .expect_code(1)
        .expect_stderr(&["`web`"]);
    let is_module = {
        files.write("app.wasm", wat_module());
        weft.deploy(&files.app(
            "bad",
            "components:\n- {name: web, source: {file: app.wasm}}\n",
        ))
    };
    is_module.expect_stderr(&["module"]);

    // A component that is good takes the place of a bad one.
    files.write("app.wasm", &good);
    let spec =
        "components:\n- {name: web, source: {file: app.wasm}}\nroutes:\n- {path: /bad, to: web}\n";
    weft.deployed(&files.app("bad", spec));
    weft.fetch("/bad").expect(200, &["hello"]);

    // A bad change of it leaves the good one.
    files.write("app.wasm", &good[..good.len() / 2]);
    assert!(matches!(
        weft.deploy(&files.app("bad", spec)).code,
        Some(1 | 2)
    ));
    weft.fetch("/bad").expect(200, &["hello"]);
    assert_eq!(weft.get("apps").len(), 2);
}

#[test]
fn routes_that_collide_name_both_owners_and_the_first_keeps_serving() {
    let files = Files::new();
    let weft = running(&files);
    let hello = |routes: &str| {
        let spec = format!(
            "components:\n\
             - {{name: one, source: {{file: guest:hello-http}}}}\n\
             - {{name: two, source: {{file: guest:hello-http}}}}\n\
             routes:\n{routes}"
        );
        files.app("hello", &spec)
    };
    let inside = "- {path: /same, to: one}\n- {path: /same, to: two}\n";
    weft.deploy(&hello(inside)).expect_code(2).expect_stderr(&[
        "/same",
        "hello/one",
        "hello/two",
        "hello.yaml:",
    ]);
    let across = "- {path: /mine, to: one}\n- {path: /good, to: two}\n";
    weft.deploy(&hello(across))
        .expect_code(1)
        .expect_stderr(&["/good", "good/web", "hello/two"]);
    weft.fetch("/good").expect(404, &["no such behaviour"]);
    weft.fetch("/mine").expect(404, &["no route"]);

    // A host of its own is another place.
    weft.deployed(&hello("- {host: hello, path: /good, to: two}\n"));
    weft.fetch("/good").expect(404, &["no such behaviour"]);

    // Two manifests at once, one of them in the way: what was deployed before stays and is printed.
    let other = files.app("other", "components:\n- {name: a, source: {file: guest:hello-http}}\nroutes:\n- {path: /other, to: a}\n");
    let in_the_way = hello(across);
    let arguments = [
        "deploy",
        &other.to_string_lossy(),
        &in_the_way.to_string_lossy(),
        "-o",
        "json",
    ];
    let refused = weft.run(&arguments).expect_code(1);
    assert_eq!(refused.json()[0]["app"], "other");
    weft.fetch("/other").expect(200, &["hello"]);
}

fn wat_module() -> Vec<u8> {
    let files = Files::new();
    let file = files.wat("module.wasm", "(module (func (export \"run\")))");
    std::fs::read(file).unwrap()
}
