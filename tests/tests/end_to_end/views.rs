//! Views of what is deployed: manifests, selectors, changes, and pages about one subject.

use std::path::PathBuf;

use serde_json::json;
use weft_tests::{Files, PATIENCE, Weft, eventually, finish, guest};

use crate::shop;

/// The hello app, with the label `team` and a note that needs quotes.
fn hello(files: &Files, team: &str) -> PathBuf {
    let app = json!({
        "apiVersion": "weft.dev/v1alpha1",
        "kind": "App",
        "metadata": {
            "name": "hello",
            "labels": { "team": team },
            "annotations": { "note": "yes: 1\n# no comment" },
        },
        "spec": {
            "components": [{ "name": "web", "source": { "file": guest("hello-http") } }],
            "routes": [{ "path": "/hello", "to": "web" }],
        },
    });
    files.write("hello.yaml", app.to_string())
}

#[test]
fn what_is_deployed_is_a_manifest_that_changes_nothing() {
    let files = Files::new();
    let weft = Weft::serving(&[shop::manifest(), hello(&files, "web")]);
    for app in ["shop", "hello"] {
        let yaml = weft.run(&["get", "app", app, "-o", "yaml"]).expect_code(0);
        assert!(yaml.stdout.starts_with("apiVersion: weft.dev/v1alpha1\n"));
        assert!(yaml.stdout.contains("digest: sha256:"), "{}", yaml.stdout);
        let again = files.write("again.yaml", yaml.stdout);
        let report = weft.deployed(&again);
        assert_eq!(report["changes"], json!([]), "{report}");
        assert_eq!(report["revision"], 1);
    }
    let missing = weft.run(&["get", "app", "shp", "-o", "yaml"]);
    let missing = missing.expect_code(1);
    missing.expect_stderr(&["there is no app `shp`", "did you mean `shop`"]);
    for arguments in [&["get", "apps"][..], &["get", "links", "shop"]] {
        let refused = weft.run(&[arguments, &["-o", "yaml"]].concat());
        refused
            .expect_code(2)
            .expect_stderr(&["the manifest of one app", "`weft get app shop -o yaml`"]);
    }
}

#[test]
fn labels_select_apps_with_their_resources_and_hosts() {
    let files = Files::new();
    let weft = Weft::serving(&[shop::manifest(), hello(&files, "web")]);
    for (arguments, names) in [
        (&["apps", "-l", "team=web"][..], "hello\n"),
        (&["apps", "-l", "!team"], "shop\n"),
        (&["components", "-l", "team!=data,team"], "hello/web\n"),
        (&["routes", "-l", "team"], "*/hello\n"),
        (
            &["inventory", "--app", "hello", "-l", "!cloud"],
            "hello/web\n",
        ),
    ] {
        let arguments = [&["get"], arguments, &["-o", "name"]].concat();
        let found = weft.run(&arguments).expect_code(0);
        assert_eq!(found.stdout, names, "{}", found.command);
    }
    let none = weft.run(&["get", "hosts", "-l", "cloud=a"]).expect_code(0);
    assert_eq!(none.stdout, "");
    none.expect_stderr(&["no hosts", "`cloud=a`"]);
}

#[test]
fn a_watch_prints_each_change_and_ends_with_an_interrupt() {
    let files = Files::new();
    let weft = Weft::serving(&[hello(&files, "web")]);
    let table = weft.spawn(&["get", "apps", "--watch"]);
    let lines = weft.spawn(&["get", "apps", "-w", "-o", "json"]);
    let printed = |revision: u64| {
        eventually("both watches show the revision", PATIENCE, || {
            let last = lines.stdout().lines().last().unwrap_or_default().to_owned();
            let text = table.stdout();
            let has_line = last.contains(&format!("\"revision\":{revision}"));
            let has_row = text.contains(&format!("\nhello  {revision}"));
            (has_line && has_row).then_some(()).ok_or(last + &text)
        });
    };
    printed(1);
    weft.deployed(&hello(&files, "data"));
    printed(2);
    for process in [table, lines] {
        process.interrupt().unwrap();
        finish(process, PATIENCE).expect_code(0);
    }
}

#[test]
fn a_page_has_everything_about_one_subject() {
    let files = Files::new();
    let weft = Weft::serving(&[shop::manifest(), hello(&files, "web")]);
    let name = weft.get("hosts")[0]["host"].as_str().unwrap().to_owned();
    for (subject, parts) in [
        (
            &["shop"][..],
            &[
                "status      ready",
                "storefront  1/1",
                "orders-db",
                "→ storefront",
            ][..],
        ),
        (
            &["app", "hello"],
            &["team=web", "/hello → web", "app-deployed"],
        ),
        (
            &["hello/web"],
            &["1 of 1, 1 placed", "digest      sha256:", "placed"],
        ),
        (
            &["host", &name],
            &["status      ready", "hello", "storefront"],
        ),
    ] {
        let arguments = [&["describe"], subject].concat();
        let page = weft.run(&arguments).expect_code(0).stdout;
        for part in parts {
            assert!(page.contains(part), "`{part}` of {subject:?} in:\n{page}");
        }
    }
    let json = weft.run(&["describe", "shop", "-o", "json"]);
    let json = json.expect_code(0).json();
    assert_eq!(json["status"]["ready"], true);
    assert_eq!(json["links"].as_array().map(Vec::len), Some(7));
    let missing = weft.run(&["describe", "shop/carts"]).expect_code(1);
    missing.expect_stderr(&["app `shop` has no component `carts`"]);
}
