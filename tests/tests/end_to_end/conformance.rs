//! One table of calls over links, run in every mode: what comes of a call does not depend on how its two
//! components are joined, and their bytes are the same whatever it is.
//!
//! The two documented differences: a trap in a fused exporter ends its importer too (`Expected::Traps`), and
//! what an exporter keeps in memory between calls is promised in no mode (nothing here rests on it).

mod case;
mod concurrent;
mod direct;
mod failures;
mod functions;
mod resources;
mod values;

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use weft_tests::{Files, Options, Weft, guest};

use self::case::{Case, Stores};

/// The table. `importer` and `concurrent-importer` make each call over their links.
const CASES: &[&[Case]] = &[
    values::CASES,
    functions::CASES,
    direct::CASES,
    resources::CASES,
    failures::CASES,
    concurrent::CASES,
];

/// The components by name, with the guests they are made of.
const COMPONENTS: &[(&str, &str)] = &[
    ("importer", "conformance-importer"),
    ("exporter", "conformance-exporter"),
    ("concurrent-importer", "conformance-concurrent-importer"),
    ("concurrent-exporter", "conformance-concurrent-exporter"),
];

/// A way for both ends of a link to be joined.
struct Mode {
    /// The `locality` of the links, and the mode that the host says they are in.
    locality: &'static str,
    stores: Stores,
    /// More arguments of `weft up`.
    arguments: &'static [&'static str],
}

#[test]
fn the_table_holds_for_fused_links() {
    check(&Mode {
        locality: "fused",
        stores: Stores::One,
        arguments: &[],
    });
}

#[test]
fn the_table_holds_for_local_links() {
    check(&Mode {
        locality: "local",
        stores: Stores::Two,
        arguments: &[],
    });
}

#[test]
fn the_table_holds_for_links_whose_calls_are_frames_of_the_wire() {
    check(&Mode {
        locality: "local",
        stores: Stores::Two,
        arguments: &["--links-over-wire"],
    });
}

/// Makes every call of the table, and fails with all that differ.
fn check(mode: &Mode) {
    let files = Files::new();
    let manifest = files.app("conformance", &manifest(mode.locality));
    let before = guests();
    let weft = Weft::start(&Options {
        files: &[manifest],
        arguments: mode.arguments,
        ..Options::default()
    });
    for link in weft.get("links") {
        assert_eq!(link["mode"], mode.locality, "{link}");
    }
    assert_eq!(stored(&weft), before, "what the host stores");
    let calls: Vec<_> = CASES
        .iter()
        .copied()
        .flatten()
        .flat_map(Case::calls)
        .collect();
    let differences: Vec<_> = calls
        .iter()
        .filter_map(|call| {
            let component = format!("conformance/{}", call.component);
            let found = weft.call(&component, &call.expression);
            call.difference(mode.stores, &found)
        })
        .collect();
    assert!(
        differences.is_empty(),
        "of {} calls {} differ\n\n{}",
        calls.len(),
        differences.len(),
        differences.join("\n\n")
    );
    assert_eq!(stored(&weft), before, "what the host stores");
    assert_eq!(guests(), before, "the components' files");
}

fn manifest(locality: &str) -> String {
    let components = COMPONENTS
        .iter()
        .map(|(name, guest)| format!("- {{name: {name}, source: {{file: guest:{guest}}}}}\n"))
        .collect::<String>();
    format!(
        "components:\n{components}\
         links:\n\
         - {{from: importer, interface: \"fixture:conformance\", to: exporter, locality: {locality}}}\n\
         - {{from: concurrent-importer, interface: \"fixture:conformance\", to: concurrent-exporter, \
         locality: {locality}}}\n"
    )
}

/// The sha256 of each component's file.
fn guests() -> BTreeSet<String> {
    COMPONENTS
        .iter()
        .map(|(_, name)| sha256(&guest(name)))
        .collect()
}

/// The sha256 of each component that the host stores.
fn stored(weft: &Weft) -> BTreeSet<String> {
    let files = std::fs::read_dir(weft.data().path().join("artifacts")).unwrap();
    files.map(|file| sha256(&file.unwrap().path())).collect()
}

fn sha256(file: &Path) -> String {
    hex::encode(Sha256::digest(std::fs::read(file).unwrap()))
}
