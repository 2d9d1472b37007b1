//! Links between stores: each end keeps its own memory, limits and traps, calls may come back, and what cannot be
//! carried is refused at deploy. That values are the same in every mode is for `conformance`.

mod chains;
mod choice;
mod crossed_resources;
mod fate;
mod refusals;

use weft_tests::{Files, PATIENCE, Weft, eventually};

/// An app of the conformance guests: `importer` calls `failures` of `fragile`, and all else of `sturdy`. The fields
/// are those of the component `fragile`, of the links to it, and of the other links.
fn fragile(files: &Files, component: &str, link: &str, others: &str) -> Weft {
    let others = ["values", "maps", "interface", "direct", "resources", "resource-users"]
        .map(|interface| {
            format!("- {{from: importer, interface: \"fixture:conformance/{interface}\", to: sturdy{others}}}\n")
        })
        .concat();
    let spec = format!(
        "components:\n\
         - {{name: importer, source: {{file: guest:conformance-importer}}}}\n\
         - {{name: fragile, source: {{file: guest:conformance-exporter}}{component}}}\n\
         - {{name: sturdy, source: {{file: guest:conformance-exporter}}}}\n\
         links:\n{others}\
         - {{from: importer, interface: \"fixture:conformance/failures\", to: fragile{link}}}\n"
    );
    Weft::serving(&[files.app("app", &spec)])
}

/// A column of `weft get components`.
fn column(weft: &Weft, component: &str, column: &str) -> serde_json::Value {
    let rows = weft.get("components");
    let row = rows.iter().find(|row| row["component"] == component);
    row.map(|row| row[column].clone()).unwrap_or_default()
}

/// Waits until no request is in any component.
fn nothing_in_flight(weft: &Weft) {
    eventually("nothing is in flight", PATIENCE, || {
        let rows = weft.get("components");
        let is_free = rows.iter().all(|row| row["in_flight"] == 0);
        is_free.then_some(()).ok_or(format!("{rows:?}"))
    });
}
