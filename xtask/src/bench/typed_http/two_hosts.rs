//! Requests to a host that does not run the component: a typed route sends a call to the other
//! host, a raw route an HTTP conversation, both over the same NATS server.

use std::time::Duration;

use anyhow::Result;
use weft_harness::{NatsServer, Polling, free_address, until};

use super::one_host::check_responses;
use super::{Kind, connections_text, load, manifest, median_of};
use crate::bench::Effort;
use crate::bench::row::{Row, Target};
use crate::bench::scratch::Scratch;
use crate::bench::tools::Tools;
use crate::debian;
use crate::host::Host;

const KINDS: [Kind; 2] = [Kind::Typed, Kind::Raw];

const CONNECTIONS: [u32; 2] = [1, 64];

/// The time for hosts to see each other.
const READY: Polling = Polling::of(Duration::from_secs(120));

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    debian::ensure("nats-server", "the bus is a NATS server")?;
    let scratch = Scratch::new("typed-http-apart")?;
    let mut nats = NatsServer::new(scratch.path().join("nats"), free_address()?, "")?;
    nats.start()?;
    let url = nats.url();
    let host = |name: &str| {
        let label = format!("end={name}");
        let flags = ["--nats", &url, "--lattice", "bench", "--label", &label];
        Host::start(&tools.weft, &scratch.path().join(name), &flags)
    };
    let (front, back) = (host("front")?, host("back")?);
    until("the hosts see each other", READY, || {
        anyhow::Ok((front.ready_hosts()? == 2).then_some(()))
    })?;
    let placement = ", placement: {require: {end: back}}";
    let app = scratch.write("desk.yaml", manifest(tools, &KINDS, placement))?;
    front.deploy(&[app])?;
    check_responses(&front, &KINDS)?;
    let scripts = KINDS.map(|kind| Ok((kind, kind.script(&scratch)?)));
    let scripts = scripts.into_iter().collect::<Result<Vec<_>>>()?;
    let runs = load(front.http, &scripts, &CONNECTIONS, effort)?;
    front.end()?;
    back.end()?;
    let row = |connections, measure: &str, unit, of, target| {
        let name = format!(
            "typed route to another host, {}: {measure}",
            connections_text(connections)
        );
        let value = |kind| median_of(&runs, kind, connections, of);
        Row::new(name, value(Kind::Typed), unit)
            .against("raw route to another host", value(Kind::Raw))
            .target(target)
    };
    Ok(vec![
        row(
            1,
            "one request",
            "µs",
            // The mean: with one connection, requests follow each other without a pause.
            |report| 1e6 / report.requests_per_second,
            Target::RatioAtMost(0.8),
        ),
        row(
            64,
            "requests",
            "1/s",
            |report| report.requests_per_second,
            Target::RatioAtLeast(1.25),
        ),
    ])
}
