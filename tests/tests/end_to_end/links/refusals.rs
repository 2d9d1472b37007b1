//! What a link between stores cannot carry is refused at deploy, with the function and the type; fused it works.

use weft_tests::{Files, Weft};

/// Both ends of an interface whose function takes a stream of records.
const STREAM_OF_RECORDS: [&str; 2] = [
    r#"
(component
  (import "test:odd/far@1.0.0" (instance $far
    (type $record (record (field "x" u32) (field "label" string)))
    (export "point" (type $point (eq $record)))
    (type $stream (stream $point))
    (export "plot" (func (param "points" $stream))))))
"#,
    r#"
(component
  (type $record (record (field "x" u32) (field "label" string)))
  (type $stream (stream $record))
  (core module $m (func (export "plot") (param i32)))
  (core instance $i (instantiate $m))
  (func $plot (param "points" $stream) (canon lift (core func $i "plot")))
  (component $shape
    (type $record (record (field "x" u32) (field "label" string)))
    (import "point" (type $point (eq $record)))
    (type $stream (stream $point))
    (import "plot" (func $plot (param "points" $stream)))
    (export $exported "point" (type $point))
    (type $exported-stream (stream $exported))
    (export "plot" (func $plot) (func (param "points" $exported-stream))))
  (instance $far (instantiate $shape (with "point" (type $record)) (with "plot" (func $plot))))
  (export "test:odd/far@1.0.0" (instance $far)))
"#,
];

/// Both ends of an interface whose function takes a resource of the host.
const RESOURCE_OF_THE_HOST: [&str; 2] = [
    r#"
(component
  (import "wasi:io/streams@0.2.6" (instance $streams
    (export "output-stream" (type (sub resource)))))
  (alias export $streams "output-stream" (type $output))
  (import "test:odd/far@1.0.0" (instance $far
    (alias outer 1 $output (type $outer))
    (export "output-stream" (type $stream (eq $outer)))
    (type $own (own $stream))
    (export "pour" (func (param "into" $own))))))
"#,
    r#"
(component
  (import "wasi:io/streams@0.2.6" (instance $streams
    (export "output-stream" (type (sub resource)))))
  (alias export $streams "output-stream" (type $output))
  (core module $m (func (export "pour") (param i32)))
  (core instance $i (instantiate $m))
  (type $own (own $output))
  (func $pour (param "into" $own) (canon lift (core func $i "pour")))
  (component $shape
    (import "import-output-stream" (type $imported (sub resource)))
    (type $own (own $imported))
    (import "pour" (func $pour (param "into" $own)))
    (export $exported "output-stream" (type $imported))
    (type $exported-own (own $exported))
    (export "pour" (func $pour) (func (param "into" $exported-own))))
  (instance $far (instantiate $shape
    (with "import-output-stream" (type $output)) (with "pour" (func $pour))))
  (export "test:odd/far@1.0.0" (instance $far)))
"#,
];

/// Deploys two components with a link between them.
fn deploy(weft: &Weft, files: &Files, ends: &[&str; 2], fields: &str) -> weft_tests::Finished {
    files.wat("near.wasm", ends[0]);
    files.wat("far.wasm", ends[1]);
    let spec = format!(
        "components:\n\
         - {{name: near, source: {{file: near.wasm}}}}\n\
         - {{name: far, source: {{file: far.wasm}}}}\n\
         links:\n\
         - {{from: near, interface: \"test:odd/far\", to: far{fields}}}\n"
    );
    weft.deploy(&files.app("odd", &spec))
}

#[test]
fn what_only_a_fused_link_carries_is_refused_between_stores_with_function_and_type() {
    let (files, weft) = (Files::new(), Weft::empty());
    let cases: &[(&[&str; 2], &[&str])] = &[
        (&STREAM_OF_RECORDS, &["`plot`", "stream<point>"]),
        (
            &RESOURCE_OF_THE_HOST,
            &["`pour`", "output-stream", "wasi:io/streams@0.2.6"],
        ),
    ];
    for (ends, parts) in cases {
        let refused = deploy(&weft, &files, ends, ", locality: local").expect_code(1);
        refused.expect_stderr(&["near", "far", "test:odd/far@1.0.0"]);
        refused.expect_stderr(parts);
        assert!(weft.get("apps").is_empty());
        deploy(&weft, &files, ends, ", locality: fused").expect_code(0);
        weft.run(&["undeploy", "odd"]).expect_code(0);
    }
}

#[test]
fn two_ends_that_differ_are_refused_in_every_mode() {
    let differ = [
        r#"
(component
  (import "test:odd/far@1.0.0" (instance $far
    (export "twice" (func (param "of" u64) (result u32)))))
  (export "test:odd/near@1.0.0" (instance $far)))
"#,
        r#"
(component
  (core module $m (func (export "twice") (param i32) (result i32) i32.const 4))
  (core instance $i (instantiate $m))
  (func $twice (param "of" u32) (result u32) (canon lift (core func $i "twice")))
  (instance $far (export "twice" (func $twice)))
  (export "test:odd/far@1.0.0" (instance $far)))
"#,
    ];
    let (files, weft) = (Files::new(), Weft::empty());
    for fields in [", locality: fused", ", locality: local", ""] {
        let refused = deploy(&weft, &files, &differ, fields).expect_code(1);
        refused.expect_stderr(&["near", "far", "test:odd/far", "twice", "u64", "u32"]);
    }
    assert!(weft.get("apps").is_empty());
}

#[test]
fn a_circle_of_links_that_all_must_be_fused_is_refused() {
    let (files, weft) = (Files::new(), Weft::empty());
    let spec = "components:\n\
                - {name: a, source: {file: guest:conformance-walker}}\n\
                - {name: b, source: {file: guest:conformance-walker}}\n\
                links:\n\
                - {from: a, interface: \"fixture:conformance/step\", name: next, to: b, locality: fused}\n\
                - {from: b, interface: \"fixture:conformance/step\", name: next, to: a, locality: fused}\n";
    let refused = weft.deploy(&files.app("circle", spec)).expect_code(2);
    refused.expect_stderr(&["circle.yaml:", "circle", "fused"]);
    assert!(weft.get("apps").is_empty());
}
