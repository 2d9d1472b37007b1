//! `weft call`, `weft inspect` and `weft logs`.

use serde_json::Value;
use weft_tests::{
    Files, PATIENCE, Probe, Weft, eventually, finish, guest, probes, spawn, weft_command,
};

use crate::shop;

#[test]
fn functions_are_called_with_values_in_wave() {
    let weft = Weft::serving(&[shop::manifest()]);
    let calls = [
        (
            "shop/pricing",
            "shop:catalog/pricing.find(\"teapot\")",
            "ok({sku: \"teapot\", name: \"Teapot, cast iron\", price: {cents: 4900, currency: eur}, \
             stocked: 5})",
        ),
        (
            "shop/pricing",
            "shop:catalog/pricing@0.1.0.find(\"unicorn\")",
            "err(unknown-sku(\"unicorn\"))",
        ),
        ("shop/orders", "shop:catalog/orders.left(\"cup\")", "ok(48)"),
        // A function that only one interface has needs no interface.
        ("shop/orders", "left(\"cup\")", "ok(48)"),
        (
            "shop/orders",
            "shop:catalog/orders.get(9)",
            "err(unknown-order(9))",
        ),
    ];
    for (component, expression, result) in calls {
        assert_eq!(weft.called(component, expression), result, "{expression}");
    }
    let order = "shop:catalog/orders.place([{sku: \"cup\", quantity: 4}])";
    let placed = weft
        .run(&["call", "shop/orders", order, "-o", "json"])
        .expect_code(0)
        .json();
    assert!(
        placed["result"]
            .as_str()
            .unwrap()
            .starts_with("ok({id: 1, "),
        "{placed}"
    );
    assert!(placed["elapsed_us"].is_u64(), "{placed}");

    // What goes wrong says what there is.
    let mistakes: &[(&str, &str, i32, &[&str])] = &[
        (
            "shop/pricing",
            "shop:catalog/pricing.fnd(\"x\")",
            1,
            &["fnd", "pricing@0.1.0.find`"],
        ),
        (
            "shop/pricing",
            "shop:catalog/prices.find(\"x\")",
            1,
            &["pricing@0.1.0.find`"],
        ),
        (
            "shop/pricing",
            "shop:catalog/pricing.find(7)",
            2,
            &[
                "the arguments do not fit `find`: `",
                "expected `string`, found `7`",
            ],
        ),
        (
            "shop/pricing",
            "shop:catalog/pricing.find()",
            2,
            &["1 argument"],
        ),
        (
            "shop/pricing",
            "shop:catalog/pricing.find(\"a\", 1)",
            2,
            &["1 argument"],
        ),
        (
            "shop/pricing",
            "shop:catalog/pricing.find(\"a)",
            2,
            &["find"],
        ),
        ("shop/pricing", "find(", 2, &["`find(` is not a call"]),
        (
            "shop/orders",
            "place([{sku: \"cup\", quantities: 4}])",
            2,
            &[
                "[0]`: unknown field `quantities`",
                "did you mean `quantity`?",
            ],
        ),
        (
            "shop/orders",
            "place([{sku: \"cup\"}])",
            2,
            &["[0]`: missing field `quantity` of type `u32`"],
        ),
        (
            "shop/prices",
            "shop:catalog/pricing.find(\"x\")",
            1,
            &["prices", "pricing"],
        ),
        (
            "shoop/pricing",
            "shop:catalog/pricing.find(\"x\")",
            1,
            &["shoop", "shop"],
        ),
        (
            "shop/storefront",
            "wasi:http/incoming-handler.handle()",
            2,
            &["resource"],
        ),
    ];
    for (component, expression, code, parts) in mistakes {
        weft.call(component, expression)
            .expect_code(*code)
            .expect_stderr(parts);
    }
}

#[test]
fn functions_are_called_with_values_in_json() {
    let weft = Weft::serving(&[shop::manifest()]);
    let calls = [
        (
            "shop/pricing",
            "shop:catalog/pricing.find",
            r#"{"sku": "teapot"}"#,
            r#"{"tag":"ok","val":{"sku":"teapot","name":"Teapot, cast iron","price":{"cents":4900,"currency":"eur"},"stocked":5}}"#,
        ),
        (
            "shop/pricing",
            "find",
            r#"{"sku": "unicorn"}"#,
            r#"{"tag":"err","val":{"tag":"unknown-sku","val":"unicorn"}}"#,
        ),
        (
            "shop/orders",
            "left",
            r#"{"sku": "cup"}"#,
            r#"{"tag":"ok","val":48}"#,
        ),
    ];
    for (component, function, json, result) in calls {
        let finished = weft
            .run(&["call", component, function, json])
            .expect_code(0);
        assert_eq!(finished.stdout.trim_end(), result, "{function} {json}");
    }
    let order = r#"{"lines": [{"sku": "cup", "quantity": 4}]}"#;
    let placed = weft.run(&["call", "shop/orders", "place", order, "-o", "json"]);
    let placed = placed.expect_code(0).json();
    assert_eq!(placed["result"]["val"]["id"], 1, "{placed}");

    let mistakes: &[(&str, &str, &[&str])] = &[
        (
            "find",
            "{}",
            &["at `/sku`: expected a string, found nothing"],
        ),
        ("find", r#"{"sku": 7}"#, &["found 7", "`sku: string`"]),
        ("find", r#"{"sku""#, &["line 1, column 7"]),
        ("find(\"teapot\")", "{}", &["has arguments already"]),
        (
            "fnd",
            "{}",
            &["did you mean `shop:catalog/pricing@0.1.0.find`?"],
        ),
    ];
    for (function, json, parts) in mistakes {
        let finished = weft.run(&["call", "shop/pricing", function, json]);
        let code = if *function == "fnd" { 1 } else { 2 };
        let finished = finished.expect_code(code);
        finished.expect_stderr(parts);
        assert!(!finished.stderr.contains("weft:link"), "{finished}");
    }
}

#[test]
fn shells_complete_components_and_functions_of_the_host_on_the_line() {
    let weft = Weft::serving(&[shop::manifest()]);
    let folder = weft.data();
    let data = folder.path().display().to_string();
    let completed = |words: &[&str]| {
        let mut command = weft_command();
        command.env("COMPLETE", "fish").arg("--").arg("weft");
        command.args(["call", "--data-dir", &data]).args(words);
        finish(spawn(command), PATIENCE).expect_code(0).stdout
    };
    let components = completed(&["shop/or"]);
    assert!(components.starts_with("shop/orders"), "{components}");
    assert!(!components.contains("pricing"), "{components}");
    let functions = completed(&["shop/orders", ""]);
    for part in ["place\t", "shop:catalog/orders@0.1.0: func(lines", "left\t"] {
        assert!(functions.contains(part), "{functions}");
    }
    // A host that does not run completes nothing, and disturbs nobody at a prompt.
    drop(weft);
    assert_eq!(completed(&["shop/"]), "");
}

#[test]
fn a_component_can_be_inspected_as_a_file_and_where_it_runs() {
    let file = guest("http-probe");
    let file = file.to_string_lossy();
    let weft = Weft::serving(&[shop::manifest()]);
    let probe = weft
        .run(&["inspect", &file, "-o", "json"])
        .expect_code(0)
        .json();
    let need = |name: &str| {
        let imports = probe["imports"].as_array().unwrap();
        let import = imports.iter().find(|import| import["name"] == name);
        import
            .map(|import| import["need"].clone())
            .unwrap_or_default()
    };
    assert_eq!(need("wasi:keyvalue/store@0.2.0-draft"), "link");
    assert_eq!(need("wasi:clocks/monotonic-clock@0.2.12"), "baseline");
    assert_eq!(probe["exports"][0]["use_by"], "route");
    assert!(probe["wit"].as_str().unwrap().contains("incoming-handler"));

    let pricing = weft
        .run(&["inspect", "shop/pricing", "-o", "json"])
        .expect_code(0)
        .json();
    let digest = &weft
        .get("components")
        .into_iter()
        .find(|row| row["component"] == "pricing")
        .unwrap()["digest"];
    assert_eq!(&pricing["digest"], digest);
    let exports = pricing["exports"].to_string();
    assert!(exports.contains("price-of"), "{exports}");
    weft.run(&["inspect", "shop/pricing"]).expect_code(0);

    weft.run(&["inspect", "shop/prices"])
        .expect_code(1)
        .expect_stderr(&["prices"]);
    let text = Files::new();
    let text = text.write("notes.wasm", "these are notes");
    let refused = weft
        .run(&["inspect", &text.to_string_lossy()])
        .expect_code(2);
    refused.expect_stderr(&["notes.wasm"]);
}

#[test]
fn logs_say_which_app_and_component_spoke() {
    let files = Files::new();
    let one = [Probe {
        name: "web",
        settings: "",
        path: "/one",
    }];
    let two = [
        Probe {
            name: "left",
            settings: "",
            path: "/print",
        },
        Probe {
            name: "right",
            settings: "",
            path: "/other",
        },
    ];
    let weft = Weft::serving(&[
        files.app("quiet", &probes(&one)),
        files.app("loud", &probes(&two)),
        shop::manifest_under(&files, "/shop"),
    ]);
    weft.fetch("/print").expect(200, &["printed"]);

    let lines = |arguments: &[&str]| -> Vec<Value> {
        let mut all = vec!["logs", "-o", "json"];
        all.extend(arguments);
        let printed = weft.run(&all).expect_code(0).stdout;
        printed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let said = lines(&["loud"]);
    for (stream, message) in [
        ("stdout", "a line on stdout"),
        ("stderr", "a line on stderr"),
    ] {
        let line = said.iter().find(|line| line["stream"] == stream).unwrap();
        assert_eq!(line["message"], message);
        assert_eq!(
            (&line["app"], &line["component"]),
            (&"loud".into(), &"left".into())
        );
    }
    assert_eq!(lines(&["loud/left"]), said);
    assert_eq!(lines(&["loud", "--tail", "1"]), said[said.len() - 1..]);
    for other in ["loud/right", "quiet"] {
        assert!(lines(&[other]).is_empty(), "{other}");
    }
    for arguments in [&["logs", "nobody"][..], &["logs", "nobody", "-f"]] {
        weft.run(arguments)
            .expect_code(1)
            .expect_stderr(&["there is no app `nobody`", "`loud`, `quiet`, `shop`"]);
    }
    weft.run(&["logs", "loud/nobody"])
        .expect_code(1)
        .expect_stderr(&["app `loud` has no component `nobody`", "`left`, `right`"]);
    assert!(lines(&["loud", "--since", "1h"]).len() >= 2);
    assert!(lines(&["loud", "--since", "1ms"]).is_empty());

    // With `-f` a line is there when it is said, and other apps' lines are not.
    let follower = weft.spawn(&["logs", "loud/left", "-f", "--tail", "0"]);
    eventually("the follower shows a new line", PATIENCE, || {
        // Said again until it is shown: the follower may not have begun to listen.
        weft.fetch("/print").expect(200, &[]);
        weft.fetch("/one").expect(404, &[]);
        let shown = follower.stdout();
        shown
            .contains("loud/left stdout: a line on stdout")
            .then_some(())
            .ok_or(shown)
    });
    assert!(!follower.stdout().contains("quiet"));

    // The follower ends with the host.
    weft.process().terminate().unwrap();
    weft.ended(PATIENCE).expect_code(0);
    finish(follower, PATIENCE).expect_code(0);
}

#[test]
fn records_below_the_level_of_a_link_are_not_logged() {
    let (files, weft) = (Files::new(), Weft::empty());
    let manifest = shop::manifest_with_log_level(&files, "warn");
    weft.deployed(&manifest);
    let logged = || weft.run(&["logs", "shop/orders"]).expect_code(0).stdout;
    let place = |quantity: u32| {
        let call =
            format!("shop:catalog/orders.place([{{sku: \"kettle\", quantity: {quantity}}}])");
        weft.called("shop/orders", &call)
    };
    assert!(place(2).starts_with("err(out-of-stock"));
    assert!(place(1).starts_with("ok("));
    assert!(logged().contains("refused an order"), "{}", logged());
    assert!(!logged().contains("placed order"), "{}", logged());

    weft.deployed(&shop::manifest_with_log_level(&files, "info"));
    assert!(
        weft.called(
            "shop/orders",
            "shop:catalog/orders.place([{sku: \"cup\", quantity: 1}])"
        )
        .starts_with("ok(")
    );
    assert!(logged().contains("placed order 2"), "{}", logged());
    weft.deploy(&shop::manifest_with_log_level(&files, "loud"))
        .expect_code(1)
        .expect_stderr(&["loud"]);
}
