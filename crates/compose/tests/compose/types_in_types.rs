//! Records of records, in interfaces of which only some are linked.

use weft_compose::{FuseOptions, Part, fuse_exporting};

use crate::linking::{edges, fuse_links};
use crate::support::{OPTIONS, component_of, exports, imports};

const NESTED: &str = "package a:b {
    interface model { record tag { name: string } record item { tags: list<tag> } }
    interface served { use model.{item}; record order { items: list<item> } place: func(order: order); }
    interface open { use served.{order}; last: func() -> order; }
    interface shown { use served.{order}; show: func(orders: list<order>); }
}
package weft:link { interface call { call: func(); } }";

#[test]
fn an_open_interface_may_use_a_record_of_records_of_a_linked_one() {
    let parts = [
        (
            "entry",
            component_of(
                NESTED,
                "import a:b/served; import a:b/open; export run: func();",
            ),
        ),
        (
            "stub",
            component_of(
                NESTED,
                "import weft:link/call; export a:b/model; export a:b/served;",
            ),
        ),
    ];
    let edges = edges(0, &["a:b/model", "a:b/served"], 1);
    let fused = fuse_links(&parts, &edges, &[0]).unwrap();
    assert_eq!(
        imports(&fused),
        [
            "a:b/open = a:b/open of shared [0]",
            "c1-weft:link/call = weft:link/call of part 1",
        ],
    );
    assert_eq!(exports(&fused.bytes), ["run"]);
}

#[test]
fn an_exported_interface_may_use_a_record_of_records_of_a_linked_one() {
    let parts = [
        (
            "entry",
            component_of(NESTED, "import a:b/served; export a:b/shown;"),
        ),
        (
            "stub",
            component_of(
                NESTED,
                "import weft:link/call; export a:b/model; export a:b/served;",
            ),
        ),
    ];
    let edges = edges(0, &["a:b/model", "a:b/served"], 1);
    let fused = fuse_links(&parts, &edges, &[0]).unwrap();
    // The component types of `shown` need a name outside, which an export must provide.
    assert_eq!(
        exports(&fused.bytes),
        ["c1-a:b/model", "c1-a:b/served", "a:b/shown"],
    );
}

#[test]
fn an_interface_that_is_shared_may_use_a_record_of_one_that_is_not() {
    let packages = "package a:b {
        interface feed { record tick { at: u64 } last: func() -> tick; }
        interface shared { use feed.{tick}; f: func(tick: tick); }
        interface api { f: func(); }
    }";
    let both = "import a:b/feed; import a:b/shared;";
    let entry = component_of(packages, &format!("{both} import a:b/api;"));
    let other = component_of(packages, &format!("{both} export a:b/api;"));
    let parts = [
        Part {
            name: "entry",
            bytes: &entry,
        },
        Part {
            name: "other",
            bytes: &other,
        },
    ];
    let is_private = |name: &str| name == "a:b/feed";
    let options = FuseOptions {
        is_private: &is_private,
        ..OPTIONS
    };
    let edges = edges(0, &["a:b/api"], 1);
    let fused = fuse_exporting(&parts, &edges, &[0], &options).unwrap();
    assert_eq!(
        imports(&fused),
        [
            "a:b/shared = a:b/shared of shared [0, 1]",
            "c0-a:b/feed = a:b/feed of part 0",
            "c1-a:b/feed = a:b/feed of part 1",
        ],
    );
}
