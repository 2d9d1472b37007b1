//! Private and shared imports of fused parts.

use weft_compose::{FuseError, ImportOwner};

use crate::support::{chain, component, edge, fuse, imports, text};

const STOCK: &str = "shop:catalog/stock@0.2.0";

#[test]
fn every_part_keeps_its_own_environment_and_shares_the_streams() {
    let wasi = "import wasi:cli/environment@0.2.3; import wasi:cli/stdout@0.2.3;";
    let parts = [
        (
            "entry",
            component(&format!("{wasi} import {STOCK}; export run: func();")),
        ),
        ("stock", component(&format!("{wasi} export {STOCK};"))),
    ];
    let fused = fuse(&parts, &[edge(0, STOCK, 1, STOCK)]).unwrap();
    assert_eq!(
        imports(&fused),
        [
            "c0-wasi:cli/environment@0.2.3 = wasi:cli/environment@0.2.3 of part 0",
            "c0-wasi:cli/stdout@0.2.3 = wasi:cli/stdout@0.2.3 of part 0",
            "c1-wasi:cli/environment@0.2.3 = wasi:cli/environment@0.2.3 of part 1",
            "c1-wasi:cli/stdout@0.2.3 = wasi:cli/stdout@0.2.3 of part 1",
            "wasi:io/streams@0.2.0 = wasi:io/streams@0.2.0 of shared [0, 1]",
        ],
    );
}

#[test]
fn a_single_part_is_renamed_as_well() {
    let entry =
        component("import wasi:cli/environment@0.2.3; import wasi:clocks/wall-clock@0.2.0;");
    let fused = fuse(&[("entry", entry)], &[]).unwrap();
    assert_eq!(
        imports(&fused),
        [
            "c0-wasi:cli/environment@0.2.3 = wasi:cli/environment@0.2.3 of part 0",
            "wasi:clocks/wall-clock@0.2.0 = wasi:clocks/wall-clock@0.2.0 of shared [0]",
        ],
    );
}

#[test]
fn a_private_interface_is_shared_by_the_parts_between_which_its_resources_pass() {
    let buckets = "shop:catalog/buckets@0.2.0";
    let store = "import wasi:keyvalue/store@0.2.0;";
    let parts = [
        (
            "entry",
            component(&format!(
                "{store} import {buckets}; import {STOCK}; export run: func();"
            )),
        ),
        ("buckets", component(&format!("{store} export {buckets};"))),
        ("stock", component(&format!("{store} export {STOCK};"))),
    ];
    let edges = [edge(0, buckets, 1, buckets), edge(0, STOCK, 2, STOCK)];
    assert_eq!(
        imports(&fuse(&parts, &edges).unwrap()),
        [
            "c2-wasi:keyvalue/store@0.2.0 = wasi:keyvalue/store@0.2.0 of part 2",
            "wasi:keyvalue/store@0.2.0 = wasi:keyvalue/store@0.2.0 of shared [0, 1]",
        ],
    );
}

#[test]
fn two_groups_that_share_a_private_interface_do_not_share_it_with_each_other() {
    let buckets = "shop:catalog/buckets@0.2.0";
    let importer = component(&format!("import {buckets}; export {STOCK};"));
    let exporter = component(&format!(
        "import wasi:keyvalue/store@0.2.0; export {buckets};"
    ));
    let entry = component(
        "import one: interface { count: func(sku: string) -> u32; }
         import two: interface { count: func(sku: string) -> u32; } export run: func();",
    );
    let parts = [
        ("entry", entry),
        ("a", importer.clone()),
        ("b", exporter.clone()),
        ("c", importer),
        ("d", exporter),
    ];
    let edges = [
        edge(0, "one", 1, STOCK),
        edge(0, "two", 3, STOCK),
        edge(1, buckets, 2, buckets),
        edge(3, buckets, 4, buckets),
    ];
    assert_eq!(
        imports(&fuse(&parts, &edges).unwrap()),
        [
            "c3-wasi:keyvalue/store@0.2.0 = wasi:keyvalue/store@0.2.0 of shared [3, 4]",
            "wasi:keyvalue/store@0.2.0 = wasi:keyvalue/store@0.2.0 of shared [1, 2]",
        ],
    );
}

#[test]
fn compatible_versions_are_unified_to_the_highest() {
    let parts = [
        (
            "entry",
            component("import shop:catalog/streams@0.2.0; import wasi:io/streams@0.2.0;"),
        ),
        (
            "newer",
            component("import wasi:io/streams@0.2.6; export shop:newer/streams@0.1.0;"),
        ),
    ];
    let edges = [edge(
        0,
        "shop:catalog/streams@0.2.0",
        1,
        "shop:newer/streams@0.1.0",
    )];
    assert_eq!(
        imports(&fuse(&parts, &edges).unwrap()),
        ["wasi:io/streams@0.2.6 = wasi:io/streams@0.2.6 of shared [0, 1]"],
    );
}

#[test]
fn compatible_versions_of_a_private_interface_are_unified_when_its_resources_cross() {
    let parts = [
        (
            "entry",
            component("import shop:catalog/buckets@0.2.0; import wasi:keyvalue/store@0.2.0;"),
        ),
        (
            "newer",
            component("import wasi:keyvalue/store@0.2.1; export shop:newer/buckets@0.1.0;"),
        ),
    ];
    let edges = [edge(
        0,
        "shop:catalog/buckets@0.2.0",
        1,
        "shop:newer/buckets@0.1.0",
    )];
    assert_eq!(
        imports(&fuse(&parts, &edges).unwrap()),
        ["wasi:keyvalue/store@0.2.1 = wasi:keyvalue/store@0.2.1 of shared [0, 1]"],
    );
}

#[test]
fn versions_that_cannot_be_unified_are_refused() {
    let importer = |result: &str, version: &str, rest: &str| {
        text(&format!(
            r#"(component
                (import "wasi:clocks/wall-clock@{version}" (instance
                    (export "now" (func (result {result})))))
                {rest})"#
        ))
    };
    let entry = importer("u64", "0.2.0", r#"(import "api" (instance))"#);
    let other = importer(
        "string",
        "0.2.6",
        r#"(instance $i) (export "api" (instance $i))"#,
    );
    let error = fuse(
        &[("entry", entry), ("other", other)],
        &[edge(0, "api", 1, "api")],
    )
    .unwrap_err();
    assert!(matches!(error, FuseError::ImportConflict { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "import `wasi:clocks/wall-clock@0.2.6` cannot be shared by `entry`, `other`: the types \
         they expect of it differ; build them against one version of the interface",
    );
}

#[test]
fn a_component_cannot_import_the_identity_of_another() {
    let parts = [
        (
            "entry",
            component(&format!(
                "import wasi:cli/environment@0.2.3; import {STOCK};"
            )),
        ),
        (
            "thief",
            text(
                r#"(component
                (import "c0-wasi:cli/environment@0.2.3" (instance))
                (type $count (func (param "sku" string) (result u32)))
                (import "count" (func $count (type $count)))
                (instance $out (export "count" (func $count)))
                (export "shop:catalog/stock@0.2.0" (instance $out)))"#,
            ),
        ),
    ];
    let error = fuse(&parts, &[edge(0, STOCK, 1, STOCK)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`thief` imports `c0-wasi:cli/environment@0.2.3`: names that start with `c`, a number and \
         `-` are reserved; rename the interface",
    );
}

#[test]
fn plain_functions_are_left_for_the_host_to_refuse() {
    let entry = component("import log: func(line: string);");
    let fused = fuse(&[("entry", entry)], &[]).unwrap();
    assert_eq!(fused.imports[0].name, "log");
    assert_eq!(fused.imports[0].owner, ImportOwner::Shared(vec![0]));
}

#[test]
fn a_component_cannot_take_an_identity_through_a_shared_type() {
    let thief = |name: &str| {
        text(&format!(
            r#"(component
            (type $t (instance (export "get-environment" (func (result (list (tuple string string)))))))
            (import "{name}" (instance (type $t)))
            (import "harmless:api/env" (instance (type $t)))
            (type $count (func (param "sku" string) (result u32)))
            (import "count" (func $count (type $count)))
            (instance $out (export "count" (func $count)))
            (export "shop:catalog/stock@0.2.0" (instance $out)))"#,
        ))
    };
    let entry = component(&format!(
        "import wasi:cli/environment@0.2.3; import {STOCK};"
    ));
    let parts = [
        ("entry", entry),
        ("thief", thief("wasi:cli/environment@0.2.3")),
    ];
    let error = fuse(&parts, &[edge(0, STOCK, 1, STOCK)]).unwrap_err();
    assert_eq!(
        chain(&error),
        "the components cannot be fused: imports \
         `wasi:cli/environment@0.2.3` and `harmless:api/env` of `thief` share one type",
    );
}

#[test]
fn a_part_that_imports_two_versions_is_given_the_highest_for_both() {
    let entry = text(&format!(
        r#"(component
            (import "wasi:io/streams@0.2.0" (instance (export "output-stream" (type (sub resource)))))
            (import "wasi:io/streams@0.2.6" (instance (export "output-stream" (type (sub resource)))))
            (import "{STOCK}" (instance)))"#,
    ));
    let parts = [
        ("entry", entry),
        ("stock", component(&format!("export {STOCK};"))),
    ];
    assert_eq!(
        imports(&fuse(&parts, &[edge(0, STOCK, 1, STOCK)]).unwrap()),
        ["wasi:io/streams@0.2.6 = wasi:io/streams@0.2.6 of shared [0]"],
    );
}
