//! The lattice for tests of typed routes with streams: a host that runs the guest `feed`, and one that
//! does not.

use std::net::SocketAddr;

use weft_tests::http::Request;
use weft_tests::{Files, NatsServer, PATIENCE, Weft, eventually, start_nats};

use crate::lattice::host;

/// A path of operation `add`, for tests whose route `/api` has it at `/add/{a}/{b}`.
pub(crate) const READY: &str = "/api/add/1/2";

/// A front that runs no component, and a host that runs all.
pub(crate) struct Lattice {
    pub(crate) front: Weft,
    pub(crate) back: Weft,
    _nats: NatsServer,
    pub(crate) files: Files,
}

impl Lattice {
    /// Deploys `spec`, and waits until both hosts respond at `path`.
    pub(crate) fn start(spec: &str, path: &str) -> Self {
        let nats = start_nats();
        let (front, back) = (host(&nats, "place=front"), host(&nats, "place=back"));
        let files = Files::new();
        let manifest = files.app("feeds", spec);
        front.wait_for_ready(2);
        front.deploy(&manifest).expect_code(0);
        let lattice = Self {
            front,
            back,
            _nats: nats,
            files,
        };
        for (_, address) in lattice.places() {
            eventually("the route serves", PATIENCE, || {
                let answer = Request::get(path).send(address);
                (answer.status == 200).then_some(()).ok_or(answer.text())
            });
        }
        lattice
    }

    /// The address of each host, by the place of the component.
    pub(crate) fn places(&self) -> [(&'static str, SocketAddr); 2] {
        [("here", self.back.http()), ("elsewhere", self.front.http())]
    }

    pub(crate) fn nothing_in_flight(&self, place: &str) {
        eventually("nothing is in flight", PATIENCE, || {
            let rows = self.back.own("components");
            let free = rows.iter().all(|row| row["in_flight"] == 0);
            free.then_some(()).ok_or(format!("{place}: {rows:?}"))
        });
    }
}
