//! Calls between two hosts: values of any size, hosts that are lost, and whoever else is on the bus.

mod hostile;
mod large;
mod lost;

use weft_tests::{Files, NatsServer, PATIENCE, Process, Weft, eventually};

use crate::lattice::{ADD, host};

/// Hosts of which the first runs the importer of a link, and the others its exporter.
struct Apart {
    importer: Weft,
    exporters: Vec<Weft>,
}

impl Apart {
    /// Starts so many hosts for the exporter, with more fields of the link, and waits until all serve.
    fn start(nats: &NatsServer, exporters: usize, link: &str) -> Self {
        let apart = Self::deployed(nats, exporters, exporters, link);
        for exporter in &apart.exporters {
            eventually("an exporter runs", PATIENCE, || match runs(exporter) {
                true => Ok(()),
                false => Err(format!("{:?}", exporter.own("components"))),
            });
        }
        apart.wait_for_answer(ADD, "42");
        apart
    }

    /// Starts hosts, of which so many are to run the exporter.
    fn deployed(nats: &NatsServer, exporters: usize, replicas: usize, link: &str) -> Self {
        let apart = Self {
            importer: host(nats, "end=importer"),
            exporters: (0..exporters).map(|_| host(nats, "end=exporter")).collect(),
        };
        apart.importer.wait_for_ready(1 + exporters);
        let files = Files::new();
        let manifest = files.app("apart", &manifest(replicas, link));
        apart.importer.deployed(&manifest);
        apart
    }

    /// Waits until a call has this answer.
    fn wait_for_answer(&self, expression: &str, expected: &str) {
        eventually("the importer reaches the exporter", PATIENCE, || {
            let called = self.importer.call("apart/importer", expression);
            match called.stdout.trim_end() == expected {
                true => Ok(()),
                false => Err(called.to_string()),
            }
        });
    }

    /// Starts a call that may take its time.
    fn spawn_call(&self, expression: &str) -> Process {
        self.importer.spawn(&["call", "apart/importer", expression])
    }
}

/// Whether a host has the exporter.
fn runs(exporter: &Weft) -> bool {
    exporter.own("components").len() == 1
}

fn manifest(replicas: usize, link: &str) -> String {
    format!(
        "components:\n\
         - {{name: importer, source: {{file: guest:conformance-importer}}, \
         placement: {{require: {{end: importer}}}}}}\n\
         - {{name: exporter, source: {{file: guest:conformance-exporter}}, replicas: {replicas}, \
         placement: {{require: {{end: exporter}}}}}}\n\
         links:\n\
         - {{from: importer, interface: 'fixture:conformance', to: exporter{link}}}\n"
    )
}

/// How many calls a host has taken, and how many of them are running.
fn calls_at(exporter: &Weft) -> (u64, u64) {
    let rows = exporter.own("components");
    let count = |name: &str| rows[0][name].as_u64().expect("a number");
    (count("requests"), count("in_flight"))
}
