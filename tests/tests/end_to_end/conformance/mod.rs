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
mod maps;
mod resources;
mod values;

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use weft_tests::{Files, Options, Weft, guest, start_nats};

use self::case::{Case, Stores};

/// The table. `importer` and `concurrent-importer` make each call over their links.
const CASES: &[&[Case]] = &[
    values::CASES,
    maps::CASES,
    functions::CASES,
    direct::CASES,
    resources::CASES,
    failures::CASES,
    concurrent::CASES,
];

/// Two components with a link, by name; each is made of the guest that is called after it.
struct Pair {
    importer: &'static str,
    exporter: &'static str,
}

const SYNCHRONOUS: Pair = Pair {
    importer: "importer",
    exporter: "exporter",
};

const CONCURRENT: Pair = Pair {
    importer: "concurrent-importer",
    exporter: "concurrent-exporter",
};

/// A way for both ends of a link to be joined.
struct Mode {
    /// The `locality` of the links.
    locality: &'static str,
    /// The mode that the importers' host says they are in.
    shown: &'static str,
    stores: Stores,
    /// What runs; the table's rows for others are left out.
    pairs: &'static [Pair],
    /// More arguments of `weft up`.
    arguments: &'static [&'static str],
}

#[test]
fn the_table_holds_for_fused_links() {
    check_on_one_host(&Mode {
        locality: "fused",
        shown: "fused",
        stores: Stores::One,
        pairs: &[SYNCHRONOUS, CONCURRENT],
        arguments: &[],
    });
}

#[test]
fn the_table_holds_for_local_links() {
    check_on_one_host(&Mode {
        locality: "local",
        shown: "local",
        stores: Stores::Two,
        pairs: &[SYNCHRONOUS, CONCURRENT],
        arguments: &[],
    });
}

#[test]
fn the_table_holds_for_links_whose_calls_are_frames_of_the_wire() {
    check_on_one_host(&Mode {
        locality: "local",
        shown: "local",
        stores: Stores::Two,
        pairs: &[SYNCHRONOUS, CONCURRENT],
        arguments: &["--links-over-wire"],
    });
}

#[test]
fn the_table_holds_for_links_between_two_hosts() {
    check_on_two_hosts(&Mode {
        locality: "auto",
        shown: "remote",
        stores: Stores::Two,
        pairs: &[SYNCHRONOUS, CONCURRENT],
        arguments: &["--lattice", "conformance"],
    });
}

fn check_on_one_host(mode: &Mode) {
    let files = Files::new();
    let manifest = files.app("conformance", &mode.manifest());
    let before = mode.guests();
    let weft = Weft::start(&Options {
        files: &[manifest],
        arguments: mode.arguments,
        ..Options::default()
    });
    assert_eq!(stored(&weft), before, "what the host stores");
    mode.check(&weft);
    assert_eq!(stored(&weft), before, "what the host stores");
    assert_eq!(mode.guests(), before, "the components' files");
}

/// The importers run on one host, the exporters on another, and what joins them is a NATS server.
fn check_on_two_hosts(mode: &Mode) {
    let nats = start_nats();
    let url = nats.url();
    let host = |label: &str| {
        let arguments = [mode.arguments, &["--nats", &url, "--label", label]].concat();
        Weft::start(&Options {
            arguments: &arguments,
            ..Options::default()
        })
    };
    let [importers, exporters] = [host("end=importer"), host("end=exporter")];
    importers.wait_for_ready(2);
    let files = Files::new();
    let manifest = files.app("conformance", &mode.manifest());
    importers.deployed(&manifest);
    let first = "fixture:conformance/relay-values.nothing()";
    importers.wait_for_call("conformance/importer", first);
    mode.check(&importers);
    let before = mode.guests();
    for weft in [&importers, &exporters] {
        assert!(stored(weft).is_subset(&before), "what a host stores");
    }
}

impl Mode {
    /// Makes every call of the table, and fails with all that differ.
    fn check(&self, importers: &Weft) {
        for link in importers.get("links") {
            assert_eq!(link["mode"], self.shown, "{link}");
        }
        let runs = |case: &&Case| {
            self.pairs
                .iter()
                .any(|pair| pair.importer == case.component)
        };
        let cases = CASES.iter().copied().flatten().filter(runs);
        let calls: Vec<_> = cases.flat_map(Case::calls).collect();
        let differences: Vec<_> = calls
            .iter()
            .filter_map(|call| {
                let component = format!("conformance/{}", call.component);
                let found = importers.call(&component, &call.expression);
                call.difference(self.stores, &found)
            })
            .collect();
        assert!(
            differences.is_empty(),
            "of {} calls {} differ\n\n{}",
            calls.len(),
            differences.len(),
            differences.join("\n\n")
        );
    }

    fn manifest(&self) -> String {
        let component = |name: &str, end: &str| {
            let placement = match self.shown {
                "remote" => format!(", placement: {{require: {{end: {end}}}}}"),
                _ => String::new(),
            };
            format!("- {{name: {name}, source: {{file: guest:conformance-{name}}}{placement}}}\n")
        };
        let components = self.pairs.iter().map(|Pair { importer, exporter }| {
            component(importer, "importer") + &component(exporter, "exporter")
        });
        let locality = self.locality;
        let links = self.pairs.iter().map(|Pair { importer, exporter }| {
            format!(
                "- {{from: {importer}, interface: \"fixture:conformance\", to: {exporter}, \
                 locality: {locality}}}\n"
            )
        });
        format!(
            "components:\n{}links:\n{}",
            components.collect::<String>(),
            links.collect::<String>()
        )
    }

    /// The sha256 of each component's file.
    fn guests(&self) -> BTreeSet<String> {
        let names = self.pairs.iter();
        let names = names.flat_map(|Pair { importer, exporter }| [importer, exporter]);
        names
            .map(|name| sha256(&guest(&format!("conformance-{name}"))))
            .collect()
    }
}

/// The sha256 of each component that the host stores.
fn stored(weft: &Weft) -> BTreeSet<String> {
    let files = std::fs::read_dir(weft.folder().join("artifacts")).unwrap();
    files.map(|file| sha256(&file.unwrap().path())).collect()
}

fn sha256(file: &Path) -> String {
    hex::encode(Sha256::digest(std::fs::read(file).unwrap()))
}
