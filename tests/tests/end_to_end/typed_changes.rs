//! Deploys that change an HTTP API: those that break its clients are refused with each change.

use weft_tests::{Files, Weft, dummy_component};

/// A revision of an API.
struct Revision {
    line: &'static str,
    order: &'static str,
    place: &'static str,
    get: &'static str,
    errors: &'static str,
}

const FORMER: Revision = Revision {
    line: "sku: string",
    order: "id: u64, total: u32",
    place: "{func: place, as: POST /orders, ok: 201}",
    get: ", {func: get, as: 'GET /orders?id={id=1}'}",
    errors: "400: [empty], 404: [missing]",
};

impl Revision {
    /// Writes the component and the manifest.
    fn manifest(&self, files: &Files) -> std::path::PathBuf {
        let Self {
            line,
            order,
            place,
            get,
            errors,
        } = self;
        let component = dummy_component(&format!(
            "package test:api@1.0.0; interface orders {{ record line {{ {line} }}
             record order {{ {order} }} variant order-error {{ empty, missing(u64) }}
             place: func(lines: list<line>) -> result<order, order-error>;
             get: func(id: u64) -> result<order, order-error>; }} world api {{ export orders; }}"
        ));
        files.write("orders.wasm", component);
        let spec = format!(
            "components: [{{name: orders, source: {{file: orders.wasm}}}}]
routes:
- {{path: /api, to: orders, interface: test:api/orders, operations: [{place}{get}],
   errors: {{order-error: {{{errors}}}}}}}"
        );
        files.app("api", &spec)
    }
}

#[test]
fn each_change_that_breaks_clients_is_refused_and_others_are_not() {
    let files = Files::new();
    let weft = Weft::serving(&[FORMER.manifest(&files)]);
    let breaking = [
        (
            Revision {
                order: "id: u64",
                ..FORMER
            },
            &["removed field `total` from the result of `place`"][..],
        ),
        (
            Revision {
                order: "id: u64, total: u64",
                ..FORMER
            },
            &["changed `total` of the result of `get` from `u32` to `u64`"],
        ),
        (
            Revision {
                line: "sku: string, quantity: u32",
                ..FORMER
            },
            &["added required field `lines.quantity` to the body of `place`"],
        ),
        (
            Revision {
                place: "{func: place, as: POST /orders}",
                ..FORMER
            },
            &["changed the status of the result of `place` from 201 to 200"],
        ),
        (
            Revision {
                errors: "400: [empty], 410: [missing]",
                ..FORMER
            },
            &["changed the status of error `missing` of `get` from 404 to 410"],
        ),
        (
            Revision { get: "", ..FORMER },
            &["removed `GET /orders?id={id=1}`"],
        ),
        (
            Revision {
                get: ", {func: get, as: 'GET /orders?id={id}'}",
                ..FORMER
            },
            &["made query parameter `id` of `get` required"],
        ),
        (
            Revision {
                line: "sku: u32",
                get: "",
                ..FORMER
            },
            &["`lines.sku`", "removed `GET /orders?id={id=1}`"],
        ),
    ];
    for (revision, changes) in breaking {
        let refused = weft.deploy(&revision.manifest(&files)).expect_code(2);
        refused.expect_stderr(&["`*/api`: ", "deploy with `--breaking`"]);
        refused.expect_stderr(changes);
        assert_eq!(weft.get("apps")[0]["revision"], 1, "{changes:?}");
    }
    let compatible = Revision {
        line: "sku: string, note: option<string>",
        order: "id: u64, total: u32, paid: bool",
        get: ", {func: get, as: 'GET /orders?id={id=1}'}, {func: get, as: 'GET /orders/{id}'}",
        ..FORMER
    };
    weft.deploy(&compatible.manifest(&files)).expect_code(0);
    let manifest = FORMER.manifest(&files);
    let accepted = weft.run(&["deploy", "--breaking", &manifest.to_string_lossy()]);
    let accepted = accepted.expect_code(0);
    accepted.expect_stderr(&["warning: ", "removed field `paid` from the result of `get`"]);
    assert_eq!(weft.get("apps")[0]["revision"], 3);
}
